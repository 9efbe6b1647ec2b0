"""A state survives its way through a link or a file, and damaged ones cost nothing but a sentence."""

import base64
import json
import zlib

import pytest

from explorer.errors import ExplorerError
from explorer.pruning import Plan
from explorer.ui import engine
from explorer.ui.state.share import LARGEST, Shared, link_text, plan_file, read_file, read_link
from explorer.ui.state.workspace import MODEL, Choice

STATE = Shared(
    MODEL, "digits", "flow", {"scale": "none"}, Choice({"conv1": 0.25, "layer2.0.conv1": 0.5}, frozenset({"conv1"}))
)


def packed(document: object) -> str:
    return base64.urlsafe_b64encode(zlib.compress(json.dumps(document).encode())).decode().rstrip("=")


def test_links_and_files_read_back():
    assert read_link(link_text(STATE)) == STATE
    plan = Plan(MODEL, {"conv1": (0, 1, 2, 3)})
    text = plan_file(STATE, plan)
    assert read_file(text.encode()) == STATE
    assert json.loads(text)["remove"] == {"conv1": [0, 1, 2, 3]}


def test_a_runs_plan_becomes_its_fractions():
    structure = engine.opened(MODEL).structure
    content = json.dumps(Plan(MODEL, {"conv1": (0, 5, 7, 11)}).to_json()).encode()
    assert read_file(content).fitted(structure) == Choice({"conv1": 4 / 16})


@pytest.mark.parametrize(
    "shared", [Shared("m", choice=Choice({"nowhere": 0.5})), Shared("m", remove={"conv1": tuple(range(99))})]
)
def test_a_state_of_another_model_is_refused(shared):
    with pytest.raises(ExplorerError, match=r"nowhere|which has units"):
        shared.fitted(engine.opened(MODEL).structure)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "not base64 at all!",
        "AAAA",
        base64.urlsafe_b64encode(b"{}").decode(),
        packed([1, 2]),
        packed({"base": 3, "budget": {}}),
        packed({"base": MODEL}),
        packed({"base": MODEL, "budget": {"conv1": 1.0}}),
        packed({"base": MODEL, "budget": {"conv1": "half"}}),
        packed({"base": MODEL, "budget": {"conv1": float("nan")}}),
        packed({"base": MODEL, "budget": {}, "criterion": "tailor"}),
        packed({"base": MODEL, "budget": {}, "criterion": "flow", "options": {"no": "such"}}),
        packed({"base": MODEL, "budget": {}, "locked": {"a": 1}}),
        packed({"base": MODEL, "remove": {"conv1": ["0"]}}),
        packed("x" * (LARGEST + 1)),
    ],
)
def test_damaged_links(text):
    with pytest.raises(ExplorerError) as caught:
        read_link(text)
    assert "\n" not in str(caught.value)


def test_files_that_are_no_plan():
    for content in (b"", b"\xff\xfe", b"[" * 100_000, b" " * (LARGEST + 1)):
        with pytest.raises(ExplorerError):
            read_file(content)


def test_a_plan_that_takes_out_blocks_keeps_them():
    structure = engine.opened("demo:resnet20-digits").structure
    plan = Plan("demo:resnet20-digits", {"layer1.0.conv1": (0, 1)}, ("layer2.1",))
    shared = read_file(json.dumps(plan.to_json()).encode())
    choice = shared.fitted(structure)
    assert (choice.budget, choice.blocks) == ({"layer1.0.conv1": 2 / 16}, {"layer2.1"})
    again = read_link(link_text(Shared("demo:resnet20-digits", choice=choice)))
    assert again.fitted(structure) == choice
    with pytest.raises(ExplorerError, match="layer9"):
        Shared("x", choice=Choice(blocks=frozenset({"layer9"}))).fitted(structure)
    with pytest.raises(ExplorerError, match="layer9"):
        read_file(json.dumps(Plan("x", {}, ("layer9",)).to_json()).encode()).fitted(structure)
