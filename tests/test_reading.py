"""Documents from disk come whole, within limits, or with one line that names the file."""

import os

import pytest

from explorer.errors import ExplorerError
from explorer.memory import in_words, limit, require
from explorer.reading import DEEPEST, DamagedError, parse_json, read_json, read_lines, read_object, read_text


@pytest.mark.parametrize(
    "content",
    [
        b"\xff\xfe",
        b"{",
        b"[" * 100_000,
        b"[" * (DEEPEST + 1) + b"]" * (DEEPEST + 1),
        b'{"n": NaN}',
        b'{"n": 1e999}',
        b'{"n": ' + b"9" * 5000 + b"}",
        b'{"n": 9223372036854775808}',
        b"\x00" * 50,
        b"",
    ],
)
def test_what_is_no_document(tmp_path, content):
    path = tmp_path / "report.json"
    path.write_bytes(content)
    with pytest.raises(DamagedError, match=r"report\.json") as caught:
        read_json(path)
    assert "\n" not in str(caught.value)


def test_limits_are_reached(tmp_path):
    path = tmp_path / "report.json"
    path.write_text("[" * DEEPEST + "]" * DEEPEST)
    assert read_json(path)
    path.write_text('{"n": [9223372036854775807, -0.5, 1e300]}', encoding="utf-8-sig")
    assert read_object(path) == {"n": [2**63 - 1, -0.5, 1e300]}
    assert parse_json('{"n": Infinity}', strict=False) == {"n": float("inf")}
    with pytest.raises(DamagedError, match="more than the 10 bytes"):
        read_text(path, 10)
    path.write_text("[1]")
    with pytest.raises(DamagedError, match="object"):
        read_object(path)


def test_what_is_no_file(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    for name in ("pipe", "."):
        with pytest.raises(DamagedError, match="no ordinary file"):
            read_text(tmp_path / name)
    with pytest.raises(FileNotFoundError):
        read_text(tmp_path / "absent")


def test_torn_lines_are_left_out(tmp_path):
    path = tmp_path / "events.jsonl"
    path.write_text('{"a": 1}\n{"a":\n\n' + "[" * 9999 + '\n{"a": 2}')
    assert list(read_lines(path)) == [{"a": 1}, {"a": 2}]


def test_memory_is_asked_for_before_it_is_taken(monkeypatch):
    monkeypatch.setenv("EXPLORER_MEMORY", "1.5 GB")
    assert limit() == 3 * 2**29
    require(3 * 2**29, "a file", "take a smaller one")
    with pytest.raises(ExplorerError, match=r"a file would take 2 GB of memory, more than the 1\.5 GB .*smaller one"):
        require(2**31, "a file", "take a smaller one")
    monkeypatch.setenv("EXPLORER_MEMORY", "plenty")
    with pytest.raises(ExplorerError, match="8G"):
        limit()
    monkeypatch.delenv("EXPLORER_MEMORY")
    assert limit() > 2**28
    assert [in_words(size) for size in (0, 999, 2**20, 105 * 2**30, 10**30)] == [
        *("0 bytes", "999 bytes", "1 MB", "105 GB", "over 1,000 TB")
    ]
