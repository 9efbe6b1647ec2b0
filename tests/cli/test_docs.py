"""The documentation's tables are those of the registries."""

import pytest

from explorer.cli import main
from explorer.cli.registries import registries
from explorer.cli.verbs import docs

PAGE = "Before.\n\n<!-- table: commands -->\nOUTDATED\n<!-- end -->\n\nAfter, | with a bar |.\n"


@pytest.fixture
def page(tmp_path, monkeypatch):
    monkeypatch.setattr(docs, "ROOT", tmp_path)
    path = tmp_path / "docs" / "reference.md"
    path.parent.mkdir()
    path.write_text(PAGE, encoding="utf-8")
    return path


def test_the_tables_are_up_to_date(capsys):
    assert main(["docs", "--check"]) == 0, capsys.readouterr().out


def test_every_registry_has_its_table():
    text = (docs.ROOT / "docs" / "reference.md").read_text(encoding="utf-8")
    assert [name for name in registries() if f"<!-- table: {name} -->" not in text] == []


def test_only_what_is_marked_is_written(page, capsys):
    assert main(["docs", "--check"]) == 1
    assert page.read_text(encoding="utf-8") == PAGE
    assert main(["docs"]) == 0
    written = page.read_text(encoding="utf-8")
    assert (written[:8], written[-24:]) == (PAGE[:8], PAGE[-24:])
    assert "| `bench coverage` |" in written
    assert "OUTDATED" not in written
    assert main(["docs", "--check"]) == 0
    assert "up to date" in capsys.readouterr().out


def test_what_is_not_registered_has_no_table(page, capsys):
    page.write_text(PAGE.replace("commands", "comands"), encoding="utf-8")
    assert main(["docs"]) == 2
    assert "did you mean commands" in capsys.readouterr().err


def test_an_installed_package_has_no_documentation(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(docs, "ROOT", tmp_path)
    assert main(["docs"]) == 2
    assert "checkout" in capsys.readouterr().err
