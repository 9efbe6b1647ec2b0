"""A bare name, a path or an id becomes the right ref, and a model is offered data that fits it."""

import subprocess
import sys

import pytest

from explorer.errors import ExplorerError
from explorer.sources import describe_task, load_model, load_task
from explorer.sources.data.torchvision_data import KNOWN
from explorer.sources.finding.fitting_data import FITS, NEW_LAYER, OWN, TIMING, data_for
from explorer.sources.finding.search import search
from explorer.sources.networks.timm_networks import timm_names
from explorer.sources.networks.timm_table import timm_table
from explorer.sources.reading.downloads import DATASETS


@pytest.mark.parametrize(
    ("typed", "kind", "ref"),
    [
        ("resnet50", "model", "torchvision:resnet50"),
        ("ResNet-50", "model", "torchvision:resnet50"),
        ("vit base", "model", "torchvision:vit_b_16"),
        ("demo:vit-shapes", "model", "demo:vit-shapes"),
        ("resnet digits", "model", "demo:resnet20-digits"),
        ("poolformer_m36", "model", "timm:poolformer_m36"),
        ("mobilnet_v2", "model", "torchvision:mobilenet_v2"),
        ("torchvision:resnt18", "model", "torchvision:resnet18"),
        ("microsoft/resnet-50", "model", "hf:microsoft/resnet-50"),
        ("imdb/reviews", "data", "hf:imdb/reviews"),
        ("digits", "data", "digits"),
        ("cifar", "data", "torchvision:CIFAR10"),
        ("shapes?classes=5", "data", "shapes?classes=5"),
        ("/data/flowers", "data", "folder:/data/flowers"),
        ("~/flowers", "data", "folder:~/flowers"),
        ("flowers.csv", "data", "folder:flowers.csv"),
        ("best.pth", "model", "file:best.pth#"),
        ("my best.pth resnet18", "model", "file:my best.pth#torchvision:resnet18"),
        ("best.pth#demo:vgg-digits", "model", "file:best.pth#demo:vgg-digits"),
        ("det.py:build", "model", "python:det.py:build"),
    ],
)
def test_what_is_typed_gives_the_right_ref_first(typed, kind, ref):
    assert search(typed, kind=kind)[0].ref == ref


@pytest.mark.parametrize("typed", ["", "  ", "???", "zzzzqqq"])
def test_what_means_nothing_gives_nothing(typed):
    assert search(typed) == []


def test_weights_stand_behind_the_network_that_they_are_of():
    refs = [found.ref for found in search("resnet18", kind="model")]
    assert refs[:2] == ["torchvision:resnet18", "torchvision:resnet18@IMAGENET1K_V1"]
    assert "timm:resnet18" in refs


def test_a_path_without_anything_says_so(tmp_path):
    assert "no" in search(f"{tmp_path}/flowers")[0].problem
    (tmp_path / "flowers").mkdir()
    assert search(f"{tmp_path}/flowers")[0].problem == ""


def test_what_lies_in_a_folder_says_what_it_is(tmp_path):
    assert search(str(tmp_path))[0].ref == f"folder:{tmp_path}"
    (tmp_path / "config.json").write_text("{}")
    assert search(str(tmp_path))[0].ref == f"hf:{tmp_path}"
    (tmp_path / "report.json").write_text("{}")
    assert search(str(tmp_path))[0].ref == f"run:{tmp_path}"


def test_a_file_of_code_offers_its_functions(tmp_path):
    (tmp_path / "net.py").write_text(
        "def _help(): ...\ndef small(width=8): ...\ndef sized(width): ...\ndef large(): ...\n"
    )
    assert [found.ref.rpartition(":")[2] for found in search(f"{tmp_path}/net.py")] == ["small", "large"]


def test_of_a_path_that_may_not_be_named_nothing_is_told(tmp_path):
    """Neither whether it exists nor what it is."""

    def nothing(ref):
        if str(tmp_path) in ref:
            raise ExplorerError("paths are not open here")

    (tmp_path / "report.json").write_text("{}")
    (tmp_path / "net.py").write_text("def secret(): ...\n")
    here, beside = (search(f"{tmp_path}{end}", permitted=nothing) for end in ("", "/nowhere"))
    assert [(found.ref.partition(":")[0], found.problem) for found in (*here, *beside)] == 2 * [
        ("folder", "paths are not open here")
    ]
    assert "secret" not in search(f"{tmp_path}/net.py", permitted=nothing)[0].ref


def test_the_names_of_timm_are_those_that_it_registers():
    pytest.importorskip("timm")
    assert set(timm_table()) == set(timm_names())
    assert timm_table()["resnet18"][0] == "a1_in1k"


def test_models_are_found_without_torch():
    code = "import sys; from explorer.sources.finding.search import search; search('resnet50', kind='model')"
    code += "; print({'torch', 'timm', 'torchvision'} & set(sys.modules))"
    assert subprocess.check_output([sys.executable, "-c", code], text=True).strip() == "set()"


@pytest.mark.parametrize("ref", ["digits", "shapes?classes=5&n=200", "masks?n=200", "boxes?n=200"])
def test_data_tells_what_it_holds_without_being_made(ref):
    told, task = describe_task(ref), load_task(ref)
    assert (told.kind, told.classes) == (task.kind, task.classes)


def test_data_sets_that_tell_their_classes_exist():
    assert KNOWN.keys() <= DATASETS.keys()


def fits(ref):
    return {fit.candidate.ref: fit.how for fit in data_for(load_model(ref))}


def test_only_data_that_fits_is_offered_what_a_model_was_trained_on_first():
    found = fits("demo:vit-shapes")
    assert next(iter(found)) == "shapes"
    assert (found["shapes"], found["digits"], found["random"]) == (OWN, NEW_LAYER, TIMING)
    assert not {"masks", "boxes", "sentences", "ratings"} & found.keys()


def test_a_new_network_takes_all_data_of_its_kind():
    found = fits("torchvision:squeezenet1_1")
    assert found["shapes"] == found["digits"] == FITS
    assert fits("torchvision:squeezenet1_1?num_classes=8")["digits"] == FITS
    assert set(fits("torchvision:lraspp_mobilenet_v3_large")) == {"masks", "random"}
