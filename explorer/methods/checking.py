"""What of a spec can be known to be wrong without loading model or data."""

from explorer.budget import ALLOCATORS, NORMALISERS
from explorer.budget.latency_table import RUNTIMES
from explorer.criteria import CRITERIA
from explorer.criteria.divergence import BLOCK_ORDERS
from explorer.device import choose_device
from explorer.errors import ExplorerError, unknown
from explorer.methods.registry import METHODS
from explorer.methods.spec import KEYED, Spec
from explorer.methods.tools.pace import TEACHERS
from explorer.recovery import RECOVERIES

# The least and the most that a number may be, by its key in the JSON.
_RANGES: dict[str, tuple[float, float]] = {
    "samples": (1, 10**9),
    "epochs": (1, 10**6),
    "seed": (0, 2**32 - 1),  # what every generator takes
    "minimum": (0, 10**9),
    "steps": (1, 10_000),
    "alpha": (0, 100),
    "max_drop": (0, 10**9),
    "blocks": (0, 10**6),
    "round_to": (1, 10**6),
    "batch": (1, 10**6),
}


def check(spec: Spec, *, removes: bool = True) -> None:
    """Refuses what can be known to be wrong.

    Args:
        spec: what is asked.
        removes: the spec must say what goes; scoring and evaluating need not.

    Raises:
        ExplorerError: a number out of range, no or several ways to say what goes, an unknown method, criterion,
            allocator, normaliser, recovery, target, setting or device, or what the method refuses.
    """
    _check_numbers(spec)
    if removes:
        _check_request(spec)
    _check_names(spec)
    if removes:
        METHODS[spec.method].check(spec)


def _check_numbers(spec: Spec) -> None:
    document = spec.to_json()
    for keyed in KEYED.values():
        if keyed.number and isinstance(document[keyed.key], str):
            raise ExplorerError(f"{keyed.key} is {document[keyed.key]!r}: give a number")
    for key, (least, most) in _RANGES.items():
        value = document[key]
        if value is not None and not least <= value <= most:
            bound = f"at least {least:,}" if not value >= least else f"at most {most:,}"
            raise ExplorerError(f"{key} is {_short(value)}: it must be {bound}")
    _check_growth(document["rho"], (2 - 1 / spec.steps) ** document["alpha"])
    if spec.sparsity is not None and not 0 < spec.sparsity < 1:
        raise ExplorerError(f"sparsity is {spec.sparsity:g}: give the share of weights that become zero, 0.9 for 90 %")
    for group, ratio in spec.ratios.items():
        if not 0 <= ratio < 1:
            raise ExplorerError(f"ratio {group}={ratio:g}: give a fraction to remove, at least 0 and below 1")


def _short(value: float) -> str:
    """A number for a person, however many digits it has."""
    return f"{value:g}" if abs(value) < 10**15 else f"{value:.3g}" if isinstance(value, float) else "too large"


def _check_growth(rho: float | None, growth: float) -> None:
    if rho is not None and not 0 < rho * growth < 1:
        raise ExplorerError(
            f"rho is {rho:g}: it must be above 0, and below 1 also in the last step, grown by {growth:.3g}"
        )


def _check_request(spec: Spec) -> None:
    """What goes is said once, and in a way that the method understands."""
    known = spec.method in METHODS  # an unknown method is the last thing that is said
    gradual, sparse = known and METHODS[spec.method].gradual, known and METHODS[spec.method].sparse
    idle = known and not METHODS[spec.method].removes
    skips = () if spec.plan or spec.ratios else spec.skip  # blocks go along with these
    asked = {"keep": spec.keep, "ratios": spec.ratios, "plan": spec.plan, "skip": skips}
    given = [name for name, value in asked.items() if value]
    if idle and (given or spec.sparsity is not None):
        raise ExplorerError(f"method {spec.method!r} removes nothing: leave out the {(*given, 'sparsity')[0]}")
    if gradual and (spec.ratios or spec.plan or spec.skip):
        raise ExplorerError(f"method {spec.method!r} finds the units itself: give a target or none, no ratios or plan")
    if sparse and given:
        raise ExplorerError(f"method {spec.method!r} sets single weights to zero: give --sparsity, no {given[0]}")
    if spec.sparsity is not None and not sparse:
        raise ExplorerError(f"method {spec.method!r} cuts channels: give a target, or --method sparse for a sparsity")
    if not (given or gradual or sparse or idle):
        raise ExplorerError("nothing to remove: give a target (--keep macs=0.5) or ratios (--ratio GROUP=0.3)")
    if len(given) > 1:
        raise ExplorerError(f"{' and '.join(given)} both say what goes: give one of them")
    spec.targets()
    if gradual:
        spec.target()


def _check_names(spec: Spec) -> None:
    document = spec.to_json()
    for what, name, known in (
        ("method", spec.method, METHODS),
        ("criterion", spec.criterion, CRITERIA),
        ("allocation", spec.allocate, ALLOCATORS),
        ("normaliser", spec.normalise, NORMALISERS),
        ("runtime", spec.runtime, RUNTIMES),
        ("recovery", spec.recover, RECOVERIES),
        ("teacher", document["teacher"], TEACHERS),
        ("order of blocks", document["block_order"], BLOCK_ORDERS),
    ):
        if name not in known:
            raise unknown(what, name, known)
    if METHODS[spec.method].gradual and ALLOCATORS[spec.allocate].needs:
        simple = [name for name, allocator in ALLOCATORS.items() if not allocator.needs]
        raise ExplorerError(
            f"allocation {spec.allocate!r} can't go in steps, as method {spec.method!r} does: "
            f"use {', '.join(simple)}, or --method one-shot"
        )
    if RECOVERIES[spec.recover].needs and spec.data.partition("?")[0] == "random":
        others = " or --recover none" if METHODS[spec.method].removes else ""
        raise ExplorerError(f"recovery {spec.recover!r} can't learn from 'random' data: use real data{others}")
    CRITERIA[spec.criterion].read(spec.options)
    METHODS[spec.method].told(spec)
    choose_device(spec.device)
