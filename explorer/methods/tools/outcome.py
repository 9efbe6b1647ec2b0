"""What a method hands back."""

from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor, nn

from explorer.pruning import Plan
from explorer.sources import LoadedModel
from explorer.structure import Structure
from explorer.tasks import Task


@dataclass(frozen=True)
class Outcome:
    """A pruned model and everything that is known about how it came to be.

    `base`, `as_cut` (before recovery; empty where nothing was cut) and `pruned` are measurements on the test split, as
    `explorer.evaluation.measure` gives them. `target` is what was asked (None for ratios by hand),
    `achieved` the fractions of params and MACs that are left. `groups` lists ``{name, size, kept}``
    in channels. `against_base` says how the end stands to the base, sample by sample and timed in turns, see
    `steps.against_base`. `scores` summarises what the plan was made from, `recovery` what recovery did.
    `seconds` has one entry per stage, `steps` one per cut of a method that makes several. `budget` is the
    account of targets that were shared out at once, see `budgeting`. Where single weights were set
    to zero, `pruned_at` has for each the number of the step that did it (0: it stays), and `sparse` is what that saves,
    see `sparsifying`.
    """

    loaded: LoadedModel
    task: Task
    structure: Structure
    device: torch.device
    module: nn.Module
    plan: Plan
    attributes: dict[str, Any]
    base: dict[str, Any]
    as_cut: dict[str, Any]
    pruned: dict[str, Any]
    target: dict[str, float | str] | None
    achieved: dict[str, float]
    groups: list[dict[str, Any]]
    scores: dict[str, Any]
    recovery: dict[str, Any]
    against_base: dict[str, Any] = field(default_factory=dict)
    warnings: list[str] = field(default_factory=list)
    seconds: dict[str, float] = field(default_factory=dict)
    steps: list[dict[str, Any]] = field(default_factory=list)
    budget: dict[str, Any] = field(default_factory=dict)
    sparse: dict[str, Any] = field(default_factory=dict)
    pruned_at: dict[str, Tensor] = field(default_factory=dict, repr=False)

    def to_json(self) -> dict[str, Any]:
        """What is known, without the network: measurements, the account of the targets, steps and warnings."""
        names = (
            *("base", "as_cut", "pruned", "against_base", "target", "achieved", "budget", "sparse", "steps", "groups"),
            *("warnings", "scores", "recovery"),
        )
        return {name: getattr(self, name) for name in names} | {"stages": self.seconds}
