"""Tables from the engine's results, as data frames with the columns that the pages show."""

from collections.abc import Mapping
from typing import Any

import pandas as pd

from explorer.evaluation.contention import disturbed
from explorer.structure import Structure
from explorer.tasks import headline, metric_of
from explorer.ui.text import words


def groups(structure: Structure) -> pd.DataFrame:
    """One row per group, in network order; `params` and `macs` are the shares that removing all of it would save."""
    whole = structure.cost()
    rows = []
    for name, group in structure.groups.items():
        without = structure.cost({name: 0})
        rows.append(
            {
                "name": name,
                "kind": group.kind,
                "channels": group.size,
                "unit": group.unit,
                "units": group.units,
                "kept": group.size,
                "exact": group.exact,
                "params": 1 - without.params / max(whole.params, 1),
                "macs": 1 - without.macs / max(whole.macs, 1),
                "why": group.why if group.exact else f"{group.why} Not exact: {group.reason}.",
            }
        )
    return pd.DataFrame(rows)


def after(table: pd.DataFrame, kept: Mapping[str, int]) -> pd.DataFrame:
    """The table with the channels that `kept` units of each group come to."""
    return table.assign(kept=[kept[name] * unit for name, unit in zip(table.name, table.unit, strict=True)])


def comparison(result: Mapping[str, Any]) -> pd.DataFrame:
    """A prune result's base, as cut and recovered model side by side, formatted."""
    stages = [("Base model", result["base"]), ("As cut", result.get("as_cut")), ("After recovery", result["pruned"])]
    base = result["base"]
    columns = {}
    for title, found in stages:
        if found:
            columns[title] = [
                quality(found),
                _number(found, base, "params", words.count),
                _number(found, base, "macs", words.count),
                _number(found, base, "latency_ms", lambda value, found=found: _latency(value, found)),
                _number(found, base, "size_bytes", words.size),
            ]
    index = [
        f"{metric_of(base).label} on test data (95% interval)",
        "Parameters",
        "MACs",
        "Latency, batch of 1",
        "Size on disk",
    ]
    return pd.DataFrame(columns, index=index)


def _latency(value: float, found: Mapping[str, Any]) -> str:
    return f"{value:.2f} ms{', too long: busy machine' if disturbed(found.get('latency', ())) else ''}"


def quality(found: Mapping[str, Any]) -> str:
    """The task's main metric with its interval."""
    main = headline(found)
    return "not measured" if main is None else main.text()


def _number(found: Mapping[str, Any], base: Mapping[str, Any], key: str, text: Any) -> str:
    value = found.get(key)
    if value is None:
        return "–"
    return text(value) if found is base else f"{text(value)} ({words.change(base[key], value)})"


def qualities(result: Mapping[str, Any]) -> pd.DataFrame | None:
    """The task's metric of base, as cut and recovered model for a chart; None where nothing was measured."""
    stages = [("Base model", result["base"]), ("As cut", result.get("as_cut")), ("After recovery", result["pruned"])]
    rows = [
        {
            "model": title,
            "value": main.value,
            "low": main.value if main.low is None else main.low,
            "high": main.value if main.high is None else main.high,
        }
        for title, main in ((title, headline(found)) for title, found in stages if found)
        if main is not None
    ]
    return pd.DataFrame(rows) if rows else None
