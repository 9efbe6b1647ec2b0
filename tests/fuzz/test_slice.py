"""A slice of the bad command lines of ``python -m tests.fuzz``: each ends in one line, and leaves nothing behind."""

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]


@pytest.mark.slow
def test_bad_command_lines_end_well():
    """In a process of its own, which has no threads yet and can be forked."""
    command = [sys.executable, "-m", "tests.fuzz", "--lines", "154", "--seed", "14"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout[-5000:] + done.stderr[-2000:]
    assert "154 lines" in done.stdout
