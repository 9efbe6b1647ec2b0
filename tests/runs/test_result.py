"""A result and the report that keeps it are one."""

from pathlib import Path

from explorer.runs.result import RunResult

MEASURED = {"metric": "top1", "top1": 0.9, "params": 10, "macs": 20}


def test_a_report_is_read_as_the_result_that_was_written():
    result = RunResult(MEASURED, MEASURED, MEASURED, seconds=2.0, warnings=["mind"], bundle={"id": "a", "out": "/x/y"})
    report = result.to_json()
    assert list(report)[:3] == ["base", "as_cut", "pruned"]
    assert list(report)[-2:] == ["id", "out"]
    assert report["warnings"] == ["mind"]
    assert RunResult.from_json(report).to_json() == report
    assert RunResult.from_json(report).out == Path("/x/y")


def test_without_a_bundle_nothing_lies_anywhere():
    assert RunResult(MEASURED, MEASURED, MEASURED).out is None
