"""What the data is understood to be: classes, parts, numbers, and a sample of each, before anything is done with it."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
import streamlit as st

from explorer.plain import plain
from explorer.tasks import PARTS, Census, Task, census, class_labels
from explorer.ui import engine
from explorer.ui.parts import say
from explorer.ui.text import words

SHOWN = 10  # samples
ALL_ROWS = 12  # up to which a table is as high as it is long


def show(task: Task, *, unfolded: bool) -> None:
    """What is odd about the data, and an expander with its classes, parts and samples."""
    found = census(task)
    if task.remarks:
        say.caption(_sentences(task.remarks))
    if odd := found.remarks():
        say.warning(_sentences(odd), icon=":material/info:")
    with st.expander(f"The data: {plain(summary(task))}", icon=":material/photo_library:", expanded=unfolded):
        st.caption("Learnt from: train and calibration. Decided by: validation. Only reported on: test.")
        _samples(task)
        _numbers(found)
        if (majority := found.majority()) is not None:
            name, share = majority
            say.caption(f"Always answering {name} gets {share:.1%} of the test part: what a network has to beat.")


def summary(task: Task) -> str:
    """How many samples the data has, and of how many classes: ``400 images of 8 classes``."""
    found = census(task)
    kinds = f" of {len(found.classes)} classes" if found.counts is not None else ""
    return f"{sum(found.samples.values()):,} {words.samples(task)}{kinds}"


def _sentences(clauses: Sequence[str]) -> str:
    return " ".join(map(words.sentence, clauses))


def _samples(task: Task) -> None:
    """Some of the test part: one of each class where a sample has one."""
    drawn = engine.waited(
        "", ("drawn", task.ref, task.input_shape, engine.stamp_of(task.ref)), lambda: drawn_from(task)
    )
    pictures = [(what, label) for what, label in drawn if isinstance(what, np.ndarray)]
    with st.container(horizontal=True, gap="small"):
        for picture, label in pictures:
            st.image(picture, width=72, caption=plain(words.middle(label, 14)), alt=f"A test image: {label}")
    for text, label in drawn:
        if isinstance(text, str):
            say.caption(f"{label}: {text}")


def drawn_from(task: Task) -> list[tuple[Any, str]]:
    """Samples of the test part for the eye, each with its label."""
    labels = class_labels(task.test) if census(task).majority() is not None else None
    if labels is None:
        places = list(range(min(SHOWN, len(task.test))))
    else:
        places = np.unique(labels, return_index=True)[1][:SHOWN].tolist()
    return [(task.show(index), task.answer(index)) for index in places]


def _numbers(found: Census) -> None:
    """How many of each class are in each part."""
    if found.counts is None:
        say.caption(", ".join(f"{found.samples[part]:,} {part}" for part in PARTS))
        return
    table = pd.DataFrame({"class": found.classes, **{part: found.counts[part] for part in PARTS}})
    total = {part: st.column_config.NumberColumn(plain(part), format="%d") for part in PARTS}
    st.dataframe(
        table,
        hide_index=True,
        height="content" if len(table) <= ALL_ROWS else 380,
        column_config={"class": st.column_config.TextColumn(plain(f"{found.what} of"), pinned=True), **total},
        alt="How many samples of each class are in each part",
    )
