"""What the documents that runs leave on disk must hold, each declared once; see `explorer.documents`."""

from collections.abc import Mapping
from itertools import pairwise
from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import AfterValidator, Field, field_validator, model_validator

from explorer.documents import (
    Amount,
    Count,
    Document,
    Moment,
    Number,
    Positive,
    Seconds,
    Share,
    Text,
    check_inner,
    check_number,
    checked,
)  # fmt: skip
from explorer.errors import ExplorerError
from explorer.methods.spec import Spec
from explorer.pruning import Plan
from explorer.reading import DamagedError, read_json, read_object
from explorer.sealed import read_sealed
from explorer.tasks import METRICS


def _known_metric(name: str) -> str:
    if name not in METRICS:
        raise ValueError(f"there is no metric {name!r}")
    return name


MetricName = Annotated[Text, AfterValidator(_known_metric)]


class Asked(Document):
    """A spec as `Spec.to_json` writes it; earlier versions wrote fewer keys."""

    model: Text
    data: Text
    method: Text
    criterion: Text
    recover: Text
    epochs: int | None
    seed: int

    @model_validator(mode="after")
    def _is_a_spec(self) -> Self:
        known = Spec("", "").to_json().keys()
        told = vars(self) | (self.model_extra or {})
        try:
            Spec.from_json({key: value for key, value in told.items() if key in known})
        except ExplorerError as error:
            raise ValueError(str(error)) from None
        return self


class Measured(Document):
    """A measurement, see `explorer.evaluation.measurement.Measurement`. Its metric stands under its own name."""

    metric: MetricName = "top1"
    params: Positive
    macs: Positive
    size_bytes: Positive
    latency_ms: Annotated[float, Field(gt=0, le=1e9)]
    latency: list["Waited"] = Field([])
    samples: Count = 0
    nonzero_params: Count | None = None
    nonzero_macs: Count | None = None
    compressed_bytes: Positive | None = None

    @model_validator(mode="after")
    def _metric_fits(self) -> Self:
        low, high = (-1e15, 1e15) if not METRICS[self.metric].share else (0, 1)
        for key in (self.metric, f"{self.metric}_low", f"{self.metric}_high"):
            check_number(self, key, low, high)
        return self


class Waited(Document):
    """How far one latency was disturbed, see `explorer.evaluation.timing.Latency`."""

    waited: Number | None = None


class Layer(Document):
    """What a step did to the single weights of a layer, see `explorer.pruning.unstructured.told`."""

    name: Text
    shape: list[Positive]
    weights: Positive
    kept: Count
    sparsity: Share
    removed: Count
    regrown: Count
    margins: Annotated[list[Number], Field(min_length=2, max_length=2)] | None
    histogram: "Histogram"

    @model_validator(mode="after")
    def _keeps_what_it_has(self) -> Self:
        if self.kept > self.weights:
            raise ValueError(f"{self.kept} of {self.weights} weights can't be kept")
        return self


class Histogram(Document):
    """Counts in bins of equal width."""

    low: Number
    high: Number
    kept: Annotated[list[Amount], Field(min_length=1, max_length=10_000)]
    removed: Annotated[list[Amount], Field(min_length=1, max_length=10_000)]

    @model_validator(mode="after")
    def _bins_are_the_same(self) -> Self:
        if len(self.kept) != len(self.removed) or self.low > self.high:
            raise ValueError("the bins of a histogram differ")
        return self


class Step(Document):
    """A cut of a method that makes several, or a segment of one that sets weights to zero."""

    step: Positive
    macs: Positive
    params: Positive
    rolled_back: bool
    folder: Annotated[str, Field(pattern=r"^steps/[0-9]{1,6}$")] | None = None
    sparsity: Share | None = None
    epochs: Count | None = None
    layers: Annotated[list[Layer], Field(min_length=1)] | None = None


class Width(Document):
    """What is kept of a group, in channels."""

    name: Text
    size: Positive
    kept: Count

    @model_validator(mode="after")
    def _keeps_what_it_has(self) -> Self:
        if self.kept > self.size:
            raise ValueError(f"{self.kept} of {self.size} channels can't be kept")
        return self


class Left(Document):
    """The fractions that are left."""

    params: Share
    macs: Share


class Times(Document):
    """One latency."""

    device: Text
    batch: Positive
    median_ms: Annotated[float, Field(gt=0, le=1e9)]


class Kernels(Document):
    """What was measured with kernels that skip zeros, see `explorer.evaluation.nonzero.semi_structured`."""

    measured: bool
    reason: Text = ""
    layers: list[Text] = Field([])
    dense: list[Times] = Field([])
    sparse: list[Times] = Field([])

    @model_validator(mode="after")
    def _times_are_there(self) -> Self:
        if self.measured and not (self.dense and self.sparse):
            raise ValueError("the times are missing")
        return self


class Zeros(Document):
    """What zeros save, see `explorer.methods.tools.sparse_account.account`."""

    sparsity: Share
    weights: Positive
    zeros: Count
    params: Positive
    nonzero_params: Count
    macs: Positive
    nonzero_macs: Count
    size_bytes: Positive
    compressed_bytes: Positive
    deflated_bytes: Positive
    semi_structured: Kernels


class Compared(Document):
    """A comparison that was made before a bundle was kept."""

    name: Text
    batches: list[Positive]
    max_abs_diff: Amount
    tolerance: Amount
    agreement: Share | None = None
    samples: Count | None = None
    top1_onnx: Share | None = None


class PairedCounts(Document):
    """How many test samples the base and the end of a run answer right, see `explorer.evaluation.paired.Paired`."""

    both: Count
    lost: Count
    gained: Count
    neither: Count


class Ratio(Document):
    """Latency against the base, see `explorer.evaluation.side_by_side.LatencyRatio`."""

    batch: Positive
    base_ms: Annotated[float, Field(gt=0, le=1e9)]
    ms: Annotated[float, Field(gt=0, le=1e9)]
    ratio: Annotated[float, Field(gt=0, le=1e9)]
    low: Amount
    high: Amount
    rounds: Positive


class AgainstBase(Document):
    """How the end of a run stands to its base, see `explorer.methods.tools.steps.against_base`."""

    paired: PairedCounts | None = None
    latency: list[Ratio] = Field([])


class Above(Document):
    """The run that another one started from, see `explorer.runs.identity.Parent`."""

    ref: Text
    id: Text | None = None
    step: Count | None = None


class Identity(Document):
    """Who a run is, see `explorer.runs.identity.Origin`."""

    id: Annotated[str, Field(pattern=r"^[A-Za-z0-9_-]{1,64}$")]
    created: Moment
    parent: Above | None


class Recovery(Document):
    """What a recovery did, see `explorer.recovery.registry.History`."""

    epochs: list[dict[str, Any]] = Field([])
    metric: Text = "top1"


class Report(Document):
    """The report of a finished run, see `explorer.runs.result.RunResult`."""

    spec: Asked
    base: Measured
    as_cut: Measured | None = None
    pruned: Measured
    against_base: AgainstBase = AgainstBase()
    chance: Share | None = None
    achieved: Left
    groups: list[Width]
    steps: list[Step] = Field([])
    sparse: Zeros | None = None
    seconds: Seconds
    recovery: Recovery = Recovery()
    stages: dict[str, Any] = Field({})
    warnings: list[Text] = Field([])
    checks: list[Compared] = Field([])
    id: Text | None = None
    created: Moment | None = None
    parent: Above | None = None
    title: Text = ""
    input_shape: Annotated[list[Positive], Field(min_length=1, max_length=3)] | None = None
    out: Text = ""

    @field_validator("as_cut", "sparse", "parent", mode="before")
    @classmethod
    def _empty_is_none(cls, value: object) -> object:
        return None if value == {} else value

    @model_validator(mode="after")
    def _fits_together(self) -> Self:
        metric = self.base.metric
        if any(found.metric != metric for found in (self.pruned, self.as_cut) if found is not None):
            raise ValueError("its models are measured by different metrics")
        _unique([group.name for group in self.groups], "groups")
        _in_order([step.step for step in self.steps], "steps")
        for step in self.steps:
            for when in ("before", "after"):
                check_number(step, f"{metric}_{when}", required=True)
        if self.sparse is not None:
            if self.pruned.nonzero_params is None or self.pruned.compressed_bytes is None:
                raise ValueError("what its zeros save is missing")
            if any(step.sparsity is None or step.epochs is None for step in self.steps):
                raise ValueError("its steps tell of no zeros")
            _of_the_same_layers([step.layers for step in self.steps])
        return self


class Kept(Document):
    """The values that a step of a sparse method leaves beside its tensors."""

    sparsity: Share
    before: Number | None
    after: Number | None
    recovery: Recovery
    layers: Annotated[list[Layer], Field(min_length=1)]


class Told(Document):
    """A report that a job made on its way, with its metrics beside these keys."""

    time: Moment
    fraction: Share
    message: Text

    @model_validator(mode="after")
    def _metrics_are_numbers(self) -> Self:
        for key in self.model_extra or {}:
            check_number(self, key)
        return self


class Point(Told):
    """A step of a gradual method; step 0 is the model that it began with."""

    step: Annotated[float, Field(ge=0, le=1e6)]
    macs: Annotated[float, Field(gt=0, le=1e15)]
    params: Annotated[float, Field(gt=0, le=1e15)]
    rolled_back: Number


class Progress(Document):
    """A line of a job's events that tells how far it is."""

    event: Literal["progress"]
    time: Moment
    fraction: Share
    message: Text
    metrics: dict[str, Number | None]


class Warned(Document):
    """A line of a job's events that warns."""

    event: Literal["warning"]
    message: Text


class Scored(Document):
    """The result of a job that scores."""

    criterion: Text
    seconds: Seconds
    skipped: dict[str, Text]
    file: Text


class Agreed(Document):
    """The result of a job that compares criteria."""

    criteria: list[Text]
    file: Text


class ScoreFile(Document):
    """The scores that a job has left beside itself, see `explorer.criteria.Scores`."""

    criterion: Text
    seconds: Seconds
    groups: dict[str, list[Number | None]]
    skipped: dict[str, Text] = Field({})


class Dispute(Document):
    """A unit that two criteria rank differently."""

    group: Text
    unit: Count
    first: Text
    second: Text
    first_rank: Share
    second_rank: Share


class AgreementFile(Document):
    """The comparison of criteria that a job has left beside itself, see `explorer.methods.studies.agreement`."""

    criteria: Annotated[list[Text], Field(min_length=1)]
    units: dict[str, Positive]
    overall: list[list[Number | None]]
    groups: dict[str, list[list[Number | None]]]
    disputes: list[Dispute]
    scores: dict[str, dict[str, list[Number | None]]]
    skipped: dict[str, dict[str, Text]]
    effect: dict[str, Any] | None = None

    @model_validator(mode="after")
    def _is_square(self) -> Self:
        count = len(self.criteria)
        for matrix in (self.overall, *self.groups.values()):
            if len(matrix) != count or any(len(row) != count for row in matrix):
                raise ValueError("a pair of criteria is missing")
        told = {*self.skipped, *(name for each in self.disputes for name in (each.first, each.second))}
        if not self.scores.keys() >= {*self.criteria, *told} or not self.units.keys() >= self.groups.keys():
            raise ValueError("the scores of a criterion, or the units of a group, are missing")
        return self


class Answer(Document):
    """A point of a sensitivity curve; the metric stands under its own name."""

    ratio: Share
    removed: Count


class Curves(Document):
    """The result of a sensitivity study."""

    criterion: Text
    metric: MetricName
    samples: Count
    base: Number
    groups: dict[str, list[Answer]]
    skipped: dict[str, Text]

    @model_validator(mode="after")
    def _points_have_the_metric(self) -> Self:
        for points in self.groups.values():
            for point in points:
                check_number(point, self.metric, required=True)
        return self


class Clocked(Document):
    """A point of a group's latency by width."""

    width: Count
    kept: Count
    ms: Number
    low: Number
    high: Number


class Cliff(Document):
    """A width at which a group's latency jumps."""

    width: Count
    to: Count
    ms: Number
    why: Text


class Staircase(Document):
    """A group's latency by width."""

    points: list[Clocked]
    cliffs: list[Cliff]


class Timed(Document):
    """The result of a latency profile."""

    runtime: Text
    batch: Positive
    device: Text
    base_ms: Annotated[float, Field(gt=0, le=1e9)]
    scale: Number
    overlap_ms: Number
    groups: dict[str, Staircase]
    reach_ms: Number
    error: Number | None
    remarks: list[Text]


class Rung(Document):
    """A stage of a recovery comparison."""

    recovery: Text
    seconds: Seconds
    warnings: list[Text]


class Ladder(Document):
    """The result of a recovery comparison."""

    metric: MetricName
    base: dict[str, Any]
    kept: Left
    rungs: list[Rung]

    @model_validator(mode="after")
    def _rungs_have_the_metric(self) -> Self:
        for rung in self.rungs:
            for key in (self.metric, f"{self.metric}_low", f"{self.metric}_high"):
                check_number(rung, key)
        if not isinstance(self.base.get(self.metric), int | float):
            raise ValueError(f"it lacks {self.metric!r} of the base model")
        return self


class Shares(Document):
    """The result of sharing out targets."""

    groups: list[Width]
    warnings: list[Text]
    reach: list[dict[str, Any]]
    costs: dict[str, Any]


class SavedJob(Document):
    """A saved job, see `explorer.runs.queue.job.Job`."""

    id: Annotated[str, Field(pattern=r"^[A-Za-z0-9_-]{1,64}$")]
    owner: Annotated[str, Field(pattern=r"^[A-Za-z0-9_-]{0,128}$")]
    title: Text
    request: dict[str, Any]
    device: Text
    directory: Text
    state: Literal["queued", "running", "done", "failed", "cancelled"] = "queued"
    fraction: Share = 0.0
    message: Text = ""
    points: list[Point] = Field([])
    history: list[Told] = Field([])
    warnings: list[Text] = Field([])
    result: dict[str, Any] | None = None
    error: Text | None = None
    created: Moment = 0.0
    started: Moment | None = None
    finished: Moment | None = None
    stopping: bool = False
    deaths: Count = 0
    died_after: Count = 0
    key: Text = ""
    seconds: Annotated[float, Field(gt=0, lt=1e9)] | None = None
    overdue: bool = False

    @model_validator(mode="after")
    def _fits_its_kind(self) -> Self:
        kind, spec = self.request.get("kind"), self.request.get("spec")
        if not isinstance(kind, str):
            raise ValueError("its request has no kind")
        check_inner("request.spec", spec, Asked if kind == "prune" else Subject)
        if self.state == "done" and kind in RESULTS:
            check_inner("result", self.result, RESULTS[kind])
        _in_order([point.step for point in self.points], "points")
        if self.points:
            _of_one_trajectory([point.model_extra or {} for point in self.points])
        return self


class Subject(Document):
    """What a job is about."""

    model: Text
    data: Text


RESULTS: Mapping[str, type[Document]] = {
    "prune": Report,
    "score": Scored,
    "agreement": Agreed,
    "evaluate": Measured,
    "sensitivity": Curves,
    "latency": Timed,
    "ladder": Ladder,
    "budget": Shares,
}
"""What a job of a kind has found."""


def read_report(path: Path) -> dict[str, Any]:
    """The report of a finished run.

    Raises:
        FileNotFoundError, NotADirectoryError: there is none.
        DamagedError, ExplorerError: it is damaged, or can't be read.
    """
    return checked(read_object(path), Report, path)


def read_scored(path: Path) -> dict[str, Any]:
    """The scores that a job has left in a file.

    Raises:
        ExplorerError: they are gone, damaged, or can't be read.
    """
    return _left(path, ScoreFile)


def read_agreement(path: Path) -> dict[str, Any]:
    """The comparison of criteria that a job has left in a file.

    Raises:
        ExplorerError: it is gone, damaged, or can't be read.
    """
    return _left(path, AgreementFile)


def _left(path: Path, kind: type[Document]) -> Any:
    try:
        return checked(read_sealed(path), kind, path)
    except (FileNotFoundError, NotADirectoryError):
        raise DamagedError(f"{str(path)!r} is gone: let it be computed again") from None


def read_plan(path: Path, report: Mapping[str, Any]) -> Plan:
    """The plan of a finished run, which must be that of its report.

    Raises:
        FileNotFoundError, NotADirectoryError: there is none.
        DamagedError, ExplorerError: it is damaged, or can't be read.
    """
    document = read_json(path)
    try:
        plan = Plan.from_json(document)
    except ExplorerError as error:
        raise DamagedError(f"{str(path)!r} is damaged: {error}") from None
    for group in report["groups"]:
        if len(plan.remove.get(group["name"], ())) > group["size"] - group["kept"]:
            raise DamagedError(f"{str(path)!r} is damaged: it removes more of {group['name']} than the report tells")
    return plan


def _unique(names: list[str], what: str) -> None:
    if len(set(names)) < len(names):
        raise ValueError(f"two of its {what} have the same name")


def _in_order(numbers: list[float], what: str) -> None:
    if any(later <= earlier for earlier, later in pairwise(numbers)):
        raise ValueError(f"its {what} are not in order")


def _of_the_same_layers(steps: list[list[Layer] | None]) -> None:
    names = [[layer.name for layer in layers or ()] for layers in steps]
    if not all(names) or any(found != names[0] for found in names):
        raise ValueError("its steps tell of different layers")
    _unique(names[0] if names else [], "layers")


def _of_one_trajectory(points: list[Mapping[str, Any]]) -> None:
    """Points have the metric, and the groups, of the first one."""
    metrics = [key for key in points[0] if key in METRICS]
    widths = {key: points[0][key] for key in points[0] if key.startswith("width/")}
    if any(not value or value < 0 for value in widths.values()):
        raise ValueError("a width of its first point is no number of channels")
    for point in points:
        if not point.keys() >= {*metrics, *widths} or any(point[key] is None for key in widths):
            raise ValueError("its points tell of different groups or metrics")
        if any(key.startswith("width/") and (key not in widths or point[key] < 0) for key in point):
            raise ValueError("its points tell of different groups")
