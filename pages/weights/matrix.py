"""A layer's weights as a matrix on the page: their magnitudes with the mask, and since when each is zero."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import altair as alt
import numpy as np
import pandas as pd
import streamlit as st
import torch

from explorer.plain import named, plain
from explorer.runs.history.single_weights import Snapshot
from explorer.ui.charts.axes import finish
from explorer.ui.charts.colours import CAME_BACK, MUTED, indexed_png, palette, rgb
from explorer.ui.parts import presenting

ROWS, COLUMNS = 256, 512  # weights that a picture shows one by one; more are gathered
WIDE, LARGEST = 1024, 24  # pixels of a picture, and of one weight
ZERO, STAYS, RETURNED = (150, 158, 163, 90), (242, 242, 242, 255), (*rgb(CAME_BACK), 255)
WHOLE, PART = "Whole", "Weight by weight"


@dataclass(frozen=True)
class Matrix:
    """A layer as a matrix: a row per index of its first axis, and what lies behind it as columns.

    Arrays are of the same shape; a tall matrix lies on its side (`turned`). Each entry stands for `block` weights.
    """

    size: np.ndarray
    pruned_at: np.ndarray
    back: np.ndarray
    turned: bool = False
    block: tuple[int, int] = (1, 1)

    @classmethod
    def of(cls, found: Snapshot) -> "Matrix":
        """The magnitudes of a layer, when they became zero, and which of them came back."""
        rows, turned = len(found.weight), len(found.weight) > found.weight[0].numel()
        back = torch.zeros_like(found.pruned_at, dtype=torch.bool) if found.regrown is None else found.regrown
        flat = [part.reshape(rows, -1).numpy() for part in (found.weight.abs(), found.pruned_at, back)]
        return cls(*(part.T if turned else part for part in flat), turned=turned)

    def gathered(self) -> "Matrix":
        """Small enough to be shown as a whole: the largest magnitude of every block; it is zero when all of it is.

        A block that is zero became so with the last of its weights; one has come back where one of its weights has.
        """
        block = tuple(-(-length // most) for length, most in zip(self.size.shape, (ROWS, COLUMNS), strict=True))
        if block == (1, 1):
            return self
        zero = _gathered(self.pruned_at > 0, block, np.minimum)
        at = np.where(zero, _gathered(self.pruned_at, block, np.maximum), 0)
        sizes, back = _gathered(self.size, block, np.maximum), _gathered(self.back, block, np.maximum)
        return Matrix(sizes, at, back, self.turned, block)

    def part(self, row: int, column: int) -> "Matrix":
        """As many weights as a picture shows one by one, from that row and column on."""
        rows, columns = slice(row, row + ROWS), slice(column, column + COLUMNS)
        cut = [part[rows, columns] for part in (self.size, self.pruned_at, self.back)]
        return Matrix(*cut, turned=self.turned)

    def weights_picture(self) -> str:
        """A PNG data URL: the brighter the larger, grey what is zero, red what came back."""
        stays = self.size[self.pruned_at == 0]
        top = float(np.percentile(stays, 99)) if stays.size else 0.0
        steps = len(palette())
        level = np.clip(self.size / top, 0, 1) if top > 0 else np.zeros_like(self.size)
        indices = (level * (steps - 1)).round().astype(np.uint8)
        indices[self.pruned_at > 0] = steps
        indices[(self.pruned_at == 0) & self.back] = steps + 1
        return _enlarged(indices, [ZERO, RETURNED])

    def times_picture(self, last: int) -> str:
        """A PNG data URL: the brighter the later it became zero, of steps up to `last`; white what stays."""
        indices = _levels(np.maximum(self.pruned_at, 1), last)
        indices[self.pruned_at == 0] = len(palette())
        return _enlarged(indices, [STAYS])


def show(found: Snapshot, layer: str, last: int | None = None) -> None:
    """The layer's matrix with its mask and, of a run with steps up to `last`, since when each weight is zero."""
    whole = Matrix.of(found)
    shown = _chosen(whole)
    rows, columns = whole.size.shape
    shape = " × ".join(map(str, found.weight.shape))
    lies = ", lying on its side: a column per index of its first axis" if whole.turned else ""
    back = " Red: came back in this step." if whole.back.any() else ""
    pixels = LARGEST * shown.size.shape[1]
    width = "stretch" if pixels > WIDE else pixels
    left, right = st.columns(2, gap="medium") if last is not None else (st.container(), None)
    with left:
        st.markdown("**Magnitudes and mask**")
        st.image(shown.weights_picture(), width=width, alt=f"Magnitudes of the weights of {layer}, zeros grey")
        st.caption(
            f"{rows:,} rows × {columns:,} columns of {named(layer)} ({plain(shape)}){lies}. "
            f"{plain(_each(shown))}: the brighter the larger, grey is zero.{back}"
        )
    if right is None:
        return
    with right:
        st.markdown("**Zero since which step**")
        st.image(shown.times_picture(last), width=width, alt=f"Since which step the weights of {layer} are zero")
        steps, weights = found.pruned_at[found.pruned_at > 0].unique(return_counts=True)
        counts = dict(zip(steps.tolist(), weights.tolist(), strict=True))
        st.altair_chart(presenting.lettered(by_step(counts, last)), alt="How many of the zeros are of which step")
        st.caption("White stays. What came back and left again counts from the last time.")


def _chosen(whole: Matrix) -> Matrix:
    """The matrix as it can be shown at once, or the part of a large one that a person looks at."""
    gathered = whole.gathered()
    if gathered is whole:
        return whole
    with st.container(horizontal=True, vertical_alignment="bottom"):
        view = st.radio("Picture", [WHOLE, PART], key="part of matrix", horizontal=True)
        if view == WHOLE:
            return gathered
        places = [
            st.number_input(
                f"From {plain(name)}", 0, max(0, length - most), 0, most // 2, key=f"from {name}", width=140
            )
            for name, length, most in zip(("row", "column"), whole.size.shape, (ROWS, COLUMNS), strict=True)
        ]
    return whole.part(*places)


def _each(shown: Matrix) -> str:
    """What a pixel stands for."""
    rows, columns = shown.block
    if shown.block == (1, 1):
        return "Each pixel is one weight"
    return (
        f"Each pixel is the largest magnitude of {rows} × {columns} weights; it is zero where all of them are, since "
        "the last of them left"
    )


def by_step(counts: Mapping[int, int], last: int) -> alt.LayerChart:
    """How many of a layer's zeros are of which step, in the colours of the picture beside it."""
    colours = palette()[_levels(np.arange(1, last + 1), last)]
    shades = [f"#{bytes(colour[:3]).hex()}" for colour in colours]
    frame = pd.DataFrame({"step": range(1, last + 1), "weights": [counts.get(step, 0) for step in range(1, last + 1)]})
    bars = (
        alt.Chart(frame)
        .mark_bar(stroke=MUTED, strokeWidth=0.6)
        .encode(
            x=alt.X("step:O", title="Zero since step", axis=alt.Axis(labelAngle=0, labelOverlap=True)),
            y=alt.Y("weights:Q", title="Weights", axis=alt.Axis(tickMinStep=1, format="~s", tickCount=3)),
            color=alt.Color("step:O", scale=alt.Scale(domain=list(frame.step), range=shades), legend=None),
            tooltip=[alt.Tooltip("step:O", title="Zero since step"), alt.Tooltip("weights:Q", format=",")],
        )
    )
    return finish(alt.layer(bars), 110)


def _levels(steps: np.ndarray, last: int) -> np.ndarray:
    return np.round((steps - 1) / max(last - 1, 1) * (len(palette()) - 1)).astype(np.uint8)


def _gathered(values: np.ndarray, block: tuple[int, int], of: np.ufunc) -> np.ndarray:
    for axis, length in enumerate(block):
        values = of.reduceat(values, range(0, values.shape[axis], length), axis=axis)
    return values


def _enlarged(indices: np.ndarray, further: Sequence[tuple[int, int, int, int]]) -> str:
    """Enlarged without smoothing, which a browser would do."""
    times = max(1, WIDE // indices.shape[1])
    return indexed_png(indices.repeat(times, 0).repeat(times, 1), np.vstack([palette(), np.array(further)]))
