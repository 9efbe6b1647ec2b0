"""Criteria: how far they rank alike, where they disagree, and who is near to what removing a channel really does."""

import json
from itertools import combinations
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import streamlit as st
from scipy.stats import rankdata

from explorer.criteria import CRITERIA
from explorer.methods.studies.agreement import CHANCE, LEAST, MOST, UNITS
from explorer.ui import engine
from explorer.ui.charts import multiples
from explorer.ui.parts import frame, measured
from explorer.ui.state import session
from explorer.ui.text import findings, words

space = session.current()
DEFAULT = ("flow", "l2", "taylor", "random")
SHOWN = 12  # disputes


def choose() -> list[str]:
    return st.multiselect(
        "Criteria to compare",
        list(CRITERIA),
        default=list(DEFAULT),
        format_func=lambda name: CRITERIA[name].title,
        max_selections=MOST,
        key="compared criteria",
        persist_state="session",
        help="Each with its default options, on the same calibration samples.",
    )


def costs(names: list[str]) -> None:
    """What every criterion needs, and how long it will take here."""
    rows = []
    for name in names:
        entry = CRITERIA[name]
        free = not entry.needs & {"inputs", "labels"}
        seconds = None if task is None and not free else engine.scoring_seconds(space.model, space.data, name)
        rows.append(
            {
                "Criterion": entry.title,
                "Needs": ", ".join(sorted(entry.needs)) or "the weights",
                "Cost": entry.cost,
                "Time of its passes here": "not timed" if seconds is None else _seconds(seconds),
            }
        )
    st.dataframe(rows, hide_index=True, alt="What every criterion needs and costs", height="content")


def _seconds(value: float) -> str:
    if value == 0:
        return "no passes"
    return f"{value:.1g} s" if value < 1 else f"{value:.0f} s" if value < 55 else words.duration(value)


def request(names: list[str], oracle: bool) -> tuple[str, dict[str, Any]]:
    """The job's key in the workspace, and what the desk is asked."""
    spec = {"model": space.model, "data": space.data, "samples": engine.SAMPLES}
    kind = f"agreement {'effect ' if oracle else ''}{space.model} {space.data} {' '.join(names)}"
    return kind, {"kind": "agreement", "spec": spec, "criteria": names, "oracle": oracle}


def offer(names: list[str], *, oracle: bool, label: str, about: str) -> dict[str, Any] | None:
    """The document of a finished comparison; else its button, or how it goes."""
    kind, asked = request(names, oracle)
    found = measured.offer(space, kind, asked, label, about, ":material/play_arrow:", primary=not oracle)
    return None if found is None else _document(found["file"])


@st.cache_data(max_entries=8, show_spinner=False)
def _document(file: str) -> dict[str, Any]:
    return json.loads(Path(file).read_text(encoding="utf-8"))


def correlation(found: dict[str, Any]) -> None:
    """All pairs overall, and every group of each pair."""
    titles = [CRITERIA[name].title for name in found["criteria"]]
    pairs = [
        {"first": a, "second": b, "rho": np.nan if rho is None else rho}
        for a, row in zip(titles, found["overall"], strict=True)
        for b, rho in zip(titles, row, strict=True)
    ]
    left, right = st.columns(2, gap="large")
    with left:
        drawing = multiples.correlations(pd.DataFrame(pairs), titles, 62 * len(titles) + 20)
        frame.chart(findings.of_agreement(titles, found["overall"]), drawing, "Rank correlation of every pair")
        st.caption(
            "Spearman's rank correlation within each group, averaged over groups by their numbers of units: +1 is the "
            "same order, 0 what chance would give, −1 the reverse."
        )
    rows = [
        {"pair": f"{titles[i]} · {titles[j]}", "group": name, "rho": rows_[i][j], "units": found["units"][name]}
        | {"mean": found["overall"][i][j]}
        for i, j in combinations(range(len(titles)), 2)
        for name, rows_ in found["groups"].items()
        if rows_[i][j] is not None
    ]
    if rows:
        table = pd.DataFrame(rows)
        widest = table.groupby("pair", sort=False).rho.agg(lambda rho: rho.max() - rho.min())
        meant = widest[[CRITERIA[CHANCE].title not in pair.split(" · ") for pair in widest.index]]
        meant = widest if meant.empty else meant
        with right:
            said = f"Groups differ: {meant.idxmax()} spans {meant.max():.2f} from group to group"
            frame.chart(said, multiples.strip(table, list(widest.index)), "Rank correlation of every group and pair")
            st.caption("A tick is a group, the dot the mean weighted by units.")


def maps(found: dict[str, Any]) -> None:
    """The same units in the same places: the order is the first criterion's, the colour each criterion's own rank."""
    names, scores = list(found["units"]), found["scores"]
    lead = found["criteria"][0]
    order = {name: np.argsort(values, kind="stable") for name, values in scores[lead].items()}
    st.markdown(
        f"**Every column has the units in the order of {CRITERIA[lead].title}: where colours mix, ranks differ**"
    )
    for column, criterion in zip(st.columns(len(found["criteria"]), gap="small"), found["criteria"], strict=True):
        places = {
            name: ((rankdata(values) - 1) / max(len(values) - 1, 1))[order.get(name, np.arange(len(values)))]
            for name, values in scores[criterion].items()
        }
        with column:
            st.caption(f"**{CRITERIA[criterion].title}**")
            drawing = multiples.rank_map(places, names, labels=criterion == lead)
            st.altair_chart(drawing, alt=f"Ranks by {CRITERIA[criterion].title}, a row per group")
    st.caption("Dark leaves first, bright stays longest, each within its group.")


def disputed(found: dict[str, Any]) -> None:
    """The units with the greatest difference of rank."""
    if not found["disputes"]:
        return
    top = found["disputes"][0]
    st.markdown(
        f"**They disagree most on unit {top['unit']} of {top['group']}: {CRITERIA[top['first']].title} removes it "
        f"early, {CRITERIA[top['second']].title} keeps it**"
    )
    rows = [
        {
            "Group": entry["group"],
            "Unit": entry["unit"],
            "Leaves early by": f"{CRITERIA[entry['first']].title} ({entry['first_rank']:.0%})",
            "Stays by": f"{CRITERIA[entry['second']].title} ({entry['second_rank']:.0%})",
        }
        for entry in found["disputes"][:SHOWN]
    ]
    st.dataframe(rows, hide_index=True, alt="The units that criteria rank most differently", height="content")
    st.caption("In brackets the rank within the group, from 0%, which leaves first. Random is left out of this table.")


def effect(names: list[str]) -> None:
    """Which criterion ranks units as their removal does."""
    st.subheader("Against the measured effect", anchor=False)
    if task is None or not task.measured:
        st.caption("The effect is measured by the loss, which this data has no labels for.")
        return
    one, groups = engine.forward_seconds(space.model), len(model.structure.groups)
    plans = UNITS * groups + 1
    long = "" if one is None else f", about {words.duration(one * len(task.validation) * plans)} at most"
    found = offer(
        names,
        oracle=True,
        label="Measure the effect of single units",
        about=f"How much the validation loss rises when one unit alone is taken out, for up to {UNITS} units of every "
        f"group, drawn by a seed: up to {plans} evaluations on {len(task.validation)} {words.samples(task)}{long}. "
        "What was measured is kept.",
    )
    if found is None:
        return
    measured = found["effect"]
    titles = {name: CRITERIA[name].title for name in names}
    rows = [
        {"pair": titles[name], "group": group, "rho": rho, "units": found["units"][group]}
        | {"mean": measured["overall"][name]}
        for name in names
        for group, rho in measured["groups"][name].items()
    ]
    ranked = sorted(
        (name for name in names if measured["overall"][name] is not None), key=lambda name: -measured["overall"][name]
    )
    drawing = multiples.strip(pd.DataFrame(rows), [titles[name] for name in ranked])
    frame.chart(
        findings.of_effect(titles, measured["overall"], measured["chance"]),
        drawing,
        "Rank correlation with the measured effect",
    )
    st.caption(
        f"Over {sum(map(len, measured['rises'].values()))} units, up to {UNITS} a group, on {measured['samples']} "
        f"{words.samples(task)}; the loss of the whole network is {measured['loss']:.3f}. So few units a group make "
        f"the ticks scatter widely: read the dots, which chance alone puts between −{measured['chance']:.2f} and "
        f"+{measured['chance']:.2f} in 95 of 100 cases. Removing one unit says little about removing many together."
    )


frame.heading("Criteria", "What makes a channel worth keeping? Several answers, compared on this model.", space)
model = frame.model_or_stop(space)
if not model.structure.groups:
    st.info("This network has no channels that can be cut; the Model page says why.", icon=":material/lock:")
    st.stop()
task = frame.task_or_word(space, model)
chosen = choose()
if len(chosen) < LEAST:
    st.info(f"Choose {LEAST} to {MOST} criteria to see how far they agree.", icon=":material/balance:")
    st.stop()
costs(chosen)
document = offer(
    chosen,
    oracle=False,
    label="Compare",
    about=f"Scores every channel by each of them on {engine.SAMPLES} calibration samples, in the background.",
)
if document is not None:
    correlation(document)
    maps(document)
    disputed(document)
    for name, groups in document["skipped"].items():
        if groups:
            st.caption(f"{CRITERIA[name].title} has no scores for {len(groups)} groups: {next(iter(groups.values()))}.")
    effect(chosen)
    frame.onward("flow", "Next: look into single channels by one of them")
