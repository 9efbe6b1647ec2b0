"""The pages without a browser: each runs clean, and they act on one workspace."""

import re
from pathlib import Path

import pytest
from streamlit.testing.v1 import AppTest

from explorer.ui.workspace import WORKSPACES

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


def test_addresses_differ_from_file_names():
    found = re.findall(r'st\.Page\("pages/(\w+)\.py".*?url_path="([^"]+)"', (ROOT / "app.py").read_text())
    entries = dict(found)
    assert set(entries) == {path.stem for path in (ROOT / "pages").glob("*.py")}
    assert all(stem != url for stem, url in entries.items())
    assert not set(entries) & set(entries.values())
