"""The plan of a run that cuts once: by ratios and residual blocks, or so that targets are met."""

from typing import Any

from explorer.criteria import Scores
from explorer.distributed import by_main
from explorer.errors import ExplorerError
from explorer.methods.spec import Spec
from explorer.methods.tools import steps
from explorer.methods.tools.budgeting import Budgeting
from explorer.progress import Report, silent
from explorer.pruning import Plan, plan_from_budget


def choose(
    subject: steps.Subject, spec: Spec, scores: Scores, report: Report = silent
) -> tuple[Plan, list[str], dict[str, Any]]:
    """The plan that meets the spec's targets, or that its ratios and the blocks to skip ask for.

    Returns:
        The plan, what is to be said about it, and the account of `budgeting`, which is empty for ratios.

    Raises:
        ExplorerError: a ratio or lock names no group, or a group that the criterion could not score; an unknown block.
    """
    structure = subject.structure
    steps.known_groups(structure, (*spec.ratios, *spec.locked))
    if not spec.keep:
        plan, warnings = _by_ratios(subject, spec, scores)
        return plan.without(structure, spec.skip), warnings, {}

    def share_out() -> tuple[dict[str, tuple[int, ...]], list[str], dict[str, Any]]:
        account = Budgeting(subject, spec).share_out(scores, report)
        return account.allocation.remove, list(account.allocation.warnings), account.to_json()

    remove, warnings, account = by_main(share_out)
    return Plan(spec.model, remove), warnings, account


def _by_ratios(subject: steps.Subject, spec: Spec, scores: Scores) -> tuple[Plan, list[str]]:
    for name, ratio in spec.ratios.items():
        if name in spec.locked:
            raise ExplorerError(f"group {name!r} is locked and has a ratio: drop one of the two")
        if ratio and name in scores.skipped:
            raise ExplorerError(
                f"criterion {spec.criterion!r} can't score {name!r} ({scores.skipped[name]}): use another criterion"
            )
    plan, warnings = plan_from_budget(subject.structure, scores.groups, spec.ratios, spec.model), []
    for name, ratio in spec.ratios.items():
        units = subject.structure.groups[name].units
        if ratio and name not in plan.remove:
            warnings.append(f"{name} stays whole: {ratio:g} of its {units} units is less than one")
    return plan, warnings
