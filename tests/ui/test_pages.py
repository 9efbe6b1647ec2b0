"""The pages without a browser: each runs clean, and they act on one workspace."""

import json
import time
from dataclasses import replace

import pytest
import torch
from safetensors.torch import load_file
from streamlit.testing.v1 import AppTest

from explorer.methods import METHODS
from explorer.methods.spec import Spec
from explorer.recovery import RECOVERIES
from explorer.runs.queue.desk import Desk
from explorer.runs.queue.job import Job
from explorer.runs.queue.lanes import Place
from explorer.ui import engine
from explorer.ui.navigation import PAGES as NAVIGATION
from explorer.ui.navigation import path_to
from explorer.ui.parts import jobs
from explorer.ui.parts.chooser import KINDS, UPLOAD
from explorer.ui.state import session
from explorer.ui.state.form_keys import BY_ITSELF, WHO
from explorer.ui.state.share import Shared, link_text
from explorer.ui.state.workspace import MODEL, WORKSPACES, Choice, Workspace
from pages.recover.settings import FREE
from tests.hugging import BERT, SEGFORMER, save, text_folder
from tests.markdown import as_read
from tests.ui.pages import ROOT, button, choose, desk_of, stages, visited, words_of
from tests.ui.test_commandline import parsed

PAGES = (
    "look",
    "cut",
    "recover",
    "take",
    "runs",
    "missions",
    "criteria",
    "sensitivity",
    "weights",
    "scoreboard",
    "library",
    "glossary",
)
OF_OTHERS = ("scoreboard", "library", "glossary")
"""Pages that are not about what is open."""


@pytest.fixture(autouse=True)
def runs(tmp_path, monkeypatch):
    monkeypatch.setenv("EXPLORER_RUNS", str(tmp_path))


def opened(page: str = "look") -> AppTest:
    test = AppTest.from_file(str(ROOT / "app.py"), default_timeout=60).run()
    return test if page == "look" else test.switch_page(path_to(page)).run()


def chooser(page: str = "look") -> AppTest:
    """The page with the choice of a model over it."""
    test = opened(page)
    test.session_state[KINDS] = "Your own"
    return test.button(key="chip").click().run()


def box(test: AppTest, label: str):
    return next(entry for entry in test.text_input if entry.label == label)


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


@pytest.mark.parametrize(
    "metric",
    ["Accuracy", "Pearson correlation", "Mean IoU", pytest.param("Mean average precision", marks=pytest.mark.slow)],
)
def test_every_page_shows_the_metric_of_the_task(metric, others):
    space = WORKSPACES.create()
    space.choose(*others[metric])
    said = []
    for page in PAGES:
        if page in OF_OTHERS:
            continue
        test = AppTest.from_file(str(ROOT / "app.py"), default_timeout=120)
        test.query_params["w"] = space.token
        test.run()
        if page != "look":
            test.switch_page(path_to(page)).run()
        assert not test.exception, page
        assert not test.error, page
        said += [entry.label + str(entry.value) for entry in test.metric]
        said += [entry.value for kind in (test.markdown, test.caption) for entry in kind]
    assert any(metric in words for words in said)
    assert not any("top-1" in words.lower() for words in said)


def test_every_page_has_a_place_and_an_address_of_its_own():
    found = {page.name: page.address for page in NAVIGATION.values()}
    assert set(found) == {path.parent.name for path in (ROOT / "pages").glob("*/page.py")}
    assert len(set(found.values())) == len(found)


def with_sliders() -> AppTest:
    test = opened("cut")
    return test.toggle(key="native").set_value(True).run()


def test_a_target_becomes_the_workspaces_budget():
    test = with_sliders()
    button(test, "Share it out").click().run()
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
    test = opened("cut")
    button(test, "of every group").click().run()
    before = workspace(test).budget
    assert before
    token = test.session_state["workspace"]
    other = AppTest.from_file(str(ROOT / "app.py"), default_timeout=60)
    other.query_params["w"] = token
    other.run().switch_page("pages/cut/page.py").run()
    assert other.session_state["workspace"] == token
    assert workspace(other).budget == before
    assert [metric.value for metric in other.metric] == [metric.value for metric in test.metric]


def test_a_change_in_one_tab_reaches_the_controls_of_the_other_and_is_not_lost():
    first = with_sliders()
    second = AppTest.from_file(str(ROOT / "app.py"), default_timeout=60)
    second.query_params["w"] = first.session_state["workspace"]
    second.run().switch_page("pages/cut/page.py").run()
    second.toggle(key="native").set_value(True).run()
    first.slider[0].set_value(4).run()
    second.slider[1].set_value(3).run()
    assert workspace(first).budget == {"conv1": 4 / 16, "layer1.0.conv1": 3 / 16}
    for tab in (first, second):
        tab.run()
        assert [slider.value for slider in tab.slider[:2]] == [4, 3]


def test_presets_leave_locked_groups_as_they_are():
    test = opened("cut")
    space = workspace(test)
    space.take(Choice({"conv1": 0.25, "layer2": 0.0}, frozenset({"conv1", "layer1.0.conv1"})), space.version)
    test.run()
    button(test, "Share it out").click().run()
    assert space.budget["conv1"] == 0.25
    assert "layer1.0.conv1" not in space.budget
    assert any("locked, left as cut before" in entry.value for entry in test.warning)
    button(test, "of every group").click().run()
    assert space.budget["conv1"] == 0.25
    assert "layer1.0.conv1" not in space.budget
    assert space.budget["layer1.1.conv1"] == 0.3
    button(test, "Reset").click().run()
    assert (space.budget, space.locked) == ({}, frozenset())


def test_every_change_is_a_point_of_the_trail_with_its_stages():
    test = opened("cut")
    button(test, "Share it out").click().run()
    for _ in range(600):  # the repair comes from a worker
        if stages(test)["repaired"]:
            break
        time.sleep(0.1)
        test.run()
    trail = workspace(test).draft.trail
    assert [(point.recovery, point.macs) for point in trail] == [
        ("none", pytest.approx(0.5, rel=0.01)),
        ("reconstruct", pytest.approx(0.5, rel=0.01)),
    ]
    assert trail[1].value > trail[0].value
    shown = stages(test)
    assert shown["cut"] == f"{trail[0].value:.1%}"
    assert shown["repaired"] == f"{trail[1].value:.1%}"
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
    test = choose(AppTest.from_file(str(ROOT / "app.py"), default_timeout=60), ref)
    assert len(test.error) == 1
    assert "stays open" in test.error[0].value
    assert workspace(test).model == MODEL
    assert not test.exception
    assert test.run().error
    assert not button(test, "Close").click().run().error


def test_data_that_does_not_fit_the_model_changes_nothing():
    test = choose(opened(), MODEL, "shapes")
    assert "8 classes" in test.error[0].value
    assert workspace(test).data == "digits"


@pytest.mark.slow
def test_an_untrained_network_gets_the_outputs_of_the_data():
    """Also of other data later on: its weights are random, so nothing is lost."""
    test = choose(opened(), "torchvision:squeezenet1_1?stem=cifar")
    assert (workspace(test).model, workspace(test).data) == (
        "torchvision:squeezenet1_1?stem=cifar&num_classes=10",
        "digits",
    )
    choose(test, workspace(test).model, "shapes")
    assert not test.error
    assert (workspace(test).model, workspace(test).data) == (
        "torchvision:squeezenet1_1?stem=cifar&num_classes=8",
        "shapes",
    )


def test_a_network_that_the_open_data_does_not_fit_gets_data_for_timing():
    test = choose(opened(), "torchvision:lraspp_mobilenet_v3_large?num_classes=3")
    assert not test.error
    assert workspace(test).data == "random"


def test_an_uploaded_state_dict_becomes_the_model():
    test = chooser()
    content = (ROOT / "assets" / "resnet20-digits.safetensors").read_bytes()
    test.file_uploader(key=UPLOAD).upload("../mine.safetensors", content)
    box(test, "Network").set_value(MODEL)
    button(test, "Open").click().run()
    assert not test.exception
    assert not test.error
    assert workspace(test).model.startswith("file:")
    assert "mine" not in workspace(test).model
    assert [metric.value for metric in test.metric if metric.label == "Parameters"] == ["272 k"]


def test_weights_beside_the_plain_ones_can_be_chosen(tmp_path):
    state = load_file(ROOT / "assets" / "resnet20-digits.safetensors")
    torch.save({"model": state, "ema_model": {"module": dict(state)}}, tmp_path / "last.ckpt")
    test = chooser()
    test.file_uploader(key=UPLOAD).upload("last.ckpt", (tmp_path / "last.ckpt").read_bytes())
    box(test, "Network").set_value(MODEL)
    button(test, "Open").click().run()
    plain = workspace(test).model
    (choice,) = [each for each in test.selectbox if each.label == "Weights in the file"]
    assert choice.options == ["model", "ema_model.module"]
    choice.set_value(
        choice.options[1] if choice.value in choice.options else plain.replace("#", "?weights=ema_model.module#")
    ).run()
    assert not test.exception
    assert not test.error
    assert workspace(test).model == plain.replace("#", "?weights=ema_model.module#")
    assert workspace(test).data == "digits"


def test_a_file_of_another_format_is_told_what_to_do():
    test = chooser()
    test.file_uploader(key=UPLOAD).upload("model.onnx", b"\x08\x09\x12\x07pytorch")
    box(test, "Network").set_value(MODEL)
    button(test, "Open").click().run()
    test.button(key="chip").click().run()
    assert "save the state dict" in test.error[0].value
    assert workspace(test).model == MODEL


def test_timing_data_has_no_accuracy():
    test = choose(opened(), MODEL, "random")
    assert workspace(test).data == "random"
    assert [metric.value for metric in test.metric if metric.label == "Accuracy"] == ["not measured"]


def run_folder(root, owner, id, *, method="ifap", criterion="flow", created=1.0, model=MODEL, state="done", **settings):
    """A run of the desk with two steps, as its folder is left behind."""
    spec = Spec.from_json({"model": model, "data": "digits", "method": method, "criterion": criterion, **settings})
    base = {"metric": "top1", "top1": 0.99, "top1_low": 0.97, "top1_high": 1.0, "samples": 270, "params": 200}
    base |= {"macs": 400, "latency_ms": 2.0, "size_bytes": 800}
    pruned = base | {"top1": 0.95, "top1_low": 0.92, "top1_high": 0.97, "params": 100, "macs": 200}
    steps = [
        {"step": n, "macs": 400 - 100 * n, "params": 200 - 50 * n, "top1_before": 0.5, "top1_after": 0.97}
        | {"rolled_back": False, "seconds": 1.0, "kept": {"conv1": 16 - 3 * n}}
        for n in (1, 2)
    ]
    result = {
        "id": id,
        "created": created,
        "title": "ResNet-20, pruned",
        "base": base,
        "as_cut": pruned,
        "pruned": pruned,
        "achieved": {"params": 0.5, "macs": 0.5},
        "seconds": 60.0,
        "steps": steps if METHODS[method].gradual else [],
        "groups": [{"name": "conv1", "size": 16, "kept": 10}],
        "recovery": {"epochs": [{}, {}]},
        "warnings": [],
        "spec": spec.to_json(),
    }
    folder = root / id
    (folder / "bundle").mkdir(parents=True)
    job = Job(id, owner, "IFAP", {"kind": "prune", "spec": spec.to_json()}, "cpu", str(folder), state=state)
    job.result = result if state == "done" else None
    told = {"step": 0, "macs": 400, "params": 200, "top1": 0.99, "rolled_back": 0, "width/conv1": 16}
    job.points = [{"time": 1.0, "fraction": 0.1, "message": "step 0", **told}] + [
        {"time": 1.0 + n, "fraction": 0.1 + n / 3, "message": f"step {n}", **told}
        | {"step": n, "macs": 400 - 100 * n, "top1": 0.97, "width/conv1": 16 - 3 * n}
        for n in (1, 2)
    ]
    job.save()
    if state == "done":
        (folder / "bundle" / "report.json").write_text(json.dumps(result))
        (folder / "bundle" / "weights.safetensors").touch()
        plan = {"base": model, "remove": {"conv1": [0, 1, 2, 3, 4, 10 + len(id)]}}
        (folder / "bundle" / "plan.json").write_text(json.dumps(plan))
    return job


@pytest.fixture
def desk(monkeypatch, tmp_path):
    """A desk that reads the folder of this test."""
    with desk_of(tmp_path, monkeypatch) as fresh:
        yield fresh


def cards(test: AppTest) -> dict[str, dict]:
    """The cards of the page, by what they are the values of."""
    shown = [json.loads(entry.proto.json) for entry in test.get("bidi_component")]
    return {card["value"]: card for choice in shown if "cards" in choice for card in choice["cards"]}


def by(test: AppTest, method: str) -> AppTest:
    """The Recover page with a method that chooses by itself."""
    test.radio(key=WHO).set_value(BY_ITSELF)
    test.session_state["method"] = method
    return test.run()


def with_a_plan(**settings) -> Workspace:
    space = WORKSPACES.create()
    space.choose(MODEL, settings.get("data", "digits"))
    space.adjust("conv1", 0.5)
    return space


def test_three_choices_come_first_and_all_others_under_more(desk):
    test = visited("recover", with_a_plan())
    assert not test.exception
    assert parsed(test.code[0].value).recover == "reconstruct"
    assert list(cards(test)) == ["none", "repair", "finetune", "more"]
    assert "The plan keeps" in words_of(test)
    assert not [entry for entry in test.radio if "Distillation" in entry.options]
    test.session_state["way"] = "more"
    test.run()
    first = ("none", "reconstruct", "finetune")
    others = [entry.title for name, entry in RECOVERIES.items() if name not in first]
    assert test.radio(key="other way").options == others
    test.radio(key="other way").set_value("distill").run()
    spec = parsed(test.code[0].value)
    assert (spec.recover, spec.epochs, spec.ratios) == ("distill", 8, {"conv1": 0.5})


def test_what_needs_labels_is_not_offered_without_them(desk):
    test = visited("recover", with_a_plan(data="random"))
    assert list(cards(test)) == ["none", "more"]
    assert parsed(test.code[0].value).recover == "none"
    assert "no labels that mean anything" in words_of(test)


def test_the_form_is_there_again_in_another_tab(desk):
    space = with_a_plan()
    test = visited("recover", space)
    test.session_state["way"] = "finetune"
    test.run().number_input(key="epochs of one-shot").set_value(3).run()
    again = visited("recover", space)
    spec = parsed(again.code[0].value)
    assert (spec.recover, spec.epochs) == ("finetune", 3)


def test_each_method_asks_for_what_it_knows():
    test = opened("recover")
    assert set(cards(by(test, "ifap"))) == {name for name, entry in METHODS.items() if entry.chooses}
    for name in cards(test):
        entry = METHODS[name]
        by(test, name)
        assert not test.exception
        keys = {widget.key for widget in (*test.number_input, *test.selectbox) if widget.key}
        assert (f"steps of {name}" in keys) == entry.gradual
        assert (f"blocks of {name}" in keys) == ("blocks" in entry.settings)


def test_the_command_of_the_page_is_the_run_of_the_page():
    test = opened("recover")
    by(test, "ifap")
    test.number_input(key="keep of ifap").set_value(35).run()
    test.selectbox(key="quantity of ifap").set_value("params").run()
    test.number_input(key="drop of ifap").set_value(1.5).run()
    test.number_input(key="steps of ifap").set_value(3).run()
    test.selectbox(key="teacher of ifap").set_value("previous").run()
    spec = parsed(test.code[0].value)
    told = METHODS["ifap"].told(spec)
    assert (spec.method, spec.criterion, spec.recover, told["teacher"]) == ("ifap", "flow", "distill", "previous")
    assert (spec.keep, told["max_drop"], spec.steps) == ({"params": 0.35}, 0.015, 3)
    test.radio(key="far of ifap").set_value(FREE).run()
    assert parsed(test.code[0].value).keep is None


def test_what_few_need_to_say_reaches_the_run(desk, monkeypatch):
    asked = []
    monkeypatch.setattr(desk, "submit", lambda spec, **named: asked.append(spec) or "later")
    test = visited("recover", WORKSPACES.create())
    by(test, "ifap")
    test.number_input(key="growth of ifap").set_value(2.0).run()
    test.selectbox(key="teacher of ifap").set_value("previous").run()
    test.selectbox(key="normaliser of ifap").set_value("max").run()
    assert test.number_input(key="rho of ifap").value is None
    button(test, "Prune").click().run()
    assert not test.exception
    [spec] = asked
    assert (spec.settings, spec.normalise) == ({"growth": "2.0", "teacher": "previous"}, "max")
    assert "--alpha 2.0 --teacher previous" in test.code[0].value
    assert parsed(test.code[0].value) == spec


def test_a_preset_sets_the_controls_and_says_what_was_changed_since():
    test = opened("recover")
    by(test, "ifap")
    usual = parsed(test.code[0].value)
    preset = test.radio(key="preset of ifap")
    assert preset.options == [entry.title for entry in METHODS["ifap"].presets.values()]
    assert "Changed from" not in words_of(test)
    preset.set_value("published").run()
    assert not test.exception
    spec = parsed(test.code[0].value)
    assert spec == METHODS["ifap"].following("published", usual)
    assert test.number_input(key="rho of ifap").value == 0.1
    assert test.selectbox(key="activation of flow of ifap").value == "relu"
    assert "Changed from" not in words_of(test)
    test.selectbox(key="teacher of ifap").set_value("base").run()
    test.selectbox(key="normaliser of ifap").set_value("mean").run()
    assert "Changed from As published: normaliser, teacher." in words_of(test)
    assert METHODS["ifap"].told(parsed(test.code[0].value))["teacher"] == "base"
    test.radio(key="preset of ifap").set_value("ours").run()
    assert parsed(test.code[0].value) == usual


@pytest.mark.parametrize("method", ["spvr", "idap"])
def test_every_preset_comes_to_the_spec_that_it_is(method):
    test = opened("recover")
    usual = parsed(by(test, method).code[0].value)
    for preset in reversed(METHODS[method].presets):
        test.radio(key=f"preset of {method}").set_value(preset).run()
        assert not test.exception
        assert parsed(test.code[0].value) == METHODS[method].following(preset, usual)
        assert "Changed from" not in words_of(test)


def test_spvr_asks_for_the_options_of_its_criterion(desk, monkeypatch):
    asked = []
    monkeypatch.setattr(desk, "submit", lambda spec, **named: asked.append(spec) or "later")
    space = WORKSPACES.create()
    test = visited("recover", space)
    by(test, "spvr")
    test.selectbox(key="size of masking of spvr").set_value("8").run()
    test.selectbox(key="coupling of masking of spvr").set_value("stages").run()
    button(test, "Prune").click().run()
    assert not test.exception
    assert asked[0].options == {"size": "8", "coupling": "stages"}
    assert parsed(test.code[0].value) == asked[0]


def test_options_that_the_board_has_come_along(desk):
    space = WORKSPACES.create()
    space.judge_by("flow", {"scale": "chw"})
    test = visited("recover", space)
    by(test, "ifap")
    assert parsed(test.code[0].value).options == space.options


def test_a_finished_run_shows_its_way_step_by_step(desk, tmp_path):
    space = WORKSPACES.create()
    space.remember("prune", run_folder(tmp_path, space.token, "one").id)
    test = visited("recover", space)
    assert not test.exception
    assert "50.0% of the MACs left" in words_of(test)
    assert "After step 2: 10 of 16 channels" in words_of(test)
    test.select_slider[0].set_value(0).run()
    assert "The base model: 16 of 16 channels" in words_of(test)
    assert "50.0% of the MACs left. Accuracy 95.0% on 270 test images, was 99.0%: 4.0 points lost." in said_well(test)
    button(test, "Take it").click().run()
    assert test.title[0].value == "Take"


def said_well(test: AppTest) -> str:
    return "".join(as_read(entry.value) for entry in test.success)


def test_a_run_at_chance_never_looks_like_success(desk, tmp_path):
    space = WORKSPACES.create()
    job = run_folder(tmp_path, space.token, "one", method="one-shot", ratios={"conv1": 0.5})
    job.result["pruned"] |= {"top1": 0.1, "top1_low": 0.07, "top1_high": 0.14}
    job.result["chance"] = 0.1
    job.save()
    space.remember("prune", job.id)
    for page in ("recover", "take"):
        test = visited(page, space)
        assert not test.exception
        assert not test.success
        assert "It guesses: 10.0% (7.0–14.0%) on test data is no better than always" in words_of(test)


def test_the_settings_of_another_run_are_taken_over_once(desk, tmp_path):
    space = with_a_plan()
    run_folder(
        tmp_path, space.token, "one", keep={"params": 0.3}, recover="finetune", epochs=4, seed=7, steps=5,
        max_drop=0.03, teacher="previous", alpha=2.0, normalise="max",
    )  # fmt: skip
    test = visited("recover", space)
    test.session_state["branch"] = "one"
    test.run()
    assert not test.exception
    assert "Settings of one." in words_of(test)
    spec = parsed(test.code[0].value)
    assert (spec.method, spec.recover, spec.epochs, spec.seed, spec.steps) == ("ifap", "finetune", 4, 7, 5)
    assert (spec.keep, spec.normalise) == ({"params": 0.3}, "max")
    assert spec.settings == {"max_drop": "0.03", "growth": "2.0"}
    assert test.radio(key="preset of ifap").value == "ours"
    test.number_input(key="steps of ifap").set_value(3).run()
    assert parsed(test.code[0].value).steps == 3


def test_the_settings_of_a_run_that_cut_by_the_board_leave_the_board_as_it_is(desk, tmp_path):
    space = with_a_plan()
    run_folder(tmp_path, space.token, "one", method="one-shot", recover="distill", epochs=2, ratios={"conv1": 0.25})
    test = visited("recover", space)
    test.session_state["branch"] = "one"
    test.run()
    spec = parsed(test.code[0].value)
    assert (spec.method, spec.recover, spec.epochs, spec.ratios) == ("one-shot", "distill", 2, {"conv1": 0.5})


def test_a_run_that_is_gone_leaves_no_settings(desk):
    test = visited("recover", with_a_plan())
    test.session_state["branch"] = "nowhere"
    test.run()
    assert not test.exception
    assert "can't be taken over: it is not there any more" in words_of(test)


def test_an_older_run_is_taken_while_another_one_goes(desk, tmp_path, monkeypatch):
    monkeypatch.setattr(Desk, "_advance", lambda desk, lane: None)
    space = WORKSPACES.create()
    for number, id in enumerate(("old", "newer")):
        job = run_folder(tmp_path, space.token, id)
        job.created = 1e9 + 1e6 * number
        job.save()
    run_folder(tmp_path, space.token, "elsewhere", model="demo:vgg-digits")
    run_folder(tmp_path, "somebody-else", "theirs")
    run_folder(tmp_path, space.token, "going", state="queued", created=2e9)
    space.remember("prune", "going")
    test = visited("take", space)
    assert not test.exception
    offered = test.selectbox[0]
    assert [line.count("50.0% of the MACs") for line in offered.options] == [1, 1]
    assert offered.value == "newer"
    test.session_state["take"] = "old"
    test.run()
    assert test.selectbox[0].value == "old"
    assert f"run:{tmp_path / 'old' / 'bundle'}" in test.code[-1].value
    next(entry for entry in test.radio if entry.label == "Runs of").set_value("Other models").run()
    assert test.selectbox[0].value == "elsewhere"


def test_another_run_can_be_asked_for_while_one_goes(desk, tmp_path, monkeypatch):
    monkeypatch.setattr(Desk, "_advance", lambda desk, lane: None)
    space = with_a_plan()
    run_folder(tmp_path, space.token, "going", state="queued")
    space.remember("prune", "going")
    test = visited("recover", space)
    button(test, "Prune").click().run()
    assert not test.exception
    assert len(desk.jobs(space.token)) == 2
    assert [entry.label for entry in test.button].count("Cancel") == 2


def test_a_cancelled_run_that_kept_steps_can_go_on(desk, tmp_path, monkeypatch):
    space = WORKSPACES.create()
    space.remember("prune", run_folder(tmp_path, space.token, "one", state="cancelled").id)
    monkeypatch.setattr(Job, "finished_steps", property(lambda job: ["step-01"]))
    resumed = []
    monkeypatch.setattr(desk, "resume", resumed.append)
    test = visited("recover", space)
    assert "1 finished step is kept" in test.warning[0].value
    button(test, "Resume").click().run()
    assert resumed == ["one"]


def test_the_queue_of_the_server_is_visible(desk, monkeypatch):
    space = WORKSPACES.create()
    places = [Place("cpu", 0, "theirs", 0.5, False, ""), Place("cpu", 1, "theirs", 0.0, False, "")]
    monkeypatch.setattr(desk, "queue", lambda owner: places)
    test = visited("recover", space)
    by(test, "ifap")
    assert "1 running, 1 waiting" in words_of(test)


def test_a_workspace_that_is_gone_is_replaced_by_a_new_one():
    test = AppTest.from_file(str(ROOT / "app.py"), default_timeout=60)
    test.query_params["w"] = "x" * 32
    test.run()
    assert not test.exception
    assert workspace(test).token != "x" * 32
    assert test.query_params["w"] == workspace(test).token


def test_a_workspace_comes_back_by_its_runs_when_the_server_is_new(tmp_path, monkeypatch):
    token, folder = "a-token-of-an-earlier-server", tmp_path / "20260101-000000-abc"
    folder.mkdir()
    request = {"kind": "prune", "spec": Spec("demo:vgg-digits", "digits", keep={"macs": 0.5}).to_json()}
    job = Job("abc", token, "Prune", request, "cpu", str(folder), state="cancelled", finished=1.0)
    job.save()
    desk = Desk(tmp_path)
    monkeypatch.setattr(session, "DESK", desk)
    test = AppTest.from_file(str(ROOT / "app.py"), default_timeout=60)
    test.query_params["w"] = token
    test.run()
    found = workspace(test)
    assert (found.token, found.model, found.jobs) == (token, "demo:vgg-digits", {"prune": "abc"})  # kept without a key
    stranger = AppTest.from_file(str(ROOT / "app.py"), default_timeout=60)
    stranger.query_params["w"] = "another-token-that-nobody-has"
    assert workspace(stranger.run()).jobs == {}
    desk.close()


def test_a_baseline_is_not_taken_for_the_run_when_the_server_is_new(tmp_path, monkeypatch):
    def refused(*unused):
        raise OSError("no workers here")

    monkeypatch.setattr("explorer.runs.queue.desk.connect", refused)
    monkeypatch.setattr("explorer.ui.state.workspace.JOBS", 3)
    space, spec = Workspace("a-token-with-a-baseline"), Spec("demo:vgg-digits", "digits", keep={"macs": 0.5})
    with desk_of(tmp_path, monkeypatch):
        for key in ("prune", "sensitivity", "latency", "prune", "baseline random abc", "score"):
            jobs.start(space, key, spec, key)
    assert list(space.jobs) == ["prune", "baseline random abc", "score"]
    with desk_of(tmp_path, monkeypatch):
        test = AppTest.from_file(str(ROOT / "app.py"), default_timeout=60)
        test.query_params["w"] = space.token
        assert workspace(test.run()).jobs == space.jobs
