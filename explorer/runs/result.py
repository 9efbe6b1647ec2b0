"""What a run comes to."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any

from explorer.structure import Structure

Facts = Mapping[str, Any]


@dataclass(frozen=True)
class RunResult:
    """The result of a run, as its report keeps it.

    Args:
        base: the measurement of the model that was pruned, on the test split, see `explorer.evaluation.measure`.
        as_cut: the same before recovery; empty where nothing was cut.
        pruned: the same at the end.
        against_base: how the end stands to the base: `paired` on the same test samples, `latency` timed in turns, see
            `explorer.methods.tools.steps.against_base`; empty in reports of versions before.
        achieved: the fractions of `params` and `macs` that are left.
        chance: the share of the test samples that always giving the same answer gets right; None where there is no such
            answer, and in reports of versions before.
        target: what was asked, None for ratios by hand.
        budget: the account of targets that were shared out at once, see `explorer.methods.tools.budgeting`.
        sparse: what zeros save, where single weights were set to zero.
        seconds: how long the run took, up to the export.
        stages: seconds of each stage.
        steps: the cuts of a method that makes several; kept ones have their `folder` in the bundle.
        groups: ``{name, size, kept}`` of every group, in channels.
        blocked: ``{name, size, reason}`` of what can't be cut.
        warnings: what a person should know.
        scores: a summary of what the plan was made from.
        recovery: what recovery did.
        device: in words.
        spec: what was asked, see `Spec.to_json`.
        versions: of this program, of Python and of the packages that compute.
        bundle: what the report tells besides: the run's `id`, `created` and `parent`, see `Origin`; `out`, `title`,
            `onnx`, `checks`, and what ``run:`` refs read. Empty where nothing was written.
    """

    base: Facts
    as_cut: Facts
    pruned: Facts
    target: Facts | None = None
    achieved: Mapping[str, float] = field(default_factory=dict)
    budget: Facts = field(default_factory=dict)
    sparse: Facts = field(default_factory=dict)
    seconds: float = 0.0
    stages: Mapping[str, float] = field(default_factory=dict)
    steps: Sequence[Facts] = ()
    groups: Sequence[Facts] = ()
    blocked: Sequence[Facts] = ()
    warnings: Sequence[str] = ()
    scores: Facts = field(default_factory=dict)
    recovery: Facts = field(default_factory=dict)
    against_base: Facts = field(default_factory=dict)
    chance: float | None = None
    device: str = ""
    spec: Facts = field(default_factory=dict)
    versions: Mapping[str, str] = field(default_factory=dict)
    bundle: Facts = field(default_factory=dict)

    @property
    def out(self) -> Path | None:
        """The bundle's folder, None where nothing was written."""
        return Path(self.bundle["out"]) if "out" in self.bundle else None

    def to_json(self) -> dict[str, Any]:
        """The document of the report: plain JSON types, what the bundle adds beside the rest."""
        own = {entry.name: getattr(self, entry.name) for entry in fields(self) if entry.name != "bundle"}
        own |= {key: list(own[key]) for key in ("steps", "groups", "blocked", "warnings")}
        return {**own, **self.bundle}

    @classmethod
    def from_json(cls, report: Facts) -> "RunResult":
        """The result that a report tells of.

        Raises:
            TypeError: it lacks a measurement.
        """
        names = {entry.name for entry in fields(cls)} - {"bundle"}
        own = {key: value for key, value in report.items() if key in names}
        return cls(**own, bundle={key: value for key, value in report.items() if key not in names})


def blocked(structure: Structure) -> list[dict[str, Any]]:
    """``{name, size, reason}`` of all channels that can't be cut."""
    return [{"name": entry.name, "size": entry.size, "reason": entry.reason} for entry in structure.blocked]
