"""What the rows of the tables must hold, as they are kept in files; see `explorer.documents`."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal, Self

from pydantic import model_validator

from explorer.bench.answers import unpacked
from explorer.budget import ALLOCATORS
from explorer.criteria import CRITERIA
from explorer.documents import Amount, Count, Document, Number, Positive, Seconds, Share, Text, fits
from explorer.methods import METHODS
from explorer.reading import read_lines
from explorer.recovery import RECOVERIES
from explorer.runs.documents import MetricName
from explorer.tasks import METRICS


class Row(Document):
    """A row, which has an `error` where nothing came of it, else the numbers of its `FOUND`."""

    error: Text | None = None

    @model_validator(mode="after")
    def _found_something(self) -> Self:
        found = FOUND[type(self)]
        if self.error is None and not fits(self.model_extra, found):
            raise ValueError("its numbers are missing")
        return self


class Ended(Document):
    """The metric of one run, whole, as cut and at the end."""

    metric: MetricName
    base: Number
    as_cut: Number
    value: Number
    samples: Positive
    seconds: Seconds

    @model_validator(mode="after")
    def _shares_are_shares(self) -> Self:
        if METRICS[self.metric].share and not all(0 <= value <= 1 for value in (self.base, self.as_cut, self.value)):
            raise ValueError(f"{self.metric} should be from 0 to 1")
        return self


class EndedCut(Ended):
    """That of a run that cut channels, with what it left."""

    params: Share
    macs: Share


class EndedSparse(Ended):
    """That of a run that set weights to zero, with how many."""

    sparsity: Share
    compressed_bytes: Positive
    size_bytes: Positive


class Covered(Document):
    """What became of a network of which a part of every group left."""

    groups: Count
    share: Share
    blocked: dict[str, Count]
    forwards: Amount
    forward: Seconds
    analysis: Seconds
    trial: Seconds
    kept: Share
    mask: Amount | None
    cost: bool
    trains: bool
    reload: Amount
    onnx: Amount | Text | None


class Played(Row):
    """A row of the scoreboard."""

    run: Text
    model: Text
    method: Text
    criterion: Text
    allocate: Text
    recover: Text
    target: Text
    preset: Text = ""
    seed: int

    @model_validator(mode="after")
    def _names_are_known(self) -> Self:
        places = {"method": METHODS, "criterion": CRITERIA, "allocate": ALLOCATORS, "recover": RECOVERIES}
        for key, registry in places.items():
            if getattr(self, key) not in registry:
                raise ValueError(f"there is no {key} {getattr(self, key)!r}")
        if self.preset and self.preset not in METHODS[self.method].presets:
            raise ValueError(f"there is no preset {self.preset!r} of {self.method}")
        return self


class PlayedSparse(Row):
    """A row of the comparison of sparse methods."""

    run: Text
    seed: int


class Stage(Document):
    """What a player reached at one stage of the comparison with rivals, by its one plan or by one for this stage."""

    value: Share
    right: Text
    seconds: Seconds
    reach: Seconds | None = None
    params: Share | None = None
    macs: Share | None = None


class EndedRival(Document):
    """That of one player on one network, target and seed."""

    metric: MetricName
    base: Share
    tested: Positive
    drawn: Positive
    params: Share
    macs: Share
    reach: Seconds
    stages: dict[str, Stage]

    @model_validator(mode="after")
    def _answers_are_of_the_images(self) -> Self:
        for name, stage in self.stages.items():
            if abs(unpacked(stage.right, self.tested).mean() - stage.value) > 1e-6:
                raise ValueError(f"the answers of {name} are others than its value")
        return self


class PlayedRival(Row):
    """A row of the comparison with rivals."""

    run: Text
    side: Literal["ours", "theirs"]
    player: Text
    model: Text
    target: Text
    seed: int
    split: Text
    epochs: Count
    rounds: Count = 1
    samples: Count = 0
    content: Text = ""
    revision: Count = 1


class Coverage(Row):
    """A row of the coverage table."""

    model: Text


FOUND: Mapping[type[Row], type[Document]] = {
    Played: EndedCut,
    PlayedSparse: EndedSparse,
    PlayedRival: EndedRival,
    Coverage: Covered,
}


def read_rows(path: Path, kind: type[Row]) -> tuple[list[dict[str, Any]], int]:
    """The rows in a file that hold what they should, and how many others it has; a torn last line is none.

    Raises:
        FileNotFoundError, NotADirectoryError, DamagedError, ExplorerError: see `explorer.reading.read_text`.
    """
    found = [(row, fits(row, kind)) for row in read_lines(path)]
    return [row for row, good in found if good], sum(not good for _, good in found)
