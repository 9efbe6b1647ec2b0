"""What nobody foresaw is one line too, and its trace is kept for whoever mends it."""

import os
import stat
import subprocess
import sys

import pytest

from explorer import cache
from explorer.cli import main


@pytest.fixture
def failed(monkeypatch, tmp_path):
    """Lets `python -m explorer models` end in an error."""
    monkeypatch.setenv("EXPLORER_CACHE", str(tmp_path / "cache"))

    def ends_in(error):
        def broken(*_):
            raise error

        monkeypatch.setattr("explorer.sources.list_models", broken)

    return ends_in


def test_a_fault_is_one_line_that_names_the_file_with_its_trace(failed, capsys):
    failed(ZeroDivisionError("a\nb"))
    assert main(["models", "--json"]) == 1
    told = capsys.readouterr()
    (line,) = told.err.splitlines()
    assert told.out == ""
    (path,) = (cache.folder() / "mishaps").iterdir()
    assert line.startswith("error: ")
    assert str(path) in line
    text = path.read_text()
    assert "ZeroDivisionError" in text
    assert "explorer models --json" in text
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    for _ in range(25):
        main(["models"])
    assert len(os.listdir(path.parent)) == 20


def test_a_trace_that_can_be_kept_nowhere(failed, monkeypatch, capsys, tmp_path):
    (tmp_path / "file").touch()
    monkeypatch.setenv("EXPLORER_CACHE", str(tmp_path / "file"))
    monkeypatch.setattr("tempfile.gettempdir", lambda: str(tmp_path / "file"))
    failed(RecursionError("deep"))
    assert main(["models"]) == 1
    assert "RecursionError: deep" in capsys.readouterr().err


def test_no_memory_is_no_fault(failed, capsys):
    failed(MemoryError())
    assert main(["models"]) == 2
    assert "memory" in capsys.readouterr().err


@pytest.mark.parametrize("package", ["lazy_loader", "torch"])
def test_a_required_package_is_missing(package, tmp_path):
    (tmp_path / f"{package}.py").write_text(f"raise ModuleNotFoundError('No module', name={package!r})")
    arguments = ["evaluate", "--model", "demo:resnet20-digits", "--data", "digits"]
    done = subprocess.run(
        [sys.executable, "-m", "explorer", *arguments],
        capture_output=True,
        text=True,
        env={**os.environ, "PYTHONPATH": str(tmp_path)},
    )
    assert done.returncode != 0, done.stdout
    (line,) = done.stderr.splitlines()
    assert f"package {package} is missing: install it" in line
