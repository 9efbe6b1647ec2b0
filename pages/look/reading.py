"""How the network's pictures are read: its normalisation, and a way out where it answers worse than it should."""

from typing import Any

import streamlit as st

from explorer.sources.normalising import SCHEMES, said
from explorer.sources.turning import LARGEST_SIDE, with_options
from explorer.tasks import TASK_KINDS, Task, by_chance, census, headline
from explorer.ui.engine import Opened
from explorer.ui.parts import jobs, opening, say, standing
from explorer.ui.state.workspace import Workspace

SHOWN = 3  # better ways
HALF_WAY = 0.5  # from chance to always being right: below it a trained network may well be misread
TITLES = {"": "as now", **SCHEMES}


def show(workspace: Workspace, opened: Opened, task: Task | None) -> None:
    """The normalisation and its choice; where a trained network is near chance, the usual causes, to be tried."""
    if task is None or not task.measured or not task.mean or not TASK_KINDS[task.kind].classifies:
        return
    _normalisation(workspace, opened, task)
    measured = standing.measured(workspace, task)
    if measured is not None and opened.model.trained:
        _doubt(workspace, task, measured)


def _normalisation(workspace: Workspace, opened: Opened, task: Task) -> None:
    known = opened.model.normalisation is not None
    with st.container(horizontal=True, vertical_alignment="center"):
        shown = said((task.mean, task.std))
        whose = "which belongs to the model" if known else "as the data says: what the weights expect is not known"
        say.caption(f"Pictures are normalised {shown}, {whose}.", width="content")
        if with_options(workspace.model, {"normalise": "none"}) is None:
            return
        with st.popover("Change", icon=":material/tune:"):
            scheme = st.selectbox("Pictures are normalised", TITLES, format_func=TITLES.__getitem__)
            say.caption("Other values go into the model's ref, one or one a channel: ?mean=0.5&std=0.25")
            height = opened.model.input_shape[1]
            side = int(st.number_input("Pixels a side", 1, LARGEST_SIDE, height, key=f"side {workspace.model}"))
            if st.button("Read them so", type="primary"):
                size = {} if side == height else {"size": str(side)}
                ref = with_options(workspace.model, {**({"normalise": scheme} if scheme else {}), **size})
                opening.adopt(ref or workspace.model, workspace.data)


def _doubt(workspace: Workspace, task: Task, measured: dict[str, Any]) -> None:
    """Says that the network is near chance, and offers to try the usual causes."""
    found, majority = headline(measured), census(task).majority()
    if found is None or majority is None:
        return
    name, chance = majority
    if found.value >= chance + HALF_WAY * (1 - chance):
        return
    if by_chance(found, task) is not None:
        say.warning(
            f"This network counts as trained, but it is no better here than always answering {name}, which gets "
            f"{chance:.1%}. Most often its pictures are read in another way than in its training: another "
            "normalisation, channels from blue to red, or classes in another order.",
            icon=":material/help:",
        )
    else:
        say.caption("If you know this network to be better: its pictures or classes may be read in the wrong way.")
    kind = f"readings {workspace.model} {workspace.data}"
    document = jobs.result(workspace, kind)
    if document is not None:
        _ways(workspace, document)
    elif not jobs.under_way(workspace, kind):
        request = {"kind": "readings", "spec": {"model": workspace.model, "data": workspace.data}}
        st.button(
            "Try the usual causes",
            icon=":material/search:",
            on_click=jobs.start,
            args=(workspace, kind, request, f"Other readings of {workspace.model}"),
        )


def _ways(workspace: Workspace, document: dict[str, Any]) -> None:
    """What each way of reading gives, the better ones with a button."""
    now, *others = document["ways"]
    better = others[: document["better"]]
    if not better:
        best = max(others, key=lambda way: way["top1"], default=now)
        say.caption(
            f"None of {len(others)} other ways is clearly better on {document['samples']} validation images: the best, "
            f"{best['title']}, gets {best['top1']:.1%}, this one {now['top1']:.1%}. So the cause is another one."
        )
    for number, way in enumerate(better[:SHOWN]):
        with st.container(horizontal=True, vertical_alignment="center"):
            title = way["title"][:1].upper() + way["title"][1:]
            numbers = f"{way['top1']:.1%} instead of {now['top1']:.1%} on {document['samples']} validation images"
            say.caption(f"{title}: {numbers}.", width="content")
            kind = "secondary" if number else "primary"
            if way["ref"] and st.button("Read them so", key=f"way {way['title']}", type=kind):
                opening.adopt(way["ref"], workspace.data)
            elif not way["ref"]:
                say.caption("Its ref can't say so: save the weights in a file and open them as file:PATH#…")
