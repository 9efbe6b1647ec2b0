"""A closer look at single units: what they respond to, what leaves with them."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import streamlit as st

from explorer.criteria import Scores
from explorer.plain import named, plain
from explorer.structure import Group
from explorer.tasks import Task
from explorer.ui import engine
from explorer.ui.charts import colours
from explorer.ui.engine import Opened
from explorer.ui.parts import frame, say
from explorer.ui.state.workspace import Workspace
from explorer.ui.text import words

NO_PICTURE = "This network reads texts: its channels belong to tokens, and there is no picture of what they see."
MEMBERS = {
    "producer": "makes it",
    "consumer": "reads it",
    "affine": "scales or shifts it",
    "index": "looks it up",
    "expert": "is it",
}


def maps(
    workspace: Workspace, found: Opened, name: str, extremes: tuple[Sequence[int], Sequence[int]], index: int = 0
) -> None:
    """What the worst and the best channels of a group see in one test image."""
    task = frame.task_or_word(workspace, found)
    if task is None:
        return
    if len(found.model.input_shape) != 3:
        st.caption(NO_PICTURE)
        return
    seen = engine.maps(workspace.model, workspace.data, name, index)
    if seen is None:
        st.caption("This group has no feature maps to look at: its channels are not laid out over an image.")
        return
    worst, best = extremes
    tiles = colours.tiles(seen[[*worst, *best]])
    picture, gallery = st.columns([1, 5])
    label = task.answer(index)
    _sample(picture, task, index, width=88, caption=f"Input: {label}")
    rows = (("Lowest scores", worst, tiles[: len(worst)]), ("Highest scores", best, tiles[len(worst) :]))
    for heading, units, images in rows:
        gallery.caption(plain(heading))
        with gallery.container(horizontal=True, gap="xsmall"):
            for index, image in zip(units, images, strict=True):
                st.image(image, width=64, caption=f"{index:d}", alt=f"{heading}: feature map of unit {index}")
    numbers = "channels" if found.structure.groups[name].unit == 1 else "units, of which the first channel is shown"
    say.caption(f"Numbers are {numbers}. Dark is silent, bright is active; all maps share one scale.")


def unit(workspace: Workspace, found: Opened, scores: Scores, name: str, number: int, pictures: int = 6) -> None:
    """One unit: its score and rank, what it sees in some test images, its weights, and what would leave with it."""
    group, values = found.structure.groups[name], scores.groups.get(name)
    st.markdown(f"**{plain(name)}** · {words.noun(group)} {number:d}")
    if values is not None:
        rank = int(np.argsort(np.argsort(values, kind="stable"), kind="stable")[number])
        say.caption(f"Score {values[number]:.3g}, rank {rank + 1} of {group.units}, where 1 leaves first.")
    _sees(workspace, found, name, number, pictures)
    _weights(found, group, number)
    whole, without = found.structure.cost(), found.structure.cost({name: group.units - 1})
    saved = words.count(whole.macs - without.macs), words.count(whole.params - without.params)
    say.caption(f"{group.why} Taking it out of the whole network saves {saved[0]} MACs and {saved[1]} parameters.")
    rows = [{"Leaves with it": m.tensor, "Axis": m.axis, "Because it": MEMBERS[m.role]} for m in group.members]
    st.dataframe(rows, hide_index=True, height=min(38 + 35 * len(rows), 220), alt="The coupled members of the group")


def _sample(place: Any, task: Task, index: int, *, width: int, caption: str = "") -> None:
    """One test sample, which is a text where its owner's function says one."""
    shown, label = task.show(index), task.answer(index)
    if isinstance(shown, str):
        place.caption(plain(f"{shown} {caption}".strip()))
    else:
        place.image(shown, caption=plain(caption) or None, width=width, alt=f"Test image {index}: {label}")


def _sees(workspace: Workspace, found: Opened, name: str, number: int, pictures: int) -> None:
    task = frame.task_or_word(workspace, found)
    if task is None or len(found.model.input_shape) != 3:
        st.caption(NO_PICTURE if task is not None else "Without data there is nothing to look at.")
        return
    seen = [engine.maps(workspace.model, workspace.data, name, i) for i in range(min(pictures, len(task.test)))]
    if seen[0] is None:
        st.caption("Its channels are not laid out over an image, so there is no feature map to look at.")
        return
    tiles = colours.tiles(np.stack([found_[number] for found_ in seen]))
    with st.container(horizontal=True, gap="xsmall"):
        for index, tile in enumerate(tiles):
            with st.container(width=76, gap="xsmall"):
                _sample(st, task, index, width=72)
                st.image(tile, width=72, alt=f"What unit {number} of {name} responds to in test image {index}")
    st.caption("Above the test images, below what this channel responds to in them. Bright is active.")


def _weights(found: Opened, group: Group, number: int) -> None:
    """The filter that makes the unit's first channel, where it is a small picture."""
    state = found.model.module.state_dict()
    member = next((m for m in group.of_role("producer") if state[m.tensor].dim() == 4 and m.axis == 0), None)
    if member is None or state[member.tensor].shape[-1] < 3:
        return
    weights = state[member.tensor][int(np.flatnonzero(member.units == number)[0])].numpy()
    strongest = np.argsort(-np.abs(weights).sum((1, 2)))[:8]
    with st.container(horizontal=True, gap="xsmall"):
        for tile, index in zip(colours.tiles(weights[strongest], 48), strongest, strict=True):
            st.image(tile, width=48, caption=f"{index:d}", alt=f"Weights to input channel {index}")
    shown = "" if len(weights) == len(strongest) else f", the {len(strongest)} input channels that weigh most"
    height, width = weights.shape[1:]
    st.caption(f"Its filter of {height:d}×{width:d} in {named(member.tensor)}, by input channel{shown}.")
