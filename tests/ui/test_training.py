"""A network that does not fit its data is said to guess, and can be trained where it is opened."""

import pytest
from streamlit.testing.v1 import AppTest

from explorer.methods.spec import Spec
from explorer.runs.queue.job import Job
from explorer.sources import load_task
from explorer.tasks import METRICS, Headline, by_chance
from explorer.ui.state.workspace import MODEL, WORKSPACES
from tests.sources.folders import Made
from tests.ui.pages import ROOT, button, choose, desk_of, visited, words_of

UNTRAINED = "torchvision:squeezenet1_1?num_classes=2"


@pytest.fixture(autouse=True)
def desk(tmp_path, monkeypatch):
    with desk_of(tmp_path / "runs", monkeypatch) as desk:
        yield desk


@pytest.fixture
def submitted(desk, monkeypatch):
    """What is asked of the desk, which does nothing of it."""
    asked = []
    monkeypatch.setattr(desk, "submit", lambda spec, **named: asked.append((spec, named["key"])) or "later")
    return asked


def refused(ref: str) -> AppTest:
    """The Look page after data was chosen that the bundled network does not fit."""
    test = AppTest.from_file(str(ROOT / "app.py"), default_timeout=60)
    return choose(test, MODEL, ref)


def test_data_of_other_classes_is_offered_for_training(tmp_path, submitted):
    Made(tmp_path).classes(".", names="cat dog bird")
    test = refused(f"folder:{tmp_path}")
    assert "has 3 classes, and the network was made for 10. Training gives it a new last layer" in words_of(test)
    (epochs,) = [entry for entry in test.number_input if entry.label == "Epochs"]
    assert epochs.value == 8
    epochs.set_value(3)
    test.checkbox(key="only the last layer").check().run()
    button(test, "Train it on this data").click().run()
    assert not test.exception
    wanted = Spec(MODEL, f"folder:{tmp_path}", "train", recover="finetune", epochs=3, settings={"freeze": "body"})
    assert submitted == [(wanted, "train")]


def test_the_offer_goes_with_another_choice(tmp_path):
    Made(tmp_path).classes(".", names="cat dog bird")
    test = refused(f"folder:{tmp_path}")
    choose(test, MODEL, "random")
    assert "new last layer" not in words_of(test)


@pytest.mark.slow
def test_an_untrained_network_is_said_to_guess_and_trained_longer(tmp_path, submitted):
    Made(tmp_path).classes(".")
    space = WORKSPACES.create("")
    space.choose(UNTRAINED, f"folder:{tmp_path}")
    test = visited("look", space)
    assert "Its weights are random" in words_of(test)
    assert not [entry for entry in test.checkbox if entry.key == "only the last layer"]
    button(test, "Train it on this data").click().run()
    assert submitted == [
        (Spec(UNTRAINED, f"folder:{tmp_path}", "train", recover="finetune", epochs=30), "train"),
    ]
    for page in ("cut", "runs", "take", "scoreboard"):
        assert "untrained: it guesses" in words_of(visited(page, space))


def test_a_trained_network_that_knows_its_data_is_left_in_peace():
    space = WORKSPACES.create("")
    test = visited("look", space)
    assert "Train it on this data" not in [entry.label for entry in test.button]
    said = words_of(visited("look", space))
    assert "guesses" not in said
    assert "chance" not in said


def test_what_came_of_a_training_is_said_where_it_was_started(desk, tmp_path):
    space = WORKSPACES.create("")
    spec = Spec(MODEL, "folder:/gone", "train", recover="finetune")
    folder = desk.root / ("1" * 12)
    folder.mkdir(parents=True)
    measured = {"metric": "top1", "samples": 81, "params": 1, "macs": 1, "latency_ms": 1.0, "size_bytes": 4}
    base, after = (measured | {"top1": v, "top1_low": v - 0.1, "top1_high": v} for v in (0.3, 0.99))
    job = Job(folder.name, space.token, "Train", {"kind": "prune", "spec": spec.to_json()}, "cpu", str(folder))
    job.state, job.key = "done", "train"
    job.result = {
        "spec": spec.to_json(), "base": base, "pruned": after, "groups": [], "seconds": 1.0,
        "achieved": {"params": 1.0, "macs": 1.0}, "warnings": ["a warning"],
    }  # fmt: skip
    job.save()
    space.remember("train", folder.name)
    test = visited("look", space)
    assert not test.exception
    assert "**Trained**: 99.0% (89.0–99.0%) on test data, before it was 30.0%" in words_of(test)
    assert "A warning" in words_of(test)
    button(test, "Go on with the trained network").click().run()
    assert (space.model, space.data) == (f"run:{folder / 'bundle'}", "folder:/gone")


@pytest.mark.parametrize(("above", "guesses"), [(-0.01, True), (0.01, False)])
def test_chance_is_the_largest_class_of_the_test_part(above, guesses):
    task = load_task("digits")
    share = max((task.test.tensors[1] == label).float().mean().item() for label in range(10))
    found = Headline(METRICS["top1"], share, share + above, 1.0, 269)
    assert (by_chance(found, task) is not None) == guesses
