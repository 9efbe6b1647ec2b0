"""How far criteria rank alike, and where they don't; all from a document of `explorer.methods.studies.agreement`."""

from collections.abc import Mapping
from itertools import combinations
from typing import Any

import numpy as np
import pandas as pd
import streamlit as st

from explorer.criteria import CRITERIA
from explorer.criteria.tools.agreement import places
from explorer.methods.studies.agreement import CHANCE
from explorer.plain import plain
from explorer.ui.charts import multiples
from explorer.ui.parts import frame, presenting, say
from explorer.ui.text import findings

SHOWN = 12  # disputes


def show(document: Mapping[str, Any]) -> None:
    """Correlations, maps of ranks, disputes, and groups that a criterion has no scores for."""
    titles = [CRITERIA[name].title for name in document["criteria"]]
    left, right = st.columns(2, gap="large")
    with left:
        _overall(document, titles)
    with right:
        _by_group(document, titles)
    _maps(document)
    _disputes(document)
    for name, groups in document["skipped"].items():
        if groups:
            say.caption(
                f"{CRITERIA[name].title} has no scores for {len(groups)} groups: {next(iter(groups.values()))}."
            )


def _overall(document: Mapping[str, Any], titles: list[str]) -> None:
    """All pairs, over all groups."""
    pairs = pd.DataFrame(
        {"first": first, "second": second, "rho": np.nan if rho is None else rho}
        for first, row in zip(titles, document["overall"], strict=True)
        for second, rho in zip(titles, row, strict=True)
    )
    drawing = multiples.correlations(pairs, titles, 62 * len(titles) + 20)
    frame.chart(findings.of_agreement(titles, document["overall"]), drawing, "Rank correlation of every pair")
    st.caption(
        "Spearman's rank correlation within each group, averaged over groups by their numbers of units: +1 is the "
        "same order, 0 what chance would give, −1 the reverse."
    )


def _by_group(document: Mapping[str, Any], titles: list[str]) -> None:
    """Every group of each pair."""
    rows = [
        {"pair": f"{titles[i]} · {titles[j]}", "group": name, "rho": matrix[i][j], "units": document["units"][name]}
        | {"mean": document["overall"][i][j]}
        for i, j in combinations(range(len(titles)), 2)
        for name, matrix in document["groups"].items()
        if matrix[i][j] is not None
    ]
    if not rows:
        return
    table = pd.DataFrame(rows)
    drawing = multiples.strip(table, list(table.pair.unique()))
    finding = findings.of_groups(table, CRITERIA[CHANCE].title)
    frame.chart(finding, drawing, "Rank correlation of every group and pair")
    st.caption("A tick is a group, the dot the mean weighted by units.")


def _maps(document: Mapping[str, Any]) -> None:
    """The same units in the same places: the order is the first criterion's, the colour each criterion's own rank."""
    names, scores = list(document["units"]), document["scores"]
    lead = document["criteria"][0]
    order = {name: np.argsort(values, kind="stable") for name, values in scores[lead].items()}
    st.markdown(
        f"**Every column has the units in the order of {CRITERIA[lead].title}: where colours mix, ranks differ**"
    )
    for column, criterion in zip(st.columns(len(document["criteria"]), gap="small"), document["criteria"], strict=True):
        ranks = {
            name: places(np.asarray(values))[order.get(name, np.arange(len(values)))]
            for name, values in scores[criterion].items()
        }
        with column:
            st.caption(f"**{CRITERIA[criterion].title}**")
            drawing = multiples.rank_map(ranks, names, labels=criterion == lead)
            st.altair_chart(presenting.lettered(drawing), alt=f"Ranks by {CRITERIA[criterion].title}, a row per group")
    st.caption("Dark leaves first, bright stays longest, each within its group.")


def _disputes(document: Mapping[str, Any]) -> None:
    """The units with the greatest difference of rank."""
    if not document["disputes"]:
        return
    top = document["disputes"][0]
    early, late = CRITERIA[top["first"]].title, CRITERIA[top["second"]].title
    finding = f"They disagree most on unit {top['unit']} of {top['group']}: {early} removes it early, {late} keeps it"
    st.markdown(f"**{plain(finding)}**")
    rows = [
        {
            "Group": entry["group"],
            "Unit": entry["unit"],
            "Leaves early by": f"{CRITERIA[entry['first']].title} ({entry['first_rank']:.0%})",
            "Stays by": f"{CRITERIA[entry['second']].title} ({entry['second_rank']:.0%})",
        }
        for entry in document["disputes"][:SHOWN]
    ]
    st.dataframe(rows, hide_index=True, alt="The units that criteria rank most differently", height="content")
    st.caption("In brackets the rank within the group, from 0%, which leaves first. Random is left out of this table.")
