"""Which criterion ranks units as their removal does."""

from collections.abc import Mapping, Sequence
from typing import Any

import pandas as pd
import streamlit as st

from explorer.criteria import CRITERIA
from explorer.methods.studies.agreement import UNITS
from explorer.structure import Structure
from explorer.tasks import Task
from explorer.ui import engine
from explorer.ui.charts import multiples
from explorer.ui.parts import frame, say
from explorer.ui.state.workspace import Workspace
from explorer.ui.text import findings, words
from pages.criteria import asking


def show(workspace: Workspace, structure: Structure, task: Task | None, names: Sequence[str]) -> None:
    """The criteria beside the measured effect of single units, or the button that measures it."""
    st.subheader("Against the measured effect", anchor=False)
    if task is None or not task.measured:
        st.caption("The effect is measured by the loss, which this data has no labels for.")
        return
    document = asking.offer(
        workspace,
        names,
        oracle=True,
        label="Measure the effect of single units",
        about=_about(workspace, structure, task),
    )
    if document is not None:
        _compare(document, task, {name: CRITERIA[name].title for name in names})


def _about(workspace: Workspace, structure: Structure, task: Task) -> str:
    one, plans = engine.forward_seconds(workspace.model), UNITS * len(structure.groups) + 1
    long = "" if one is None else f", about {words.duration(one * len(task.validation) * plans)} at most"
    return (
        f"How much the validation loss rises when one unit alone is taken out, for up to {UNITS} units of every "
        f"group, drawn by a seed: up to {plans} evaluations on {len(task.validation)} {words.samples(task)}{long}. "
        "What was measured is kept."
    )


def _compare(document: Mapping[str, Any], task: Task, titles: Mapping[str, str]) -> None:
    """Each criterion's correlation with the effect, group by group; `titles` by the criteria's names."""
    effect = document["effect"]
    overall, chance = effect["overall"], effect["chance"]
    rows = [
        {"pair": title, "group": group, "rho": rho, "units": document["units"][group], "mean": overall[name]}
        for name, title in titles.items()
        for group, rho in effect["groups"][name].items()
    ]
    ranked = sorted((name for name in titles if overall[name] is not None), key=lambda name: -overall[name])
    drawing = multiples.strip(pd.DataFrame(rows), [titles[name] for name in ranked])
    frame.chart(findings.of_effect(titles, overall, chance), drawing, "Rank correlation with the measured effect")
    say.caption(
        f"Over {sum(map(len, effect['rises'].values()))} units, up to {UNITS} a group, on {effect['samples']} "
        f"{words.samples(task)}; the loss of the whole network is {effect['loss']:.3f}. So few units a group make "
        f"the ticks scatter widely: read the dots, which chance alone puts between −{chance:.2f} and "
        f"+{chance:.2f} in 95 of 100 cases. Removing one unit says little about removing many together."
    )
