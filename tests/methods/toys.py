"""Small trained networks in place of every ref, and whole runs that are interrupted."""

import random
from types import SimpleNamespace

import torch

from explorer.errors import Cancelled
from explorer.methods.tools import steps
from explorer.methods.tools.stages import Record
from explorer.recovery import finetune
from explorer.runs.checkpoint import Checkpoint
from explorer.sources import LoadedModel
from explorer.structure import analyse, count
from tests.recovery.test_finetuning import CPU, task

QUICK = {"metric": "top1", "top1": None, "latency_ms": 1.0, "latency": [{"p95_ms": 1.0}]}
INTERRUPTIONS = 4  # then the run may end


def gradual(method, target):
    """The fields of a spec for the toys, of a method that cuts in steps."""
    asked = {"criterion": "flow", "recover": "distill", "keep": target, "epochs": 1, "samples": 30}
    return {
        "model": "toy",
        "data": "stripes",
        "device": "cpu",
        "method": method,
        "settings": {"max_drop": "1.0"},
        **asked,
    }


def learnt(make, epochs, rate):
    """A seeded network that has learnt the stripes."""
    torch.manual_seed(0)
    module = make().eval()
    finetune(module, task(), epochs=epochs, learning_rate=rate, batch_size=16, device=CPU)
    return module


def stand_in(monkeypatch, module, values=QUICK):
    """The network in place of every ref, and `values` for all that takes time to measure; `subject` can be changed."""
    loaded = LoadedModel("toy", module, (1, 8, 8), 3, True, "Toy", "", {})
    holder = SimpleNamespace(subject=steps.Subject(loaded, task(), analyse(module, loaded.example()), CPU))

    def measured(subject, module):
        cost = count(module, subject.loaded.example())
        return lambda report: Record({**values, "params": cost.params, "macs": cost.macs})

    monkeypatch.setattr(steps, "open_subject", lambda spec, report: holder.subject)
    monkeypatch.setattr(steps, "measured", measured)
    monkeypatch.setattr(steps, "measured_beside", measured)
    return holder


def timeless(history):
    return [{key: value for key, value in entry.items() if key != "seconds"} for entry in history]


def ends_the_same(method, spec, folder, seed, *, earliest=0.0, trials=1):
    """Interrupts runs of a method at random reports and resumes them; each ends like a whole one, which is given."""
    calls = []
    whole = method(spec, lambda *_, **__: calls.append(1))
    generator = random.Random(seed)
    for trial in range(trials):
        outcome, interruptions = None, 0
        while outcome is None:
            early, late = int(earliest * len(calls)), len(calls) // 2
            left = generator.randrange(early, late) if interruptions < INTERRUPTIONS else len(calls) + 1

            def report(*_, **__):
                nonlocal left
                left -= 1
                if left == 0:
                    raise Cancelled

            torch.rand(generator.randrange(9))  # the state that a new process starts from is another one
            try:
                with Checkpoint(folder / str(trial), spec, resume=True) as memo:
                    outcome = method(spec, report, memo)
            except Cancelled:
                interruptions += 1
        assert interruptions
        assert timeless(outcome.steps) == timeless(whole.steps)
        assert outcome.plan == whole.plan
        same_weights(outcome.module, whole.module)
    return whole


def same_weights(module, other):
    """To the bit, and by the same names."""
    tensors, others = module.state_dict(), other.state_dict()
    assert tensors.keys() == others.keys()
    for name, tensor in tensors.items():
        assert torch.equal(tensor, others[name]), name
