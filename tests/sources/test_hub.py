"""Hugging Face refs: the very model that transformers loads, and nothing else that a folder may carry."""

import json
import pickle
import shutil
from collections import Counter
from pathlib import Path
from types import ModuleType

import pytest
import torch
from safetensors.torch import load_file, save_file

from explorer.errors import ExplorerError
from explorer.export import check_onnx, export_onnx, loader_script
from explorer.pruning import Plan, cut, mask
from explorer.sources import build, load_model, load_pair
from explorer.structure import analyse, count
from tests.hugging import BERT, SEGFORMER, save, text_folder

VIT = {"hidden_size": 48, "num_hidden_layers": 2, "num_attention_heads": 4, "intermediate_size": 96}
PICTURES = {**VIT, "image_size": 32, "patch_size": 8, "num_labels": 10}


@pytest.fixture(scope="module")
def bert(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return text_folder(tmp_path_factory.mktemp("bert"), num_labels=3, **BERT)


@pytest.fixture(scope="module")
def vit(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = save(tmp_path_factory.mktemp("vit"), "ViT", "ForImageClassification", **PICTURES)
    processor = {"image_mean": [0.1, 0.2, 0.3], "image_std": [0.4, 0.5, 0.6], "size": {"height": 32, "width": 32}}
    (folder / "preprocessor_config.json").write_text(json.dumps(processor))
    return folder


@pytest.fixture
def copied(bert: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(bert, tmp_path / "copy"))


def complain(ref: str, **arguments: object) -> str:
    with pytest.raises(ExplorerError) as caught:
        load_model(ref, **arguments)
    message = str(caught.value)
    assert "\n" not in message
    return message


def test_a_text_model_gives_the_logits_of_transformers(bert):
    import transformers

    model, task = load_pair(f"hf:{bert}", "sentences?n=300")
    theirs = transformers.AutoModelForSequenceClassification.from_pretrained(bert)
    tokenizer = transformers.AutoTokenizer.from_pretrained(bert)
    texts = list(task.texts["test"][:7])
    inputs = tokenizer(texts, return_tensors="pt", padding=True)
    inputs.pop("token_type_ids", None)
    with torch.inference_mode():
        expected = theirs.eval()(**inputs).logits
        found = model.module(task.test[:7][0])
    assert torch.allclose(found, expected, atol=1e-6)
    assert (model.kind, model.input_shape, model.classes, task.kind, task.metric) == (
        "text-classification",
        (32,),
        3,
        "text-classification",
        "accuracy",
    )


def test_an_image_model_with_the_normalisation_of_its_processor(vit):
    import transformers

    model, task = load_pair(f"hf:{vit}", "shapes?n=200&classes=10")
    assert model.input_shape == (3, 32, 32)
    assert (task.mean, task.std) == ((0.1, 0.2, 0.3), (0.4, 0.5, 0.6))
    theirs = transformers.AutoModelForImageClassification.from_pretrained(vit).eval()
    images = task.test.tensors[0][:4]
    with torch.inference_mode():
        assert torch.allclose(model.module(images), theirs(pixel_values=images).logits, atol=1e-6)
    raw = load_pair("torchvision:resnet18", "shapes?n=200&classes=10", input_shape=(3, 32, 32))[1].test.tensors[0][:4]
    mean, std = (torch.tensor(values).view(3, 1, 1) for values in (task.mean, task.std))
    assert torch.allclose(images * std + mean, raw * 0.5 + 0.5, atol=1e-6)


def test_the_architecture_rebuilds_the_network(bert, vit, tmp_path):
    seg = save(tmp_path, "Segformer", "ForSemanticSegmentation", num_labels=5, **SEGFORMER)
    for folder in (bert, vit, seg):
        model = load_model(f"hf:{folder}")
        again = build(json.loads(json.dumps(model.architecture)))
        again.load_state_dict(model.module.state_dict())
        with torch.inference_mode():
            assert torch.equal(again(model.example(2)), model.module(model.example(2)))


def test_pad_tokens_change_nothing(bert):
    model = load_model(f"hf:{bert}", input_shape=(16,))
    assert model.input_shape == (16,)
    short = model.tokenizer(["the film was good"])
    longer = load_model(f"hf:{bert}").tokenizer(["the film was good"])
    assert (short.shape[1], longer.shape[1]) == (16, 32)
    with torch.inference_mode():
        assert torch.allclose(model.module(short), model.module(longer), atol=1e-6)


def test_a_body_without_a_head_gets_one_that_is_told(tmp_path):
    folder = text_folder(tmp_path, head="Model", **BERT)
    assert "answers no question" in complain(f"hf:{folder}")
    model, task = load_pair(f"hf:{folder}", "sentences?n=300")
    assert (model.classes, model.kind, model.trained) == (3, "text-classification", False)
    assert "its head is new and random" in model.note
    assert load_model(f"hf:{folder}?task=text-classification&labels=1").kind == "text-regression"
    model, task = load_pair(f"hf:{folder}", "ratings?n=300")
    assert (task.kind, task.metric) == ("text-regression", "pearson")


def test_a_cut_in_every_group_is_exact(bert):
    model = load_model(f"hf:{bert}")
    structure = analyse(model.module, model.example())
    assert {group.kind for group in structure.groups.values()} == {"stream", "heads", "head-dims", "ffn", "linear"}
    plan = Plan(model.ref, {name: tuple(range(group.units // 3)) for name, group in structure.groups.items()})
    ids = model.tokenizer(["the film was good", "the very long book was not bad and boring"])
    with torch.inference_mode():
        masked = mask(model.module, structure, plan)(ids)
        assert torch.allclose(masked, cut(model.module, structure, plan).module(ids), atol=1e-6)
        assert not torch.allclose(masked, model.module(ids), atol=1e-4)


def test_experts_of_any_width_are_multiplied_in_what_is_cut_rebuilt_and_written_as_onnx(tmp_path):
    """The product of all experts at once, transformers' default, wants rows of a multiple of 16 bytes."""
    config = {
        **BERT,
        "num_hidden_layers": 1,
        "num_key_value_heads": 2,
        "num_local_experts": 3,
        "num_experts_per_tok": 2,
    }
    folder = text_folder(tmp_path / "hub", "Mixtral", num_labels=3, **config)
    model = load_model(f"hf:{folder}")
    structure = analyse(model.module, model.example())
    kinds = Counter(group.kind for group in structure.groups.values())
    assert kinds == {"stream": 1, "heads": 1, "experts": 1, "experts-ffn": 1}
    most = {name: group.units - group.least for name, group in structure.groups.items()}
    plan = Plan(
        model.ref, {name: range(min(1 + group.units // 3, most[name])) for name, group in structure.groups.items()}
    )
    smaller, ids = cut(model.module, structure, plan), model.example(3)
    with torch.inference_mode():
        logits = smaller.module(ids)
        assert torch.allclose(logits, mask(model.module, structure, plan)(ids), atol=1e-5)
        assert structure.cost(plan.kept(structure)) == count(smaller.module, model.example())
    script = ModuleType("load")
    script.__file__ = str(tmp_path / "load.py")
    made = {"architecture": model.architecture, "attributes": smaller.attributes, "input_shape": model.input_shape}
    exec(loader_script(smaller.module, **made, classes=3, title="Experts"), script.__dict__)
    save_file(smaller.module.state_dict(), tmp_path / "weights.safetensors")
    with torch.inference_mode():
        assert torch.equal(script.load(tmp_path)(ids), logits)
    export_onnx(smaller.module, model.example(2), tmp_path / "model.onnx")
    assert check_onnx(tmp_path / "model.onnx", smaller.module, ids, None)["max_rel_diff"] <= 1e-5


def test_data_of_another_kind_is_refused(bert, vit):
    for model, data, words in (
        (f"hf:{bert}", "digits", "is for image classifiers"),
        (f"hf:{bert}", "ratings?n=300", "for models that score texts"),
        (f"hf:{vit}", "sentences?n=300", "is for text classifiers"),
        (f"hf:{vit}", "masks?n=200", "for segmentation models"),
        ("demo:resnet20-digits", "sentences?n=300", "is for text classifiers"),
    ):
        with pytest.raises(ExplorerError, match=words):
            load_pair(model, data)


class Bomb:
    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple:
        return (Path.touch, (self.path,))


def test_pickled_weights_are_never_opened(copied, tmp_path):
    (copied / "model.safetensors").unlink()
    (copied / "pytorch_model.bin").write_bytes(pickle.dumps(Bomb(tmp_path / "ran")))
    assert "no weights in safetensors" in complain(f"hf:{copied}")
    (copied / "other.safetensors").write_bytes(b"")
    complain(f"hf:{copied}")
    assert not (tmp_path / "ran").exists()


def test_code_in_the_folder_is_never_run(copied, tmp_path):
    (copied / "modeling.py").write_text(
        f"import pathlib; pathlib.Path({str(tmp_path / 'ran')!r}).touch()\nclass C: ..."
    )
    config = json.loads((copied / "config.json").read_text())
    names = ("AutoConfig", "AutoModel", "AutoModelForSequenceClassification", "AutoTokenizer")
    (copied / "config.json").write_text(json.dumps(config | {"auto_map": dict.fromkeys(names, "modeling.C")}))
    assert load_model(f"hf:{copied}").classes == 3  # transformers knows BERT itself
    (copied / "config.json").write_text(
        json.dumps(config | {"auto_map": dict.fromkeys(names, "modeling.C"), "model_type": "its-own"})
    )
    assert "never run here" in complain(f"hf:{copied}") or "its-own" in complain(f"hf:{copied}")
    assert not (tmp_path / "ran").exists()


def test_damaged_folders(copied):
    assert "there is no folder" in complain("hf:./nowhere")
    config = (copied / "config.json").read_text()
    tensors = {name: tensor.clone() for name, tensor in load_file(copied / "model.safetensors").items()}
    (copied / "model.safetensors").write_bytes(b"\xff" * 100)
    assert "can't be read" in complain(f"hf:{copied}")
    save_file({name: tensor for name, tensor in tensors.items() if "layer.1" not in name}, copied / "model.safetensors")
    assert "lacks" in complain(f"hf:{copied}")
    save_file(tensors, copied / "model.safetensors", {"format": "pt"})
    for broken in ("{", "[]", config.replace('"hidden_size": 48', '"hidden_size": -3'), config.replace("bert", "no")):
        (copied / "config.json").write_text(broken)
        complain(f"hf:{copied}")
    (copied / "config.json").unlink()
    assert "no config.json" in complain(f"hf:{copied}")


@pytest.mark.parametrize(
    ("ref", "words"),
    [
        ("hf:a/b/c", "names no model"),
        ("hf:", "names no model"),
        ("hf:x?task=poetry", "unknown task"),
        ("hf:x?labels=0", "whole number"),
        ("hf:x?revision=$(ls)", "a branch"),
    ],
)
def test_bad_refs(ref, words):
    assert words in complain(ref)


def test_texts_longer_than_the_model_allows(bert):
    assert "up to 32 tokens" in complain(f"hf:{bert}", input_shape=(33,))


def test_an_unreachable_hub_is_said(monkeypatch):
    def refuse(*_: object, **__: object) -> None:
        raise OSError("name resolution failed")

    monkeypatch.setattr("socket.getaddrinfo", refuse)
    monkeypatch.setattr("socket.socket.connect", refuse)
    monkeypatch.setattr("time.sleep", lambda _: None)  # between attempts
    assert "the hub can't be reached" in complain("hf:nobody/has-such-a-model")


def test_an_encoder_without_an_end_of_text_is_read(tmp_path):
    small = {"hidden_size": 32, "num_hidden_layers": 1, "num_attention_heads": 2, "intermediate_size": 32}
    narrow = {"intra_bottleneck_size": 16, "embedding_size": 16, "true_hidden_size": 16, "vocab_size": 40}
    save(tmp_path, "MobileBert", "ForSequenceClassification", **small, **narrow, num_feedforward_networks=1)
    model = load_model(f"hf:{tmp_path}")
    with torch.inference_mode():
        assert model.module(model.example(3)).shape == (3, 2)


@pytest.mark.parametrize("family", ["SmolLM3", "ModernBert"])
def test_a_small_vocabulary_has_no_padding_of_a_large_one(family, tmp_path):
    """Their configurations pad with tokens 128,004 and 50,283 whatever the size of the vocabulary."""
    config = {**VIT, "vocab_size": 40, "max_position_embeddings": 64, "num_key_value_heads": 2, "num_labels": 3}
    save(tmp_path, family, "ForSequenceClassification", **config, pad_token_id=0, eos_token_id=1)
    written = json.loads((tmp_path / "config.json").read_text())
    (tmp_path / "config.json").write_text(
        json.dumps({key: value for key, value in written.items() if key not in ("pad_token_id", "eos_token_id")})
    )
    model = load_model(f"hf:{tmp_path}")
    example = model.example(2)
    assert int(example.max()) < 40
    with torch.inference_mode():
        found = model.module(example)
    assert found.shape == (2, 3)


def test_the_input_of_a_network_of_images_and_texts_is_its_picture_towers(tmp_path):
    save(tmp_path, "CLIP", "ForImageClassification", vision_config={**VIT, "image_size": 32, "patch_size": 8})
    assert load_model(f"hf:{tmp_path}").input_shape == (3, 32, 32)


def test_a_network_read_and_one_built_are_of_the_same_modules(tmp_path):
    """SigLIP's pooling head asks for attention in a way that our own for torchvision does not know."""
    save(tmp_path, "Siglip", "ForImageClassification", vision_config={**VIT, "image_size": 32, "patch_size": 8})
    model = load_model(f"hf:{tmp_path}")
    built = build(model.architecture)
    assert [type(part) for part in built.modules()] == [type(part) for part in model.module.modules()]
    built.load_state_dict(model.module.state_dict())
    with torch.inference_mode():
        assert torch.equal(built(model.example(2)), model.module(model.example(2)))
