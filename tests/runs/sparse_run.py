"""A real small run that sets single weights to zero and gives some back, without an export and its checks."""

import json

import safetensors.torch

from explorer.evaluation import weights
from explorer.export.layout import PRUNED_AT, REPORT
from explorer.methods.spec import Spec
from explorer.progress import silent
from explorer.runs import execute
from explorer.strict_json import dumps
from tests.methods.test_ifap import Toy
from tests.methods.toys import learnt, stand_in

SPEC = Spec(
    "toy", "stripes", method="sparse", criterion="l1", recover="finetune", sparsity=0.8, steps=2, epochs=4,
    device="cpu", settings={"schedule": "regrow"},
)  # fmt: skip
MEASURED = {"metric": "top1", "top1": 0.5, "samples": 60, "size_bytes": 9000, "latency_ms": 1.25}


def sparse_run(out, monkeypatch, report=silent, tracker=None):
    """The report of the run `SPEC`, whose bundle lies in `out`."""
    task = stand_in(monkeypatch, learnt(Toy, epochs=2, rate=0.05), MEASURED).subject.task
    task.classes, task.mean = ("one", "two", "three"), None
    monkeypatch.setattr(execute, "write_bundle", _bundle)
    return execute.execute(SPEC, out, report, tracker=tracker).to_json()


def _bundle(out, exported, result, *, report):
    told = exported.told()
    facts = ("input_shape", "classes", "kind", "normalisation", "trained", "model", "title", "data", "architecture")
    whole = {**result, **{key: told[key] for key in facts}, "tokenizer": False, "out": str(out)}
    out.mkdir(parents=True)
    (out / "plan.json").write_text(json.dumps(exported.plan.to_json()))
    safetensors.torch.save_file(weights(exported.module), out / "weights.safetensors")
    safetensors.torch.save_file(dict(exported.pruned_at), out / PRUNED_AT)
    exported.steps(out, whole)
    (out / REPORT).write_text(dumps(whole))
    return whole
