"""What a run leaves, for comparing runs bit for bit."""

import json


def left_by(out):
    """Weights, plan and steps of a run, without what a clock or a place has to do with."""
    result = json.loads((out / "report.json").read_text())
    steps = [{key: step[key] for key in step if key not in ("seconds", "folder")} for step in result["steps"]]
    assert len(steps) == 3
    weights, plan = ((out / name).read_bytes() for name in ("weights.safetensors", "plan.json"))
    measured = [{key: result[name][key] for key in ("top1", "params", "macs")} for name in ("base", "as_cut", "pruned")]
    return weights, plan, steps, result["groups"], measured


def finished(folder):
    """The finished steps in a folder, with when they were written."""
    return {path.name: path.stat().st_mtime_ns for path in folder.glob("*.safetensors")}
