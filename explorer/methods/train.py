"""Training before anything is removed: of an untrained network, or of one whose classes are others than the data's."""

from collections.abc import Iterable
from dataclasses import replace
from typing import Any

import torch
from torch import nn

from explorer.device import choose_device
from explorer.distributed import processes
from explorer.errors import ExplorerError
from explorer.evaluation import weights
from explorer.methods.registry import METHODS, method
from explorer.methods.spec import Spec
from explorer.methods.tools import steps
from explorer.methods.tools.epoch_memory import EpochMemory
from explorer.methods.tools.outcome import Outcome
from explorer.methods.tools.stages import Memo, Record, Stages, forgetful
from explorer.modules import borrowed
from explorer.progress import Report, part, silent
from explorer.pruning import Plan, cut
from explorer.recovery import EPOCHS, finetune, suitable
from explorer.recovery.scratch import EPOCHS as EPOCHS_FROM_SCRATCH
from explorer.recovery.training import Regime
from explorer.registry import Choice, Number
from explorer.sources import LoadedModel, head_of, load_to_train
from explorer.structure import analyse
from explorer.tasks import by_chance, headline


class HeadAlone(Regime):
    """Only the last layer learns: the rest keeps its weights, and the statistics of its batch norms.

    Args:
        head: the path of the last layer.
    """

    recalibrates = False

    def __init__(self, head: str) -> None:
        self._head = head

    def optimizer(self, module: nn.Module, rate: float, further: Iterable[nn.Parameter]) -> torch.optim.Optimizer:
        module.requires_grad_(False)
        module.get_submodule(self._head).requires_grad_(True)
        return super().optimizer(module, rate, further)

    def train(self, module: nn.Module) -> None:
        module.eval()
        module.get_submodule(self._head).train()


def epochs_of(spec: Spec, trained: bool) -> int:
    """For how many epochs a network is trained: more where it begins with random weights."""
    return (EPOCHS if trained else EPOCHS_FROM_SCRATCH) if spec.epochs is None else spec.epochs


def _check(spec: Spec) -> None:
    if spec.recover != "finetune":
        raise ExplorerError(f"method 'train' is fine-tuning itself: leave out recovery {spec.recover!r}")


@method(
    "train",
    title="Training",
    explanation="Removes nothing: trains the network on the data, with a new last layer where it was made for other "
    "classes. What comes out can be pruned.",
    defaults={"recover": "finetune"},
    removes=False,
    settings={
        "rate": Number(None, 1e-7, 10, "the peak learning rate; by itself: that of fine-tuning"),
        "freeze": Choice("nothing", ("nothing", "body"), "what keeps its weights; body: all but the last layer"),
    },
    check=_check,
    rank=90,
)
def train(spec: Spec, report: Report = silent, memo: Memo = forgetful) -> Outcome:
    """Trains as the spec says, and measures on the test split before and after.

    The training is that of the recovery `finetune`, its best epoch on the validation slice is kept. With a `memo` it
    goes on after the last finished epoch.

    Raises:
        ExplorerError: bad refs or names, data without labels, or a network that can't be fitted to the data.
        Cancelled: the report asked to stop.
    """
    subject, regime = _open(spec, part(report, 0.0, 0.05))
    stages = Stages(spec.seed, report, memo)
    before = stages("base", 0.05, 0.1, "measuring the network before", steps.measured(subject, subject.module))
    result = cut(subject.module, subject.structure, Plan(spec.model, {}))
    rate, epochs = METHODS["train"].told(spec)["rate"], epochs_of(spec, subject.loaded.trained)

    def training(report: Report) -> Record:
        with borrowed(result.module):
            history = finetune(
                result.module,
                subject.task,
                device=subject.device,
                epochs=epochs,
                seed=spec.seed,
                learning_rate=rate,
                regime=regime,
                # Several processes have random numbers of their own each, which no record holds.
                memory=EpochMemory(memo, epochs) if processes() == 1 else None,
                report=report,
            )
        return Record(history.to_json(), weights(result.module))

    trained = stages("recovery", 0.1, 0.92, "training", training)
    result.module.load_state_dict(trained.tensors)
    result.module.eval()
    after = stages("pruned", 0.92, 1.0, "measuring the trained network", steps.measured_beside(subject, result.module))
    return Outcome(
        loaded=replace(subject.loaded, trained=True),
        task=subject.task,
        structure=subject.structure,
        device=subject.device,
        module=result.module,
        plan=Plan(spec.model, {}),
        attributes=result.attributes,
        base=steps.measurement(before),
        as_cut={},
        pruned=steps.measurement(after),
        against_base=steps.against_base(before, after),
        target=None,
        achieved={"params": 1.0, "macs": 1.0},
        groups=steps.widths(subject.structure, Plan(spec.model, {})),
        scores={},
        recovery=trained.values,
        warnings=[*trained.values["warnings"], *_afterthoughts(subject, after.values)],
        seconds=stages.seconds,
    )


def _open(spec: Spec, report: Report) -> tuple[steps.Subject, Regime]:
    """The network, fitted to the data, and how it is trained.

    Raises:
        ExplorerError: they can't be opened, can't be fitted, or there is nothing to learn.
    """
    device = choose_device(spec.device)
    report(0.0, f"loading {spec.model} and {spec.data}")
    loaded, task = load_to_train(spec.model, spec.data, input_shape=spec.input_shape, seed=spec.seed)
    suitable(spec.recover, task)
    regime = _regime(spec, loaded)
    report(0.5, "finding the groups")
    structure = analyse(loaded.module, loaded.example())
    return steps.Subject(loaded, task, structure, device), regime


def _regime(spec: Spec, loaded: LoadedModel) -> Regime:
    if METHODS["train"].told(spec)["freeze"] == "nothing":
        return Regime()
    if not loaded.trained:
        raise ExplorerError(f"{spec.model} is untrained: a frozen body would stay random, so freeze nothing")
    return HeadAlone(head_of(loaded))


def _afterthoughts(subject: steps.Subject, measured: dict[str, Any]) -> list[str]:
    found = headline(measured)
    if found is None or (guess := by_chance(found, subject.task)) is None:
        return []
    return [f"{guess}: train longer, or with another rate"]
