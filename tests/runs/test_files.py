"""Atomic files, strict JSON, and a standard output kept clean."""

import json
import os
import subprocess
import sys

import pytest

from explorer.files import write_json, write_text
from explorer.strict_json import dumps


def test_write_leaves_the_old_file_when_it_fails(tmp_path):
    path = tmp_path / "a.json"
    write_json(path, {"a": 1})
    with pytest.raises(UnicodeEncodeError):
        write_text(path, "\ud800")
    assert json.loads(path.read_text()) == {"a": 1}
    assert os.listdir(tmp_path) == ["a.json"]


def test_json_has_no_nan():
    assert json.loads(dumps({"a": [float("nan"), 1.0], "b": float("inf")})) == {"a": [None, 1.0], "b": None}


def test_reserved_stdout_carries_only_answers():
    code = (
        "import os, subprocess\n"
        "from explorer.runs.output import reserved_stdout\n"
        "print('before')\n"
        "with reserved_stdout() as answers:\n"
        "    print('python noise'); os.write(1, b'C noise\\n'); subprocess.run(['echo', 'child noise'])\n"
        "    print('answer', file=answers)\n"
        "print('after')\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split("\n") == ["before", "answer", "after", ""]
    assert set(done.stderr.split("\n")) == {"python noise", "C noise", "child noise", ""}
