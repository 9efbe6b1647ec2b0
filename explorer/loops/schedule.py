"""Cuts a network little by little while a loop of one's own trains it."""

import warnings
from collections.abc import Collection, Mapping
from typing import Any

import torch

from explorer.api import Problem
from explorer.budget import Target
from explorer.criteria.taylor import SquaredSlopes
from explorer.errors import ExplorerError
from explorer.loops.averages import averages_in, check_averages, follow_average
from explorer.loops.callbacks import lightning_callback, trainer_callback
from explorer.loops.course import Course, LoopCut, Sharing, moments
from explorer.loops.gradients import Gradients
from explorer.loops.optimisers import follow, torch_optimiser
from explorer.loops.penalty import GroupPenalty
from explorer.loops.refusals import check_trainable_alone, forget_compiled
from explorer.loops.scoring import Scorer, named_method
from explorer.pruning import Plan


class Schedule:
    """Cuts `problem.module` in place, from the call `start` of `step` to the call `end`, at which the target is met.

    Modules and parameters stay the objects that the loop, its optimiser and its learning-rate schedule hold; what the
    optimiser remembers of them is cut along, and so is an average of the weights. Calls may be steps or epochs.

    Cuts follow `start` at every `every`-th call. How deep each goes is said by `growth`: "cubic" leaves the share
    ``goal + (1 − goal)·(1 − x)³`` of the cost, x from 0 at `start` to 1 at `end` (Zhu & Gupta 2017, arXiv:1710.01878),
    "linear" ``goal + (1 − goal)·(1 − x)``; with "ifap" cut t of T removes ``ρ₀·(1 + t/T)^1.5`` of what is left.
    The last cut meets the target within 1 %, or as nearly as whole units allow.

    Criteria that look at weights alone take no passes over data, nor does "taylor", which reads the gradients of
    training itself; all others look at `samples` of the problem's training data at every cut. `scoring` says which.

    Args:
        problem: the network, and its data where the criterion looks at some.
        keep: what stays of ``macs``, ``params`` or ``size`` of the network as it is now: a fraction, or an amount
            ("2MB").
        end: the call at which the target is met.
        start: the call after which cutting begins.
        every: calls from one cut to the next.
        method: the name of a criterion, or "ifap": criterion "flow", growth "ifap".
        growth: "cubic", "linear" or "ifap"; by default the method's own, "cubic" for a criterion.
        optimizer: of the loop, or several in a list; see `watch` where it is made later.
        ema: an average of the weights, cut along: a copy of the network, what holds one (timm's `ModelEmaV3`, torch's
            `AveragedModel`), a dictionary of tensors by parameter, or several of these in a list.
        penalty: λ at `end` of a group lasso on coupled channels, ``λ·x·Σ_u √n_u·‖w_u‖₂``, which is added to gradients
            before each step of the optimiser. It grows in proportion to x, for all units alike, as in growing
            regularisation (GReg-2: Wang et al. 2021, arXiv:2012.09243; there of squares).
        allocate: how each cut is shared out, see `ALLOCATORS`.
        normalise: how scores of different groups are compared, see `NORMALISERS`.
        minimum: what every group keeps of its units in the whole network: below 1 a fraction, else a number.
        locked: groups that stay whole.
        round_to: widths that change become multiples of this.
        samples: of the training data, for criteria that look at some.
        seed: of what criteria draw.
        settings: of the criterion.

    Raises:
        ExplorerError: something unknown, a target out of reach, data is missing that the criterion needs, or the
            network or optimiser is of a kind that can't be followed.
    """

    def __init__(
        self,
        problem: Problem,
        *,
        keep: Mapping[str, float | str],
        end: int,
        start: int = 0,
        every: int = 1,
        method: str = "ifap",
        growth: str | None = None,
        optimizer: Any = None,
        ema: Any = None,
        penalty: float = 0.0,
        allocate: str = "global",
        normalise: str = "mean",
        minimum: float = 0.1,
        locked: Collection[str] = (),
        round_to: int = 1,
        samples: int | None = 512,
        seed: int = 0,
        **settings: Any,
    ) -> None:
        if not isinstance(problem, Problem):
            raise ExplorerError(
                f"a schedule cuts a problem's network, not {type(problem).__name__}: give ex.Problem(…)"
            )
        check_trainable_alone(problem.module)
        if not 0 <= penalty < float("inf"):
            raise ExplorerError(f"a penalty of {penalty:g} can't be: give 0 for none, or a small number such as 1e-4")
        criterion, own = named_method(method)
        self.problem, self.calls = problem, 0
        self.cuts: tuple[LoopCut, ...] = ()
        self._scorer = Scorer(problem, criterion, samples, seed, settings)
        self._course = Course(
            problem,
            tuple(Target.parse(f"{kind}={value}") for kind, value in keep.items()),
            moments(start, end, every),
            start,
            growth or own,
            Sharing(allocate, normalise, minimum, locked, round_to),
        )
        self._locked, self._penalty = locked, penalty
        self._averages = averages_in(ema, problem.module)
        self._optimisers: list[torch.optim.Optimizer] = []
        self._gradients = Gradients(*self._readers(), self._strength)
        if optimizer is not None:
            self.watch(*(optimizer if isinstance(optimizer, list | tuple) else [optimizer]))

    @property
    def plan(self) -> Plan:
        """All cuts so far as one, in units of the whole network."""
        return self.problem.done.plan

    @property
    def finished(self) -> bool:
        """Whether the last cut was made."""
        return self.calls >= self._course.calls[-1]

    @property
    def scoring(self) -> str:
        """What units are scored by, and what that takes, in a sentence."""
        return str(self._scorer)

    def watch(self, *optimisers: Any) -> None:
        """Cuts what these optimisers remember along, and reads their gradients, from now on.

        Raises:
            ExplorerError: one is of a kind that can't be followed, or trains other parameters.
        """
        for optimiser in optimisers:
            found = torch_optimiser(optimiser, self.problem.module)
            if all(found is not known for known in self._optimisers):
                self._optimisers.append(found)
                self._gradients.watch(found)

    def step(self) -> LoopCut | None:
        """Counts one call, and cuts where one is due; to be called after the optimiser's step, or after an epoch.

        No graph of a pass before it may be gone back through after it.

        Returns:
            what was cut; None where nothing was.

        Raises:
            ExplorerError: the optimiser is missing that scores or penalty need, the scores are not finite, or the
                network or average has been changed by somebody else.
        """
        if not self._optimisers and not self.finished and (self._scorer.from_training or self._penalty):
            what = "the penalty" if self._penalty else f"criterion {self._scorer.criterion}"
            raise ExplorerError(f"{what} needs gradients: give the schedule your optimiser, optimizer= or watch()")
        self.calls += 1
        made = self._cut(self._course.calls.index(self.calls)) if self.calls in self._course.calls else None
        if self.finished:
            self._gradients.close()
        return made

    def state_dict(self) -> dict[str, Any]:
        """Where the schedule is, in plain types that `torch.save` and JSON can keep; see `load_state_dict`."""
        return {
            "calls": self.calls,
            "plan": self.plan.to_json(),
            "cuts": [cut.to_json() for cut in self.cuts],
            "gradients": self._gradients.state(),
        }

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Goes on where another schedule was, with a network at its whole widths.

        Network, average and optimiser are cut to the widths that they had; after this they take what was saved of
        them, by their own `load_state_dict`.

        Raises:
            ExplorerError: this schedule has begun already, or the state belongs to another network.
        """
        if self.calls or not self.plan.empty:
            raise ExplorerError("this schedule has begun already: load its state before the first step")
        plan = Plan.from_json(state["plan"])
        if not plan.empty:
            self._apply(plan.check(self.problem.structure))
        self.calls = state["calls"]
        self.cuts = tuple(LoopCut.from_json(cut) for cut in state["cuts"])
        self._gradients.load(state["gradients"])
        if self.finished:
            self._gradients.close()

    def trainer_callback(self) -> Any:
        """A callback for the `Trainer` of transformers, which calls `step` after every step of its optimiser."""
        return trainer_callback(self)

    def lightning_callback(self) -> Any:
        """A callback for the `Trainer` of Lightning, which calls `step` after every step of its optimisers."""
        return lightning_callback(self)

    def _cut(self, number: int) -> LoopCut | None:
        plan = self._course.plan(number, lambda: self._scorer(number, self._gradients))
        made = None
        if plan is not None:
            self._apply(plan)
            made = LoopCut(self.calls, plan, self.problem.cost)
            self.cuts = (*self.cuts, made)
        if self.finished and (sentence := self._course.missed()):
            warnings.warn(sentence, stacklevel=3)
        return made

    def _apply(self, plan: Plan) -> None:
        """Cuts network, average and what optimisers remember."""
        module, structure = self.problem.module, self.problem.structure
        check_trainable_alone(module)
        check_averages(self._averages, module)
        narrowed = self.problem.narrow(plan)
        for average in self._averages:
            follow_average(average, structure, plan, narrowed)
        for optimiser in self._optimisers:
            if forgotten := follow(optimiser, narrowed.tensors):
                warnings.warn(
                    f"{type(optimiser).__name__} remembers {len(forgotten)} parameters in a form that can't be cut "
                    f"({forgotten[0]}, …): for these it begins anew",
                    stacklevel=4,
                )
        self._gradients.renew(*self._readers())
        forget_compiled()

    def _readers(self) -> tuple[SquaredSlopes | None, GroupPenalty | None]:
        """What is done with gradients of the network as it is."""
        module, structure = self.problem.module, self.problem.structure
        weights = dict(module.named_parameters(remove_duplicate=False))
        slopes = SquaredSlopes(structure, weights) if self._scorer.from_training else None
        return slopes, GroupPenalty(module, structure, self._locked) if self._penalty else None

    def _strength(self) -> float:
        return 0.0 if self.finished else self._penalty * self._course.share(self.calls)
