"""The models on the way: accepted steps of a run, each in a folder that loads as ``run:`` and can be pruned further."""

import json
import re
import shutil
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, NoReturn

from torch import Tensor

from explorer.errors import ResourceError
from explorer.export.layout import PRUNED_AT, REPORT, STEPS
from explorer.export.tensors import save_tensors
from explorer.files import write_json
from explorer.methods.tools.stages import Record
from explorer.runs.checkpoint import Checkpoint
from explorer.runs.identity import Origin
from explorer.sources.models.saved_runs import TOKENIZER

LIMIT = 2 * 2**30  # bytes of weights that the steps of one run may take
_STEP = re.compile(r"(?:step|sparse)-(\d+)")
_MEMORY = "optimizer/"  # the part of a sparse method's records that only a resumed run needs
_SHARED = ("model", "data", "trained", "architecture", "input_shape", "classes", "kind", "normalisation", "tokenizer")
_SHARED += ("id", "created", "parent", "spec", "device", "versions")


class Steps:
    """The memo of a run, which notices the accepted steps and afterwards writes those that fit into `LIMIT`.

    A method's record ``step-NN`` or ``sparse-NN`` is kept where its values have a `plan` from the base model, the
    `attributes` that `adapt` needs, and were not `rolled_back`; of a sparse one also when its weights became zero.
    Beside the records lies the run's `origin`.
    """

    def __init__(self, checkpoint: Checkpoint, origin: Origin) -> None:
        self._checkpoint, self._origin = checkpoint, origin
        self._accepted: dict[int, str] = {}
        self._chosen: list[int] = []

    def __call__(self, name: str, make: Callable[[], Record]) -> Record:
        record = self._checkpoint(name, make)
        self._origin.keep(self._checkpoint.folder)
        number = _STEP.fullmatch(name)
        if number and "plan" in record.values and not record.values["rolled_back"]:
            self._accepted[int(number[1])] = name
        return record

    def choose(self, steps: Sequence[Mapping[str, Any]]) -> tuple[list[dict[str, Any]], list[str]]:
        """The steps of a result, those that will be kept with their `folder` in the bundle; and what is to be minded.

        The last ones are kept where there is no room for all.
        """
        room = LIMIT
        for number, name in sorted(self._accepted.items(), reverse=True):
            room -= _size(self._checkpoint.folder / f"{name}.safetensors")
            if room < 0:
                break
            self._chosen.insert(0, number)
        told = [
            {**step, "folder": f"{STEPS}/{step['step']:02}"} if step["step"] in self._chosen else dict(step)
            for step in steps
        ]
        if len(self._chosen) == len(self._accepted):
            return told, []
        return told, [
            f"the models of the last {len(self._chosen)} of {len(self._accepted)} steps are kept: all of them would "
            f"take more than {LIMIT / 2**30:g} GiB, so no run can start from the others"
        ]

    def write(self, bundle: Path, report: Mapping[str, Any]) -> None:
        """Writes the chosen steps into the bundle's folder, of which `report` is the report.

        Raises:
            ResourceError: a record that was there can't be read any more.
        """
        for step in report["steps"]:
            if step["step"] not in self._chosen:
                continue
            folder = bundle / step["folder"]
            folder.mkdir(parents=True)
            record = self._checkpoint(self._accepted[step["step"]], _unreadable)
            parts = _parts(record)
            save_tensors(folder / "weights.safetensors", parts["weights"])
            if "pruned_at" in parts:
                save_tensors(folder / PRUNED_AT, parts["pruned_at"])
            write_json(folder / "plan.json", record.values["plan"])
            own = {
                "title": f"{report['title']}, step {step['step']}",
                "attributes": record.values["attributes"],
                "out": f"{report['out']}/{step['folder']}",
                "recovery": record.values["recovery"],
            }
            write_json(folder / REPORT, {**own, **step, **{key: report[key] for key in _SHARED}})
            if report["tokenizer"]:
                shutil.copytree(bundle / TOKENIZER, folder / TOKENIZER)


def _parts(record: Record) -> dict[str, dict[str, Tensor]]:
    """The tensors of a record by part; those of a method that cuts channels are weights alone."""
    parts: dict[str, dict[str, Tensor]] = {}
    for key, tensor in record.tensors.items():
        part, slash, name = key.partition("/")
        parts.setdefault(part if slash else "weights", {})[name if slash else key] = tensor
    return parts


def _size(path: Path) -> int:
    """Bytes of what is kept of a record, which does without the optimiser's memory."""
    with path.open("rb") as record:
        header = json.loads(record.read(int.from_bytes(record.read(8), "little")))
    kept = [entry["data_offsets"] for name, entry in header.items() if not name.startswith((_MEMORY, "__metadata__"))]
    return sum(stop - start for start, stop in kept)


def _unreadable() -> NoReturn:
    raise ResourceError("a finished step can't be read any more: check the disk, then go on with --resume")
