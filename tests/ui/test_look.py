"""Look shows answers and their evidence; the chooser finds, and opens over any page what is chosen."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from streamlit.testing.v1 import AppTest

from explorer.sources import load_pair
from explorer.tasks import answered_classes
from explorer.ui.parts import chooser
from explorer.ui.state.workspace import MODEL, WORKSPACES
from tests.ui.pages import button, choose, desk_of, visited, words_of


@pytest.fixture(autouse=True)
def desk(tmp_path, monkeypatch):
    with desk_of(tmp_path / "runs", monkeypatch) as desk:
        yield desk


def opened(model: str = MODEL, data: str = "digits", page: str = "look") -> AppTest:
    space = WORKSPACES.create("")
    space.choose(model, data)
    test = visited(page, space)
    assert not test.exception
    return test


def dialog(test: AppTest, typed: str = "", kind: str = "Models") -> dict[str, bool]:
    """What the chooser offers, by ref, and whether it can be chosen."""
    test.session_state[chooser.SEARCH] = typed
    test.session_state[chooser.KINDS] = kind
    test.button(key="chip").click().run()
    assert not test.exception
    return {entry.key.rpartition(" ")[2]: not entry.disabled for entry in test.button if "choose" in (entry.key or "")}


def test_samples_are_answered_and_one_of_them_is_looked_into():
    test = opened()
    said = words_of(test)
    assert "It answers all of these 10 test images right" in said
    assert "rests most on" in said
    (sample,) = [entry for entry in test.selectbox if entry.label == "Look at"]
    assert len(sample.options) == 10
    sample.set_value(7).run()
    assert not test.exception
    assert "**7** rests most on" in "\n".join(entry.value for entry in test.markdown)


def test_a_wrong_answer_says_so_in_words_and_is_looked_at_first():
    test = opened("demo:vit-shapes", "shapes")
    assert "of these 10 test images right" in words_of(test)
    marked = [entry.value for entry in test.markdown if entry.value.endswith("]]") and "wrong" in entry.value]
    assert marked
    assert marked[0].startswith(":small[:red[")
    assert " → " in marked[0]
    (sample,) = [entry for entry in test.selectbox if entry.label == "Look at"]
    assert "wrong" in sample.options[sample.value]


def test_data_without_meaning_has_no_answers_and_says_why():
    test = opened(data="random")
    assert "No answers are shown: this data has no meaningful labels" in words_of(test)
    assert not [entry for entry in test.selectbox if entry.label == "Look at"]


def drawing(found, task):
    from explorer.ui.parts import answers

    answers.show(task, found)


def test_the_answers_of_a_plan_are_told_beside_those_before():
    """As a page calls it that has the classes already."""
    task = load_pair(MODEL, "digits")[1]
    truth = [int(task.validation[place][1]) for place in range(3)]
    found = answered_classes(task, range(3), [truth[0], (truth[1] + 1) % 10, truth[2]], before=truth)
    test = AppTest.from_function(drawing, args=(found, task)).run()
    assert not test.exception
    said = words_of(test)
    assert "It answers 2 of these 3 test images right" in said
    assert f"{truth[1]} → {(truth[1] + 1) % 10}, wrong" in said
    assert f"{truth[1]} before the cut" in said


def test_answers_that_are_near_or_far_are_not_called_wrong():
    task = load_pair("torchvision:lraspp_mobilenet_v3_large", "masks?n=200")[1]
    shown = np.zeros((8, 8, 3), np.uint8)
    (pattern,) = answered_classes(load_pair(MODEL, "digits")[1], [0], [0])
    each = replace(pattern, shown=shown, label="ground", answer="disc", choice=None, right=None, note="40% of pixels")
    test = AppTest.from_function(drawing, args=([each], task)).run()
    assert not test.exception
    assert "disc (40% of pixels)" in words_of(test)
    assert "wrong" not in words_of(test)


@pytest.mark.parametrize("page", ["look", "cut", "runs"])
def test_the_chooser_opens_over_any_page_and_takes_one_to_what_is_chosen(page):
    test = opened(page=page)
    data = dialog(test, kind="Data that fits")
    assert {"digits", "letters", "shapes", "hard-shapes"} <= data.keys()
    assert "masks" not in data
    offered = dialog(test)
    assert {"demo:vgg-digits", "demo:resnet20-letters", "demo:vit-shapes"} <= offered.keys()
    assert not offered[MODEL]
    title = test.title[0].value
    next(entry for entry in test.button if "choose" in (entry.key or "") and "demo:vit-shapes" in entry.key).click()
    test.run()
    assert not test.exception
    space = WORKSPACES.get(test.session_state["workspace"])
    assert (space.model, space.data) == ("demo:vit-shapes", "shapes")
    assert test.title[0].value == title
    assert MODEL in dialog(test)  # open before


def test_the_search_offers_the_right_ref_first_and_says_what_can_not_be_opened(tmp_path):
    test = opened()
    assert next(iter(dialog(test, "resnet50"))) == "torchvision:resnet50"
    (tmp_path / "flowers").mkdir()
    assert dialog(test, f"{tmp_path}/flowers") == {f"folder:{tmp_path}/flowers": True}
    assert dialog(test, "/nowhere/at/all") == {"folder:/nowhere/at/all": False}
    assert "there is no '/nowhere/at/all' on this server" in words_of(test)
    dialog(test, "zzzzqqq")
    assert "Nothing is called zzzzqqq" in words_of(test)


def test_weights_ask_for_their_network(tmp_path):
    from safetensors.torch import load_file

    from explorer.places import ASSETS

    torch.save(load_file(ASSETS / "vgg-digits.safetensors"), tmp_path / "best.pth")
    test = opened()
    assert dialog(test, f"{tmp_path}/best.pth") == {}
    next(entry for entry in test.text_input if entry.label == "Network").set_value("vgg digits")
    button(test, "Open").click().run()
    assert not test.exception
    space = WORKSPACES.get(test.session_state["workspace"])
    assert space.model == f"file:{tmp_path}/best.pth#demo:vgg-digits"


def test_what_is_refused_is_said_on_the_page_where_it_was_chosen(tmp_path):
    test = choose(opened(page="cut"), "demo:resnet21-digits")
    assert "stays open" in test.error[0].value
    assert test.title[0].value == "Cut"
