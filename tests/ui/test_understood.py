"""The Look page shows what data is understood to be, also where it can't be used as it is."""

from pathlib import Path

import pytest
from streamlit.testing.v1 import AppTest

from explorer.ui.state.workspace import MODEL, WORKSPACES
from tests.sources.folders import Made
from tests.ui.pages import ROOT, button, choose, desk_of, words_of


@pytest.fixture(autouse=True)
def desk(tmp_path, monkeypatch):
    with desk_of(tmp_path / "runs", monkeypatch) as desk:
        yield desk


def asked(ref: str) -> AppTest:
    """The Look page after an untrained network and this data were chosen."""
    space = WORKSPACES.create("")
    space.choose("torchvision:squeezenet1_1?num_classes=2", "random")
    test = AppTest.from_file(str(ROOT / "app.py"), default_timeout=60)
    test.query_params["w"] = space.token
    choose(test, space.model, ref)
    assert not test.exception
    return test


def data_of(test: AppTest) -> str:
    return WORKSPACES.get(test.session_state["workspace"]).data


def test_classes_parts_and_what_is_odd_are_shown(tmp_path):
    made = Made(tmp_path)
    made.pictures("cat", "cat", 40)
    made.pictures("dog", "dog", 3)
    test = asked(f"folder:{tmp_path}")
    assert data_of(test) == f"folder:{tmp_path}"
    said = words_of(test)
    assert "No images of dog in the test part" in said
    assert "Always answering cat gets 100.0% of the test part" in said
    (counts,) = [frame.value for frame in test.dataframe if "calibration" in frame.value.columns]
    assert counts[["train", "test"]].to_numpy().tolist() == [[24, 6], [2, 0]]


def test_one_goes_on_without_bad_files(tmp_path):
    Made(tmp_path).classes(".")
    Path(tmp_path / "cat" / "torn.png").write_bytes(b"\x89PNG")
    test = asked(f"folder:{tmp_path}")
    assert "cat/torn.png" in test.error[0].value
    assert data_of(test) == "random"
    button(test, "Go on without them").click().run()
    assert not test.error
    assert data_of(test) == f"folder:{tmp_path}?skip=bad"


def test_data_for_another_network_is_shown_though_it_is_refused(tmp_path):
    Made(tmp_path).classes(".", names="cat dog bird")
    test = AppTest.from_file(str(ROOT / "app.py"), default_timeout=60)
    choose(test, MODEL, f"folder:{tmp_path}")
    assert "3 classes but the model gives 10" in test.error[0].value
    assert "36 images of 3 classes" in "".join(expander.label for expander in test.expander)
    assert data_of(test) == "digits"
