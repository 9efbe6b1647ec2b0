"""Pages without a browser: a desk of the test's own, a visit, and what stands there."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from streamlit.testing.v1 import AppTest

from explorer.runs.queue.desk import Desk
from explorer.ui.navigation import path_to
from explorer.ui.parts import compared, jobs, lesson_bench, mission_facts, mission_play, opening
from explorer.ui.parts import stages as told
from explorer.ui.state import session
from explorer.ui.state.workspace import Workspace
from tests.markdown import as_read

ROOT = Path(__file__).resolve().parents[2]


@contextmanager
def desk_of(folder: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Desk]:
    """The desk of the pages, with the runs of a folder."""
    fresh = Desk(folder)
    for module in (jobs, session, compared, told, lesson_bench, mission_play, mission_facts):
        monkeypatch.setattr(module, "DESK", fresh)
    yield fresh
    fresh.close()


def visited(page: str, space: Workspace) -> AppTest:
    test = AppTest.from_file(str(ROOT / "app.py"), default_timeout=60)
    test.query_params["w"] = space.token
    return test.run().switch_page(path_to(page)).run()


def choose(test: AppTest, model: str, data: str = "") -> AppTest:
    """The page after the chooser was asked for a model and data."""
    test.session_state[opening.ASKED] = opening.Asked(model, data)
    return test.run()


def drawn(test: AppTest) -> dict[str, Any]:
    """What the board is given that stays while a hand drags."""
    documents = (json.loads(entry.proto.json) for entry in test.get("bidi_component"))
    return next(document for document in documents if "groups" in document)


def stages(test: AppTest) -> dict[str, str]:
    """The values in the strip by stage, as it said last; those that are not known are empty."""
    documents = [json.loads(entry.proto.json) for entry in test.get("bidi_component")]
    (said,) = [document for document in documents if "stages" in document]
    return {stage["name"]: stage["value"] for stage in said["stages"]}


def button(test: AppTest, label: str):
    return next(entry for entry in test.button if entry.label == label)


def words_of(test: AppTest) -> str:
    kinds = (test.markdown, test.caption, test.info, test.warning)
    return "\n".join(as_read(entry.value) for kind in kinds for entry in kind)
