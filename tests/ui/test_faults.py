"""What nobody foresaw is one calm sentence on the page, with the trace in a file and a way on."""

import re
from pathlib import Path

import pytest

from explorer.errors import ExplorerError
from explorer.ui import faults
from tests.browser.app import mishaps, running
from tests.tabs import Tab, in_own_loop, tab

SCRIPT = """
import streamlit as st

from explorer.errors import ExplorerError


def fail():
    raise KeyError("<img src=x>")


@st.fragment
def part():
    if st.button("part"):
        fail()


st.button("callback", on_click=fail)
st.button("several", on_click=lambda: st.session_state.update(several=True))
part()
if st.query_params.get("page") == "broken":
    fail()
if st.query_params.get("page") == "refused":
    raise ExplorerError("there is no such thing: name another one")
if st.session_state.pop("several", False):
    for number in range(2):
        st.fragment(fail)()
st.text("whole")
"""


def texts(shown):
    return [element.text.body for element in shown.elements if element.WhichOneof("type") == "text"]


def kinds(shown):
    return {element.WhichOneof("type") for element in shown.elements}


@pytest.fixture(scope="module")
def met(tmp_path_factory):
    """What a browser was shown, by what it asked for; and the same when it went on."""
    folder = tmp_path_factory.mktemp("faults")
    (folder / "script.py").write_text(SCRIPT)

    async def ask(url):
        async with tab(url) as socket:
            page = Tab(socket, "")
            shown = {}
            for label in ("callback", "part", "several"):
                whole = await page.open()
                broken = await page.press(whole.button(label))
                shown[label] = broken, await page.press(broken.button("Show the page again"))
            for reason in ("broken", "refused"):
                shown[reason] = await page.open(page=reason), await page.open()
            return shown

    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("EXPLORER_CACHE", str(folder / "cache"))
        with running(folder, str(folder / "script.py"), sound=False) as app:
            shown = in_own_loop(ask(app.url))
            assert len(mishaps(app.process.pid)) == len(list((folder / "cache" / "mishaps").iterdir())) > 0
            assert mishaps(0) == {}  # of another server
            yield shown, folder / "cache" / "mishaps"


@pytest.mark.slow
@pytest.mark.parametrize("reason", ["callback", "part", "several", "broken"])
def test_an_unforeseen_error_is_a_calm_sentence_that_names_its_trace(met, reason):
    broken, after = met[0][reason]
    assert "exception" not in kinds(broken)
    sentence = broken.errors[0]
    assert "KeyError" in sentence
    assert "<img" not in sentence
    assert "Your workspace and your runs are kept" in sentence
    trace = Path(re.search(r"its trace is in (\S+)", sentence)[1])
    assert trace.parent == met[1]
    assert "in fail" in trace.read_text()
    assert (texts(after), after.errors) == (["whole"], [])


@pytest.mark.slow
def test_what_was_foreseen_is_told_as_it_is(met):
    broken, after = met[0]["refused"]
    assert broken.errors == ["There is no such thing: name another one."]
    assert texts(after) == ["whole"]


def test_one_fault_that_comes_again_and_again_leaves_one_trace(tmp_path, monkeypatch):
    monkeypatch.setenv("EXPLORER_CACHE", str(tmp_path))

    def fail(number):
        raise ValueError(number)

    told = set()
    for number in range(5):
        try:
            fail(number)
        except ValueError as error:
            told.add(faults.sentence(error))
    assert len(told) == len(list((tmp_path / "mishaps").iterdir())) == 1


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (ExplorerError("no such model: name another"), "No such model: name another."),
        (MemoryError(), "memory ran out"),
        (ModuleNotFoundError("No module named 'PIL'", name="PIL"), "pip install"),
    ],
)
def test_what_a_person_can_do_something_about_is_said(error, words):
    assert words in faults.sentence(error)
