"""The rows of the coverage table for a person, and what they come to."""

import re
from collections import Counter
from statistics import median
from typing import Any

from explorer.bench.coverage.row import EXACT, RATIO
from explorer.bench.kept import pipes

Found = dict[str, Any]  # a row
_CAUSES = 12  # most frequent ones that are listed

FAMILY_HEADS = ["family", "networks", "all groups cut", "share", "wrong", "forwards", "most forwards"]
HEADS = [
    "model", "groups", "share", "forwards", "forward s", "analysis s", "trial s", "params kept", "mask = cut",
    "cost = count", "trains", "reloads", "ONNX",
]  # fmt: skip
INTRODUCTION = """
# Which networks it can cut

Every classifier, segmentation network and object detector of torchvision; small architectures of each kind in timm;
small configurations of transformers and diffusers; and others: YOLO, segmentation_models_pytorch, networks for video,
recurrent ones, graphs, and what is written by hand. No weights are fetched: all are random, and made generic so that
a wrong cut shows. Each row is a run of its own, made by `python -m explorer bench coverage`: 30 % of the units of
every group leave.

*share* is that of the parameters in groups that can be cut (a tensor counts if one of its axes belongs to a group;
embeddings and layers that make the outputs are left out), *forwards* the passes of the whole network that the
analysis makes. *analysis* finds the groups, *trial* proves them by cutting; seconds are from a busy machine with two
cores. A mask equals its cut, and a reloaded network the cut one, if their outputs do; differences are relative to the
largest output. Names in reasons are left out (…), and numbers are N. Not counted as blocked are the outputs, parts
that inference does not reach, positions (tokens) that an input gives and layers mix, and single places of heads that
can leave as a whole (rotary embeddings fix them). A mask that rounding in float32 tells from its cut is compared in
float64. *ONNX* is how far the outputs of an exported file are from the cut network's; – where none was made
(`--no-onnx`).
"""


def is_installed(found: Found) -> bool:
    """Whether there is a row at all: the package that the network comes from may be missing."""
    return found.get("installed", True)


def is_wrong(found: Found) -> bool:
    """Whether something false was offered or nothing came of it; parts that can't be cut are not wrong."""
    if not is_installed(found):
        return False
    return (
        "error" in found
        or not (found["mask"] is None or found["mask"] <= EXACT)
        or not found["cost"]
        or found["reload"] != 0
        or not found["trains"]
    )


def is_whole(found: Found) -> bool:
    """Whether every group can be cut, rightly."""
    return is_installed(found) and not is_wrong(found) and not found["blocked"]


def is_green(found: Found) -> bool:
    """Whether nothing of a row falls short; parts that can't be cut count as falling short."""
    return is_whole(found) and (found["onnx"] is None or isinstance(found["onnx"], float))


def cells(found: Found) -> list[str]:
    """A row for a person; what falls short is spelled out."""
    if "error" in found:
        return [found["model"], found["error"], *[""] * (len(HEADS) - 2)]
    short = "; ".join(f"{channels} channels: {reason}" for reason, channels in _by_cause(found).items())
    mask, onnx = found["mask"], found["onnx"]
    return [
        found["model"],
        f"{found['groups']}" + (f" (not cuttable: {short})" if short else ""),
        f"{found['share']:.1%}",
        f"{found['forwards']:.0f}",
        f"{found['forward']:.2f}",
        f"{found['analysis']:.2f}",
        f"{found['trial']:.2f}",
        f"{found['kept']:.1%}",
        "not exact" if mask is None else f"{mask:.0e}" if mask <= EXACT else f"no: {mask:.1g}",
        "yes" if found["cost"] else "no",
        "yes" if found["trains"] else "no",
        "identical" if found["reload"] == 0 else f"no: {found['reload']:.1g}",
        "–" if onnx is None else onnx if isinstance(onnx, str) else f"{onnx:.0e}",
    ]


def markdown(rows: list[Found]) -> str:
    """The document: the table family by family, with lines that sum it up, and why what stays can't be cut."""
    families = list(dict.fromkeys(_family(row) for row in rows))
    told = pipes(FAMILY_HEADS, [_family_cells(name, [r for r in rows if _family(r) == name]) for name in families])
    parts = [INTRODUCTION, summary(rows), told]
    if found := causes(rows):
        parts += ["Why parts of them stay, most frequent first:", pipes(["networks", "reason"], found)]
    return "\n\n".join(part.strip() for part in [*parts, pipes(HEADS, [cells(row) for row in rows])]) + "\n"


def summary(rows: list[Found]) -> str:
    """How many networks are cut whole, and what the analysis takes."""
    there = [row for row in rows if is_installed(row)]
    lines = [f"{sum(map(is_green, rows))} of {len(rows)} models: every group cut by {RATIO:.0%}, nothing falls short."]
    if there:
        whole, share, wrong, usual, most = _figures(there)
        lines += [
            f"Every group can be cut in {whole} of {len(there)} ({whole / len(there):.0%}).",
            f"Rows that are wrong: {wrong}.",
            f"Of the parameters outside embeddings and outputs {share:.1%} can be cut (median).",
            f"The analysis makes {usual:.0f} forward passes where nothing is blocked (median), and {most:.0f} at most.",
        ]
    if missing := len(rows) - len(there):
        lines.append(f"{missing} are not installed.")
    return "\n".join(lines)


def _figures(rows: list[Found]) -> tuple[int, float, int, float, float]:
    """Whole rows, the median share, wrong rows, the median of forward passes where nothing is blocked, the most.

    A row that died counts as one of which nothing can be cut.
    """
    passes = [row["forwards"] for row in rows if "error" not in row]
    free = [row["forwards"] for row in rows if "error" not in row and not row["blocked"]]
    return (
        sum(map(is_whole, rows)),
        median(row.get("share", 0.0) for row in rows),
        sum(map(is_wrong, rows)),
        median(free or [0]),
        max(passes, default=0.0),
    )


def _family(found: Found) -> str:
    return found["model"].partition(":")[0]


def _family_cells(name: str, rows: list[Found]) -> list[str]:
    there = [row for row in rows if is_installed(row)]
    if not there:
        return [name, str(len(rows)), "not installed", *[""] * (len(FAMILY_HEADS) - 3)]
    whole, share, wrong, usual, most = _figures(there)
    return [name, str(len(rows)), str(whole), f"{share:.1%}", str(wrong), f"{usual:.0f}", f"{most:.0f}"]


def causes(rows: list[Found]) -> list[list[str]]:
    """The reasons why parts stay, without names and numbers, and in how many networks each is met."""
    met: Counter[str] = Counter()
    for row in rows:
        met.update(_by_cause(row).keys())
    return [[str(networks), reason] for reason, networks in met.most_common(_CAUSES)]


def _by_cause(found: Found) -> dict[str, int]:
    """Channels that stay, by the cause."""
    channels: Counter[str] = Counter()
    for reason, number in found.get("blocked", {}).items():
        channels[cause(reason)] += number
    return dict(channels)


def cause(reason: str) -> str:
    """A reason without the names of modules and without numbers, which differ from network to network."""
    named = re.sub(r"\b[A-Za-z_]\w*(\.\w+)+", "…", reason)
    return re.sub(r"\d+", "N", named)
