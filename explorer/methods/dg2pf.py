"""DG2PF, Distilled Gradual Pruning with Pruned Fine-tuning: single weights leave under a teacher, the rest is tuned."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from explorer.batches import evaluating
from explorer.errors import ExplorerError
from explorer.methods.presets import Preset
from explorer.methods.registry import METHODS, method
from explorer.methods.spec import Spec
from explorer.methods.tools.outcome import Outcome
from explorer.methods.tools.sparse_masks import Rule
from explorer.methods.tools.sparse_schedule import Segment, Training, even, linspace
from explorer.methods.tools.sparsifying import Sparsifying
from explorer.methods.tools.stages import Memo, forgetful
from explorer.progress import Report, silent
from explorer.recovery.training import Objective
from explorer.registry import Choice, Number
from explorer.tasks import TASK_KINDS

MOST_EPOCHS = 100  # of each phase
SETTINGS = {
    "schedule": Choice("linspace", ("linspace", "even"), "s·(i−1)/(n−1), as printed, or s·i/n in epoch i of n"),
    "scope": Choice("global", ("global", "layer"), "whether layers compete, or each loses the same share"),
    "margins": Choice("magnitude", ("magnitude", "signed"), "quantiles of |θ|, or of θ as eq. 1 prints them"),
    "simulate": Number(0.1, 0.0, 0.99, "the share of the remaining weights that each step also leaves out"),
    "alpha": Number(0.9, 0.0, 1.0, "of the divergence from the teacher; the rest is of the labels"),
    "tau": Number(0.5, 0.01, 100.0, "temperature"),
    "kd_softening": Choice("none", ("none", "hinton"), "whether logits are divided by tau in the divergence"),
    "tau_scale": Choice("both", ("both", "divergence"), "what tau² multiplies: both terms, as printed, or one"),
    "soft_label": Choice("teacher", ("teacher", "student"), "whose outputs are the label where they are right"),
    "weighting": Choice("paper", ("paper", "cited"), "(1−p)^γ + β as in eq. 5, or β + (1−β)(1−p)^γ as in its source"),
    "gamma": Number(1.0, 0.0, 10.0, "γ of the weights of samples"),
    "beta": Number(0.1, 0.0, 1.0, "β of the weights of samples"),
    "rate": Number(1e-5, 1e-8, 1.0, "learning rate of AdamW, while weights go"),
    "tune_rate": Number(1e-4, 1e-8, 1.0, "learning rate of SGD, afterwards"),
    "patience": Number(10, 1, 1000, "epochs without a better validation metric that end a phase", whole=True),
}
PRESETS = {
    "ours": Preset(
        title="Ours",
        explanation="Weights leave by magnitude and the teacher's outputs are the soft labels, which the printed "
        "formulas miss: two quantiles of the signed weights keep small ones, and a student can't be its own label.",
        settings={
            "margins": "magnitude",
            "soft_label": "teacher",
            "weighting": "paper",
            "kd_softening": "none",
            "tau_scale": "both",
        },
    ),
    "published": Preset(
        title="As published",
        explanation="Eqs. 1 to 9 as they are printed: two quantiles of the signed weights, the student's own outputs "
        "as its soft labels, and a temperature that scales the loss and softens nothing.",
        repaired=(
            "The condition printed in eq. 1, below one quantile and above the other, keeps nothing: here a weight "
            "stays that is below or above.",
            "The schedule of one epoch is undefined: here it prunes at once.",
            "The best epoch is chosen among those at full sparsity only, or a denser network would always win.",
            "When a phase stops is not said: here after ten epochs without a better validation metric.",
            "The paper's tables contradict one another (91.3 % and 92.9 % for ResNet-18 at 95 %), and their FLOPs are "
            "theoretical, one less the sparsity: neither is a number to be reached.",
        ),
        settings={
            "margins": "signed",
            "soft_label": "student",
            "weighting": "paper",
            "kd_softening": "none",
            "tau_scale": "both",
        },
    ),
    "cited": Preset(
        title="As its sources",
        explanation="Each part of the loss as the work that the paper cites for it: Hinton's softened divergence, and "
        "the original network's outputs as soft labels with weights between β and 1.",
        settings={
            "margins": "magnitude",
            "soft_label": "teacher",
            "weighting": "cited",
            "kd_softening": "hinton",
            "tau_scale": "divergence",
        },
    ),
}
STEPS = {"linspace": linspace, "even": even}


@dataclass(frozen=True)
class Terms:
    """The constants of the loss; the defaults are the paper's final ones."""

    alpha: float = 0.9
    tau: float = 0.5
    kd_softening: str = "none"
    tau_scale: str = "both"
    soft_label: str = "teacher"
    weighting: str = "paper"
    gamma: float = 1.0
    beta: float = 0.1


def _asked(spec: Spec) -> tuple[dict[str, Any], int]:
    """The settings, and the most epochs of a phase.

    Raises:
        ExplorerError: what the method can't do.
    """
    chosen = METHODS["dg2pf"].told(spec)
    if spec.sparsity is None:
        raise ExplorerError("nothing to remove: give the share of weights that become zero, such as --sparsity 0.9")
    if spec.recover != "distill" or spec.criterion != "l1":
        raise ExplorerError("dg2pf prunes by magnitude and trains in its own way: leave --criterion and --recover out")
    epochs = MOST_EPOCHS if spec.epochs is None else spec.epochs
    if epochs < spec.steps:
        raise ExplorerError(f"dg2pf prunes in {spec.steps} epochs: allow as many, or use fewer --steps")
    return chosen, epochs


@method(
    "dg2pf",
    title="DG2PF",
    explanation="Distilled gradual pruning with pruned fine-tuning: single weights become zero epoch by epoch while "
    "the whole network teaches, each step also tries to do without some more; then what is left is fine-tuned.",
    defaults={"criterion": "l1", "recover": "distill", "steps": 15},
    sparse=True,
    reference="Distilled Gradual Pruning with Pruned Fine-tuning (DG2PF)",
    needs={"data with labels", "training data"},
    presets=PRESETS,
    settings=SETTINGS,
    check=_asked,
)
def dg2pf(spec: Spec, report: Report = silent, memo: Memo = forgetful) -> Outcome:
    """Prunes to `spec.sparsity` in `spec.steps` epochs (s_e), goes on until the metric rises no more, then fine-tunes.

    Phase 1 has AdamW and the loss of `Guided`; epoch i ≤ s_e begins with pruning to δ_i, and all its steps leave out
    the `simulate` share of the remaining weights, whose gradient still reaches them. Phase 2 has SGD, cross-entropy
    and fixed masks. Gradients are clipped as in `explorer.recovery.finetune`, of which the paper says nothing. Of each
    phase the best epoch at full sparsity stays; each has at most `spec.epochs` epochs (None: 100). See `sparse` for
    what is remembered and reported.

    The defaults, the preset "ours", repair what the printed formulas can't mean; "published" takes them literally.
    The paper's tables are no target: I gives ResNet-18 91.26 % and VI 92.90 % at the same 95 %, V's values can't be of
    the network that it names, and FLOPs are ``1 − s``, theoretical.

    Raises:
        ExplorerError: bad refs, names or settings, or data without classes.
        Cancelled: the report asked to stop.
    """
    chosen, epochs = _asked(spec)
    run = Sparsifying(spec, report, memo, Rule("l1", chosen["scope"], chosen["margins"]))
    if not TASK_KINDS[run.subject.task.kind].classifies:
        raise ExplorerError(f"dg2pf's loss is about classes, this is {run.subject.task.kind}: use --method sparse")
    terms = Terms(**{name: chosen[name] for name in Terms.__dataclass_fields__})
    teacher = run.subject.module

    def guided(simulate: float) -> Training:
        return Training(
            objective=lambda holding: Guided(
                teacher, terms, partial(holding.without_smallest, simulate, chosen["scope"])
            ),
            optimizer=adamw,
            rate=chosen["rate"],
            constant=True,
            patience=chosen["patience"],
        )

    steps = [STEPS[chosen["schedule"]](i, spec.steps, spec.sparsity) for i in range(1, spec.steps + 1)]
    segments = [Segment(1, step, training=guided(chosen["simulate"])) for step in steps]
    if epochs > spec.steps:
        segments.append(Segment(epochs - spec.steps, spec.sparsity, chooses=True, training=guided(0.0)))
    tuning = Training(optimizer=sgd, rate=chosen["tune_rate"], constant=True, patience=chosen["patience"])
    segments.append(Segment(epochs, spec.sparsity, restart=True, chooses=True, training=tuning))
    run.run(segments)
    return run.outcome()


class Guided(Objective):
    """Loss (9), ``(α·L_KL + (1−α)·L_PW)·τ²``, of a student in which `simulated` leaves out more weights."""

    def __init__(self, teacher: nn.Module, terms: Terms, simulated: partial) -> None:
        self._teacher, self._terms, self._simulated = teacher, terms, simulated

    @contextmanager
    def ready(self, module: nn.Module, inputs: Tensor, device: torch.device) -> Iterator[list[nn.Parameter]]:
        with evaluating(self._teacher, device):
            yield []

    def __call__(self, module: nn.Module, inputs: Tensor, labels: Tensor) -> Tensor:
        with torch.no_grad():
            wanted = _main(self._teacher(inputs))
        with self._simulated():
            logits = _main(module(inputs))
        return guided_loss(logits, wanted, labels, self._terms)


def guided_loss(student: Tensor, teacher: Tensor, labels: Tensor, terms: Terms) -> Tensor:
    """Loss (9) of logits (batch, classes); τ² multiplies both terms, or the divergence alone."""
    scale = terms.tau**2
    divergence = kl_term(student, teacher, terms.tau if terms.kd_softening == "hinton" else 1.0)
    judged = weighted_term(student, teacher, labels, terms)
    return terms.alpha * divergence * scale + (1 - terms.alpha) * judged * (scale if terms.tau_scale == "both" else 1.0)


def kl_term(student: Tensor, teacher: Tensor, tau: float = 1.0) -> Tensor:
    """Loss (8), ``(1/B) Σ_i Σ_c p^T·(log p^T − log p^S)``, of the softmax at temperature `tau`."""
    log_student, log_teacher = (F.log_softmax(logits.float() / tau, dim=1) for logits in (student, teacher))
    return F.kl_div(log_student, log_teacher, reduction="batchmean", log_target=True)


def weighted_term(student: Tensor, teacher: Tensor, labels: Tensor, terms: Terms) -> Tensor:
    """Loss (7), ``(1/B) Σ_i w_i·CE(y*_i, p^S_i)``."""
    losses = F.cross_entropy(student.float(), soft_labels(student, teacher, labels, terms.soft_label), reduction="none")
    return (sample_weights(teacher, labels, terms) * losses).mean()


def sample_weights(teacher: Tensor, labels: Tensor, terms: Terms) -> Tensor:
    """Eq. 5, ``w_i = (1 − p^T_{i,c_i})^γ + β``; in the work that it cites ``β + (1−β)·(1 − p^T_{i,c_i})^γ``.

    The less sure the teacher is of the true class, the more a sample counts.
    """
    doubt = (1 - teacher.float().softmax(1).gather(1, labels[:, None]).squeeze(1)) ** terms.gamma
    return doubt + terms.beta if terms.weighting == "paper" else terms.beta + (1 - terms.beta) * doubt


def soft_labels(student: Tensor, teacher: Tensor, labels: Tensor, whose: str) -> Tensor:
    """Eq. 6: the probabilities of the network `whose` where it is right, else the one-hot label.

    The printed text takes the student's, which makes the term an entropy of its own; the work that it cites takes
    those of the network before pruning.
    """
    found = (teacher if whose == "teacher" else student).detach().float().softmax(1)
    right = found.argmax(1) == labels
    return torch.where(right[:, None], found, F.one_hot(labels, found.shape[1]).to(found))


def adamw(module: nn.Module, rate: float) -> torch.optim.Optimizer:
    """The paper's first optimiser."""
    return torch.optim.AdamW(module.parameters(), lr=rate, betas=(0.9, 0.999), weight_decay=1e-2)


def sgd(module: nn.Module, rate: float) -> torch.optim.Optimizer:
    """The paper's second."""
    return torch.optim.SGD(module.parameters(), lr=rate, momentum=0.9, weight_decay=5e-4)


def _main(outputs: Tensor | tuple) -> Tensor:
    return outputs if isinstance(outputs, Tensor) else outputs[0]  # auxiliary heads come after it
