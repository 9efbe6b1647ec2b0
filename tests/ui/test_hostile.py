"""Hostile names in every place that the pages show, without a browser; `tests/browser/test_hostile.py` has one."""

import re
from collections.abc import Iterator, Sequence
from itertools import cycle

import pytest
from markdown_it import MarkdownIt
from streamlit.testing.v1 import AppTest

from explorer.plain import visible
from explorer.ui.navigation import PAGES, path_to
from explorer.ui.state.share import PARAMETER, Shared, link_text
from explorer.ui.state.workspace import MODEL, WORKSPACES, Choice
from tests.hostile import HOST, MEANT, TEXTS, hostile_run, read
from tests.markdown import as_read
from tests.ui.pages import ROOT, desk_of

MARKDOWN = MarkdownIt("commonmark")
LINKS = {"link_open", "image", "html_inline", "html_block"}
ADDRESS = re.compile(rf"https?://\S*|www\.{HOST}|@{HOST}|:(material/\w+|streamlit|smile):")


def texts_of(block) -> Iterator[str]:
    """All that a page's elements say and that Streamlit reads as Markdown."""
    for child in block.children.values():
        if hasattr(child, "children"):
            yield from texts_of(child)
        if child.type == "table":
            yield from (str(cell) for cell in (*child.value.index, *child.value.columns, *child.value.to_numpy().flat))
        for name in ("body", "label", "help", "caption", "captions", "text", "delta"):
            found = getattr(child.proto, name, None)
            yield from [found] if isinstance(found, str) else found if isinstance(found, Sequence) else ()


def assert_harmless(test: AppTest) -> str:
    """That nothing on the page is a link, an image, a tag or an icon of somebody else; gives all of it as it reads."""
    assert not test.exception
    said = list(texts_of(test.main))
    for text in said:
        tokens = [child for token in MARKDOWN.parse(text) for child in (token, *(token.children or ()))]
        assert not LINKS & {token.type for token in tokens}, text
        found = ADDRESS.search("".join(token.content for token in tokens if token.type.startswith("text")))
        assert not found or found.group(1), text  # icons are ours
    return "\n".join(map(as_read, said))


def visited(space, page="look", **parameters) -> AppTest:
    test = AppTest.from_file(str(ROOT / "app.py"), default_timeout=60)
    test.query_params["w"] = space.token
    for name, value in parameters.items():
        test.query_params[name] = value
    test.run()
    return test if page == "look" else test.switch_page(path_to(page)).run()


OF_RUNS = ("weights", "runs", "take")


@pytest.mark.parametrize(
    "page", [*OF_RUNS, *(pytest.param(page, marks=pytest.mark.slow) for page in PAGES if page not in OF_RUNS)]
)
def test_runs_full_of_hostile_texts_are_shown_as_they_are(page, tmp_path, monkeypatch):
    space = WORKSPACES.create()
    hostile_run(tmp_path, space.token, 1, state="failed")
    hostile_run(tmp_path, space.token, 2, kept=MEANT - {"model", "data"})
    hostile_run(tmp_path, space.token, 3)
    with desk_of(tmp_path, monkeypatch):
        said = ""
        for number in (3, 1) if page == "recover" else (3,):
            space.remember("prune", f"{number:012x}")
            said += assert_harmless(visited(space, page))
    assert read(visible(TEXTS[0])) in said or page not in ("recover", "take")  # shown, not lost


def test_a_link_that_is_wrong_says_so_once_and_nothing_of_it_is_obeyed():
    space = WORKSPACES.create()
    test = visited(space)
    places = cycle(
        [
            lambda text: Shared(text),
            lambda text: Shared(f"torchvision:{text}"),
            lambda text: Shared(f"file:/nowhere/{text}#{text}"),
            lambda text: Shared(f"run:/nowhere/{text}"),
            lambda text: Shared(MODEL, text),
            lambda text: Shared(MODEL, f"folder:/nowhere/{text}"),
            lambda text: Shared(MODEL, f"digits?{text}={text}"),
            lambda text: Shared(MODEL, "digits", choice=Choice({text: 0.5}, frozenset([text]))),
            lambda text: Shared(MODEL, "digits", "l2", {text: text}),
            lambda text: Shared(MODEL, "digits", text),
        ]
    )
    for text in TEXTS:
        test.query_params[PARAMETER] = link_text(next(places)(text))
        said = assert_harmless(test.run())
        assert "The shared state can't be opened" in said
        assert PARAMETER not in test.query_params
