"""Scores of units: all groups as a heatmap, one group as a histogram."""

from collections.abc import Mapping

import altair as alt
import numpy as np
import pandas as pd

from explorer.ui.charts.axes import finish, group_y, row_height
from explorer.ui.charts.colours import ACCENT, MUTED, SEQUENTIAL, indexed_png, palette

IMAGE_WIDTH = 1536
GAP = 3


def levels(
    scores: Mapping[str, np.ndarray], *, shared: bool, steps: int = 250
) -> tuple[dict[str, np.ndarray], float, float]:
    """Every group's scores, sorted from low to high, as colour steps 0 … steps - 1.

    On the shared scale the same score is the same colour in every group; the scale spans the 1st to the
    99th percentile of all scores, so that a few extreme units don't wash out the rest.

    Returns:
        The steps of each group, and the scores that the lowest and the highest colour stand for.
    """
    everything = np.concatenate([np.asarray(values, dtype=float) for values in scores.values()])
    finite = everything[np.isfinite(everything)]
    low, high = (float(np.percentile(finite, q)) for q in (1, 99)) if finite.size else (0.0, 1.0)
    stepped = {}
    for name, values in scores.items():
        ordered = np.sort(np.nan_to_num(np.asarray(values, dtype=float), nan=low))
        bottom, top = (low, high) if shared else (ordered[0], ordered[-1])
        part = (ordered - bottom) / (top - bottom) if top > bottom else np.full(len(ordered), 0.5)
        stepped[name] = (np.clip(part, 0, 1) * (steps - 1)).round().astype(np.uint8)
    return stepped, low, high


def heat_image(stepped: Mapping[str, np.ndarray], row: int) -> str:
    """A PNG data URL: one stripe of `row` pixels per group, cells enlarged without smoothing, clear gaps between."""
    clear = len(palette())
    image = np.full((row * len(stepped), IMAGE_WIDTH), clear, dtype=np.uint8)
    for index, steps in enumerate(stepped.values()):
        cells = np.arange(IMAGE_WIDTH) * len(steps) // IMAGE_WIDTH
        image[index * row + 1 : (index + 1) * row - GAP + 1] = steps[cells]
    return indexed_png(image, np.vstack([palette(), [[0, 0, 0, 0]]]))


def heatmap(
    scores: Mapping[str, np.ndarray], facts: pd.DataFrame, *, shared: bool, pick: str = "pick"
) -> alt.LayerChart:
    """All scores at once: a row per group in network order, a cell per unit, sorted from low to high.

    The cells are one image below one invisible rectangle per group, which carries the tooltip and the click:
    a mark per cell would take seconds to draw.

    Args:
        scores: one score per unit of every group, higher = keep.
        facts: indexed by group, columns kind and cut (fraction of units that the budget removes).
    """
    names = list(scores)
    stepped, low, high = levels(scores, shared=shared)
    row = row_height(len(names))
    rows = pd.DataFrame(
        {
            "group": names,
            "kind": [facts.kind[name] for name in names],
            "units": [len(scores[name]) for name in names],
            "lowest": [float(np.min(scores[name])) for name in names],
            "median": [float(np.median(scores[name])) for name in names],
            "highest": [float(np.max(scores[name])) for name in names],
            "cut": [float(facts.cut[name]) for name in names],
            "right": 1.0,
        }
    )
    y = group_y(names, limit=190, gap=0)
    x = alt.X(
        "start:Q",
        scale=alt.Scale(domain=[0, 1], nice=False, padding=0),
        axis=alt.Axis(title="Units, lowest score first", format=".0%", grid=False),
    )
    picture = (
        alt.Chart(pd.DataFrame({"url": [heat_image(stepped, row)]}))
        .mark_image(
            width=alt.expr("width"),
            height=alt.expr("height"),
            aspect=False,
            align="left",
            baseline="top",
            x=0,
            y=0,
        )
        .encode(url="url:N")
    )
    tooltip = [
        alt.Tooltip("group:N", title="Group"),
        alt.Tooltip("kind:N", title="Kind"),
        alt.Tooltip("units:Q", title="Units"),
        *(alt.Tooltip(f"{part}:Q", title=f"{part.capitalize()} score", format=".3~g") for part in ("lowest", "median")),
        alt.Tooltip("highest:Q", title="Highest score", format=".3~g"),
        alt.Tooltip("cut:Q", title="Removed by the budget", format=".0%"),
    ]
    selection = alt.selection_point(name=pick, fields=["group"], on="click", clear=False)
    cover = (
        alt.Chart(rows.assign(start=0.0))
        .mark_rect(fill="transparent", cursor="pointer")
        .encode(y=y, x=x, x2="right:Q", tooltip=tooltip)
        .add_params(selection)
    )
    cuts = (
        alt.Chart(rows[rows.cut > 0].assign(start=lambda frame: frame.cut))
        .mark_tick(orient="vertical", color="#ff3b5c", thickness=3, size=row)
        .encode(y=y, x=x)
    )
    legend = (
        alt.Chart(pd.DataFrame({"score": [low, high], "group": names[:1] * 2, "start": [0.0, 0.0]}))
        .mark_point(opacity=0, size=0)
        .encode(
            y=y,
            x=x,
            color=alt.Color(
                "score:Q",
                scale=alt.Scale(domain=[low, high] if shared else [0, 1], range=list(SEQUENTIAL)),
                legend=alt.Legend(
                    title="Score" if shared else "Score within its group",
                    orient="top",
                    gradientLength=220,
                    gradientThickness=10,
                    format=".3~g" if shared else ".0%",
                    tickCount=4,
                ),
            ),
        )
    )
    layers = [picture, legend, *([cuts] if (rows.cut > 0).any() else []), cover]
    return finish(alt.layer(*layers), row * len(names))


def distribution(values: np.ndarray, *, removed: int = 0, height: int = 220) -> alt.LayerChart:
    """How one group's scores are spread; the `removed` lowest are grey, the line shows where the budget cuts."""
    ordered = np.sort(values)
    edges = np.histogram_bin_edges(ordered, bins=min(40, max(8, len(ordered) // 2)))
    if edges[-1] <= edges[0]:
        edges = np.array([edges[0] - 0.5, edges[0] + 0.5])
    parts = (("removed", ordered[:removed]), ("kept", ordered[removed:]))
    frame = pd.concat(
        pd.DataFrame({"low": edges[:-1], "high": edges[1:], "units": np.histogram(part, edges)[0], "part": name})
        for name, part in parts
    )
    colour = alt.Scale(domain=["removed", "kept"], range=[MUTED, ACCENT])
    bars = (
        alt.Chart(frame[frame.units > 0])
        .mark_bar(binSpacing=1)
        .encode(
            x=alt.X("low:Q", bin="binned", title="Score (higher is kept)", axis=alt.Axis(format=".3~g", grid=False)),
            x2="high:Q",
            y=alt.Y("units:Q", title="Units", axis=alt.Axis(tickMinStep=1)),
            color=alt.Color(
                "part:N", scale=colour, title="Budget", legend=alt.Legend(orient="top") if removed else None
            ),
            tooltip=[
                alt.Tooltip("units:Q", title="Units"),
                alt.Tooltip("low:Q", title="Score from", format=".3~g"),
                alt.Tooltip("high:Q", title="to", format=".3~g"),
                alt.Tooltip("part:N", title="Budget"),
            ],
        )
    )
    return finish(alt.layer(bars), height)
