"""Sources of models and data: found by themselves, listed without importing anything heavy."""

import json
import subprocess
import sys

import pytest

from explorer.errors import ExplorerError
from explorer.sources import DATA_SOURCES, FOLDER_LAYOUTS, MODEL_SOURCES, list_models, list_tasks, load_model, load_task
from explorer.sources.networks import torchvision_table
from explorer.sources.registries import data_source


def test_they_stand_in_their_order():
    assert list(MODEL_SOURCES) == ["demo", "torchvision", "timm", "hf", "run", "file", "python"]
    assert [name for name, source in MODEL_SOURCES.items() if source.base] == ["demo", "torchvision", "timm", "python"]
    bundled = ["digits", "letters", "shapes", "hard-shapes", "masks", "boxes", "sentences", "ratings", "random"]
    assert list(DATA_SOURCES) == [*bundled, "folder", "python", "hf", "torchvision"]
    assert [ref for ref, _ in list_tasks()][: len(bundled)] == bundled
    assert list(FOLDER_LAYOUTS) == ["boxes", "yolo", "masks", "listed", "tables", "classes"]


@pytest.mark.parametrize("registry", [MODEL_SOURCES, DATA_SOURCES, FOLDER_LAYOUTS])
def test_what_a_source_declares_can_be_read_without_importing_it(registry):
    code = f"""
import json, sys
from explorer.sources.registries import *
registries = {{r.what: r for r in (MODEL_SOURCES, DATA_SOURCES, FOLDER_LAYOUTS)}}
declared = registries[{registry.what!r}].declared().values()
print(json.dumps([{{e.name: [e.title, e.explanation, sorted(e.settings)] for e in declared}}, "torch" in sys.modules]))
"""
    declared, heavy = json.loads(subprocess.check_output([sys.executable, "-c", code], text=True))
    assert declared == {name: [e.title, e.explanation, sorted(e.settings)] for name, e in registry.items()}
    assert not heavy


@pytest.mark.parametrize(("name", "source"), [(n, s) for n, s in DATA_SOURCES.items() if s.settings])
def test_options_of_data_are_its_settings(name, source):
    with pytest.raises(ExplorerError, match=f"its options are {', '.join(source.settings)}"):
        load_task(f"{name}?nonsense=1")
    for key, setting in source.settings.items():
        assert setting.default is None or setting.low <= setting.default <= setting.high
        with pytest.raises(ExplorerError, match=f"from {setting.low:g} to"):
            load_task(f"{name}?{key}=-1")


def test_one_more_source_of_data_is_a_function():
    digits = DATA_SOURCES["digits"].function
    data_source("figures", title="Figures", explanation="Digits by another name.")(
        lambda ref, asked: digits("digits", asked)
    )
    try:
        assert load_task("figures").classes == tuple("0123456789")
        assert ("figures", "Figures") in list_tasks()
    finally:
        DATA_SOURCES.remove("figures")


def test_models_are_listed_without_torch():
    code = "import sys; from explorer.sources import list_models; print(len(list_models()), 'torch' in sys.modules)"
    assert subprocess.check_output([sys.executable, "-c", code], text=True).split() == [
        str(len(list_models())),
        "False",
    ]


def test_the_shipped_table_is_what_torchvision_says():
    assert torchvision_table.installed_table() == json.loads(torchvision_table.SHIPPED.read_text())


def test_another_torchvision_is_asked_once(tmp_path, monkeypatch):
    expected = list_models()
    monkeypatch.setenv("EXPLORER_CACHE", str(tmp_path))
    monkeypatch.setattr(torchvision_table, "version", lambda _: "99.1.0")
    assert list_models() == expected
    monkeypatch.setattr(torchvision_table, "installed_table", None)
    assert list_models() == expected


@pytest.mark.parametrize("ref", ["file:a.pt#hf:bert", "file:a.pt#run:out", "file:a.pt#file:b.pt#demo:vgg-digits"])
def test_only_some_sources_are_the_base_of_a_file(ref):
    with pytest.raises(ExplorerError, match=r"write file:PATH#torchvision:NAME|there is no file"):
        load_model(ref)
