"""How long a run's training will take, from a forward pass timed here."""

from explorer.methods import METHODS
from explorer.methods.spec import Spec
from explorer.recovery import EPOCHS, RECOVERIES
from explorer.recovery.portion import repair_count
from explorer.tasks import Task
from explorer.ui import engine

FORWARD_AND_BACK = 3  # a training step computes about three forward passes
SUMS = 4  # a repair takes so many times its two passes, as `benchmarks/repair.py` measures on the bundled networks
BESIDES = 12.0  # seconds of every run: loading, timing, writing the files and opening them in a clean process


def fitting_seconds(ref: str, task: Task, epochs: int, *, head_alone: bool) -> float | None:
    """Seconds of training a whole network, at most; None where a forward pass is too slow to be timed.

    Args:
        ref: of the network, which need not fit the task yet.
        task: whose samples are counted.
        epochs: of the training.
        head_alone: whether only the last layer learns, so that nothing goes back through the network.
    """
    one = engine.forward_seconds(ref)
    if one is None:
        return None
    passes = len(task.train) * (1 if head_alone else FORWARD_AND_BACK) + len(task.validation)
    return epochs * one * passes


def training_seconds(spec: Spec, task: Task | None, kept: float | None) -> float | None:
    """Seconds of training, at most; None where the run does not train, or a forward pass is too slow to be timed.

    `kept`: the share of the MACs that the board's budget leaves, or None for a method that chooses the units itself:
    its target, of one that cuts in steps on average. A target of something else may leave all of them.
    """
    if task is None or not RECOVERIES[spec.recover].trains:
        return None
    one = engine.forward_seconds(spec.model)
    if one is None:
        return None
    gradual = METHODS[spec.method].gradual
    if kept is None:
        target = (spec.keep or {}).get("macs", 1.0)
        kept = (1 + target) / 2 if gradual else target
    teacher = 1 if spec.recover == "distill" else 0
    epochs = (spec.epochs or EPOCHS) * (spec.steps if gradual else 1)
    return epochs * len(task.train) * one * (FORWARD_AND_BACK * kept + teacher)


def repair_seconds(ref: str, task: Task, kept: float) -> float | None:
    """Seconds of a repair by least squares, about; None where a forward pass is too slow to be timed.

    Layers are solved in one pass of both networks, and their sums take longer than that.

    Args:
        ref: of the whole network.
        task: whose calibration samples go through both.
        kept: the share of the MACs that is left.
    """
    one = engine.forward_seconds(ref)
    if one is None:
        return None
    samples = min(repair_count(engine.opened(ref).structure.cost().macs), len(task.calibration))
    return SUMS * one * samples * (1 + kept)


def besides_seconds(ref: str, task: Task, kept: float) -> float | None:
    """Seconds of a one-shot run without its recovery, about; None where a forward pass is too slow to be timed.

    The network is measured on the test data as it was, as cut, and at the end.

    Args:
        ref: of the whole network.
        task: whose test samples are judged.
        kept: the share of the MACs that is left.
    """
    one = engine.forward_seconds(ref)
    return None if one is None else BESIDES + one * len(task.test) * (1 + 2 * kept)
