"""The rows of the coverage table for a person, and what they come to."""

import re
from collections import Counter
from statistics import median
from typing import Any

from explorer.bench.coverage.row import RATIO
from explorer.bench.kept import pipes

Found = dict[str, Any]  # a row
EXACT = 1e-4  # relative difference of outputs that float32 explains
_CAUSES = 12  # most frequent ones that are listed

HEADS = [
    "model", "groups", "share", "forwards", "forward s", "analysis s", "trial s", "params kept", "mask = cut",
    "cost = count", "trains", "reloads", "ONNX",
]  # fmt: skip


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
    short = "; ".join(f"{channels} channels: {reason}" for reason, channels in found["blocked"].items())
    mask, onnx = found["mask"], found["onnx"]
    return [
        found["model"],
        f"{found['groups']}" + (f" (not cuttable: {short})" if short else ""),
        f"{found['share']:.1%}",
        f"{found['forwards']}",
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
    """The table as Markdown, with lines that sum it up, and why what stays can't be cut."""
    found = causes(rows)
    listed = f"\n{pipes(['networks', 'why parts of them can not be cut'], found)}" if found else ""
    return f"{pipes(HEADS, [cells(row) for row in rows])}\n{summary(rows)}\n{listed}"


def summary(rows: list[Found]) -> str:
    """How many networks are cut whole, and what the analysis takes."""
    there = [row for row in rows if is_installed(row)]
    done = [row for row in there if "error" not in row]
    lines = [f"{sum(map(is_green, rows))} of {len(rows)} models: every group cut by {RATIO:.0%}, nothing falls short."]
    if done:
        whole, shares = sum(map(is_whole, there)), [row.get("share", 0.0) for row in there]
        free = [row["forwards"] for row in done if not row["blocked"]]
        lines += [
            f"Every group can be cut in {whole} of {len(there)} ({whole / len(there):.0%}).",
            f"Rows that are wrong: {sum(map(is_wrong, there))}.",
            f"Of the parameters outside embeddings and outputs {median(shares):.1%} can be cut (median).",
            f"The analysis makes {median(free or [0]):g} forward passes where nothing is blocked (median), and "
            f"{max(row['forwards'] for row in done)} at most.",
        ]
    if missing := len(rows) - len(there):
        lines.append(f"{missing} are not installed.")
    return "\n".join(lines)


def causes(rows: list[Found]) -> list[list[str]]:
    """The reasons why parts stay, without names and numbers, and in how many networks each is met."""
    met: Counter[str] = Counter()
    for row in rows:
        met.update({cause(reason) for reason in row.get("blocked", {})})
    return [[str(networks), reason] for reason, networks in met.most_common(_CAUSES)]


def cause(reason: str) -> str:
    """A reason without the names of modules and without numbers, which differ from network to network."""
    named = re.sub(r"\b[A-Za-z_]\w*(\.\w+)+", "…", reason)
    return re.sub(r"\d+", "N", named)
