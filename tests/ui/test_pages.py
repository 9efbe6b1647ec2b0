"""The pages without a browser: each runs clean, and they act on one workspace."""

import re
from dataclasses import replace
from pathlib import Path

import pytest
from streamlit.testing.v1 import AppTest

from explorer.ui import engine
from explorer.ui.share import Shared, link_text
from explorer.ui.workspace import MODEL, WORKSPACES, Choice
from tests.hugging import BERT, SEGFORMER, save, text_folder

ROOT = Path(__file__).resolve().parents[2]
PAGES = ("model", "flow", "budget", "prune", "export")


@pytest.fixture(autouse=True)
def runs(tmp_path, monkeypatch):
    monkeypatch.setenv("EXPLORER_RUNS", str(tmp_path))


def opened(page: str = "model") -> AppTest:
    test = AppTest.from_file(str(ROOT / "app.py"), default_timeout=60).run()
    return test if page == "model" else test.switch_page(f"pages/{page}.py").run()


def workspace(test: AppTest):
    return WORKSPACES.get(test.session_state["workspace"])


@pytest.mark.parametrize("page", PAGES)
def test_every_page_runs_clean_with_the_bundled_model(page):
    test = opened(page)
    assert not test.exception
    assert not test.error
    assert test.title[0].value


@pytest.fixture(scope="module")
def others(tmp_path_factory):
    """A model and data of each other kind of task, small enough to be judged at once."""
    folder = tmp_path_factory.mktemp("models")
    texts = text_folder(folder / "texts", num_labels=3, **BERT)
    scores = text_folder(folder / "scores", num_labels=1, **BERT)
    masks = save(folder / "masks", "Segformer", "ForSemanticSegmentation", num_labels=5, **SEGFORMER)
    return {
        "Accuracy": (f"hf:{texts}", "sentences?n=300"),
        "Pearson correlation": (f"hf:{scores}", "ratings?n=300"),
        "Mean IoU": (f"hf:{masks}", "masks?n=200"),
        "Mean average precision": ("torchvision:ssdlite320_mobilenet_v3_large?num_classes=5", "boxes?n=200"),
    }


@pytest.mark.parametrize("metric", ["Accuracy", "Pearson correlation", "Mean IoU", "Mean average precision"])
def test_every_page_shows_the_metric_of_the_task(metric, others):
    space = WORKSPACES.create()
    space.choose(*others[metric])
    said = []
    for page in PAGES:
        test = AppTest.from_file(str(ROOT / "app.py"), default_timeout=120)
        test.query_params["w"] = space.token
        test.run()
        if page != "model":
            test.switch_page(f"pages/{page}.py").run()
        assert not test.exception, page
        assert not test.error, page
        said += [entry.label + str(entry.value) for entry in test.metric]
        said += [entry.value for kind in (test.markdown, test.caption) for entry in kind]
    assert any(metric in words for words in said)
    assert not any("top-1" in words.lower() for words in said)


def test_addresses_differ_from_file_names():
    found = re.findall(r'st\.Page\("pages/(\w+)\.py".*?url_path="([^"]+)"', (ROOT / "app.py").read_text())
    entries = dict(found)
    assert set(entries) == {path.stem for path in (ROOT / "pages").glob("*.py")}
    assert all(stem != url for stem, url in entries.items())
    assert not set(entries) & set(entries.values())


def button(test: AppTest, label: str):
    return next(entry for entry in test.button if entry.label == label)


def with_sliders() -> AppTest:
    test = opened("budget")
    return test.toggle(key="native").set_value(True).run()


def test_a_target_becomes_the_workspaces_budget():
    test = with_sliders()
    button(test, "Cut to target").click().run()
    assert not test.exception
    structure = engine.opened(MODEL).structure
    kept = {name: round(units * (1 - workspace(test).budget.get(name, 0))) for name, units in structure.full.items()}
    assert structure.cost(kept).macs / structure.cost().macs == pytest.approx(0.5, rel=0.01)
    sliders = {slider.key: slider.value for slider in test.slider}
    assert sliders == {f"removed 1 {MODEL} {name}": structure.full[name] - kept[name] for name in structure.groups}


def test_a_slider_and_undo_act_on_the_same_budget():
    test = with_sliders()
    first = test.slider[0]
    first.set_value(4).run()
    assert workspace(test).budget == {"conv1": 4 / 16}
    assert {slider.key for slider in test.slider} == {slider.key for slider in with_sliders().slider}
    before = {slider.key for slider in test.slider}
    button(test, "Undo").click().run()
    assert workspace(test).budget == {}
    assert test.slider[0].value == 0
    # The browser may still send the old positions: they must not reach the new controls.
    assert not before & {slider.key for slider in test.slider}


def test_the_budget_is_there_after_another_page_and_for_another_session():
    test = opened("budget")
    button(test, "of every group").click().run()
    before = workspace(test).budget
    assert before
    token = test.session_state["workspace"]
    other = AppTest.from_file(str(ROOT / "app.py"), default_timeout=60)
    other.query_params["w"] = token
    other.run().switch_page("pages/budget.py").run()
    assert other.session_state["workspace"] == token
    assert workspace(other).budget == before
    assert [metric.value for metric in other.metric] == [metric.value for metric in test.metric]


def test_a_change_in_one_tab_reaches_the_controls_of_the_other_and_is_not_lost():
    first = with_sliders()
    second = AppTest.from_file(str(ROOT / "app.py"), default_timeout=60)
    second.query_params["w"] = first.session_state["workspace"]
    second.run().switch_page("pages/budget.py").run()
    second.toggle(key="native").set_value(True).run()
    first.slider[0].set_value(4).run()
    second.slider[1].set_value(3).run()
    assert workspace(first).budget == {"conv1": 4 / 16, "layer1.0.conv1": 3 / 16}
    for tab in (first, second):
        tab.run()
        assert [slider.value for slider in tab.slider[:2]] == [4, 3]


def test_presets_leave_locked_groups_as_they_are():
    test = opened("budget")
    space = workspace(test)
    space.take(Choice({"conv1": 0.25, "layer2": 0.0}, frozenset({"conv1", "layer1.0.conv1"})), space.version)
    test.run()
    button(test, "Cut to target").click().run()
    assert space.budget["conv1"] == 0.25
    assert "layer1.0.conv1" not in space.budget
    assert any("locked, left as cut before" in entry.value for entry in test.warning)
    button(test, "of every group").click().run()
    assert space.budget["conv1"] == 0.25
    assert "layer1.0.conv1" not in space.budget
    assert space.budget["layer1.1.conv1"] == 0.3
    button(test, "Reset").click().run()
    assert (space.budget, space.locked) == ({}, frozenset())


def test_every_change_is_a_point_of_the_trail_with_its_rungs():
    test = opened("budget")
    button(test, "Cut to target").click().run()
    trail = workspace(test).draft.trail
    assert [(point.recovery, point.macs) for point in trail] == [
        ("none", pytest.approx(0.5, rel=0.01)),
        ("bn", pytest.approx(0.5, rel=0.01)),
    ]
    shown = {metric.label: metric.value for metric in test.metric}
    assert shown["As cut"] == f"{trail[0].value:.1%}"
    assert shown["Batch norms recalibrated"] == f"{trail[1].value:.1%}"
    button(test, "Undo").click().run()
    assert len(workspace(test).draft.trail) == 2


def test_a_shared_link_opens_with_all_it_holds():
    shared = Shared("demo:vit-digits", "digits", "l1", {}, Choice({}, frozenset()))
    structure = engine.opened(shared.model).structure
    first = next(iter(structure.groups))
    shared = replace(shared, choice=Choice({first: 0.5}, frozenset({first})))
    test = AppTest.from_file(str(ROOT / "app.py"), default_timeout=60)
    test.query_params["s"] = link_text(shared)
    test.run()
    assert not test.exception
    assert not test.error
    space = workspace(test)
    assert (space.model, space.data, space.criterion, space.budget) == ("demo:vit-digits", "digits", "l1", {first: 0.5})
    assert space.locked == {first}
    assert "s" not in test.query_params


@pytest.mark.parametrize(
    "text", ["damaged", link_text(Shared("demo:no-such")), link_text(Shared(MODEL, choice=Choice({"nowhere": 0.5})))]
)
def test_a_link_that_can_not_be_opened_changes_nothing(text):
    test = AppTest.from_file(str(ROOT / "app.py"), default_timeout=60)
    test.query_params["s"] = text
    test.run()
    assert len(test.error) == 1
    assert workspace(test).model == MODEL
    assert workspace(test).budget == {}


@pytest.mark.parametrize("ref", ["demo:resnet21-digits", "torchvision:no_such_net", "file:/nowhere/x.pth#demo:vgg"])
def test_a_ref_that_can_not_be_opened_changes_nothing(ref):
    test = AppTest.from_file(str(ROOT / "app.py"), default_timeout=60)
    test.session_state[f"model 0 {MODEL}"] = ref
    test.run()
    assert len(test.error) == 1
    assert "stays open" in test.error[0].value
    assert workspace(test).model == MODEL
    assert test.selectbox(key=f"model 1 {MODEL}").value == MODEL
    assert not test.exception
    assert not test.run().error


def test_data_that_does_not_fit_the_model_changes_nothing():
    test = opened()
    test.selectbox(key="data 0 digits").set_value("shapes").run()
    assert "8 classes" in test.error[0].value
    assert workspace(test).data == "digits"


def test_an_untrained_network_gets_the_outputs_of_the_data():
    test = opened()
    test.selectbox(key=f"model 0 {MODEL}").set_value("torchvision:squeezenet1_1").run()
    assert workspace(test).data == "random"
    test.selectbox(key="data 0 random").set_value("shapes").run()
    assert not test.error
    assert (workspace(test).model, workspace(test).data) == ("torchvision:squeezenet1_1?num_classes=8", "shapes")


def test_an_uploaded_state_dict_becomes_the_model():
    test = opened()
    content = (ROOT / "assets" / "resnet20-digits.safetensors").read_bytes()
    test.file_uploader[0].upload("../mine.safetensors", content)
    test.text_input[0].set_value(MODEL)
    button(test, "Open").click().run()
    assert not test.exception
    assert not test.error
    assert workspace(test).model.startswith("file:")
    assert "mine" not in workspace(test).model
    assert [metric.value for metric in test.metric if metric.label == "Parameters"] == ["272 k"]


def test_timing_data_has_no_accuracy():
    test = opened()
    test.selectbox(key="data 0 digits").set_value("random").run()
    assert workspace(test).data == "random"
    assert [metric.value for metric in test.metric if metric.label == "Accuracy"] == ["not measured"]


def test_a_workspace_that_is_gone_is_replaced_by_a_new_one():
    test = AppTest.from_file(str(ROOT / "app.py"), default_timeout=60)
    test.query_params["w"] = "x" * 32
    test.run()
    assert not test.exception
    assert workspace(test).token != "x" * 32
    assert test.query_params["w"] == workspace(test).token
