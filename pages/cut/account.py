"""What the targets come to: whether they can be had, and what sharing them out has left."""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import streamlit as st

from explorer.errors import ExplorerError
from explorer.plain import named, plain
from explorer.structure import Structure
from explorer.tasks import METRICS
from explorer.ui import engine
from explorer.ui.state.workspace import Workspace
from explorer.ui.text import words
from pages.cut import targets

LISTED = 3  # names in a sentence


class Reachable(NamedTuple):
    """What of the targets can be had, in words; `problem` is empty where all of it can."""

    words: str
    problem: str = ""


def reachable(workspace: Workspace, held: Mapping[str, int]) -> Reachable:
    """Of every target whether it can be met at all, before anything is shared out."""
    try:
        wanted = targets.asked()
        known = [target for target in wanted if target.kind != "latency"]
        round_to = st.session_state["round to"]
        found = engine.reach(workspace.model, known, held, round_to, workspace.blocks) if known else ()
    except ExplorerError as error:
        return Reachable("", words.sentence(str(error)))
    parts = [
        f"{targets.amount(each.target.kind, each.lowest)} ({each.lowest / each.whole:.1%}) to "
        f"{targets.amount(each.target.kind, each.whole)}"
        for each in found
    ]
    if len(known) < len(wanted):
        parts.append("latency is known once it is timed, with which the cut begins")
    text = f"In reach: {', '.join(parts)}."
    impossible = [targets.amount(each.target.kind, each.goal) for each in found if not each.feasible]
    if not impossible:
        return Reachable(text)
    free = set(engine.opened(workspace.model).structure.groups) - set(held)
    advice = "" if len(free) > len(held) else " Most rows are locked or set by hand: let them move under How."
    return Reachable(text, f"{' and '.join(impossible)} can't be had. {text}{advice}")


def show(workspace: Workspace, structure: Structure) -> None:
    """What sharing out came to, as long as the board still shows it."""
    document = st.session_state.get("account")
    if document is None or (document["budget"], document["blocks"]) != (workspace.budget, workspace.blocks):
        return
    st.markdown(f"**{plain(_binding(document))}**")
    said = f"{plain(_costs(document))}{plain(_held(document))}  \n{_next(document, structure)}"
    if document.get("latency"):
        took = document["latency"]
        measured = (
            f"One batch of {took['batch']} in {took['runtime']}: predicted {took['predicted_ms']:.3g} ms, measured "
        )
        whole = f"{took['measured_ms']:.3g} ms, the whole network {took['whole_ms']:.3g} ms."
        said += f"  \n{plain(measured + whole)}"
    if document.get("effect"):
        effect = document["effect"]
        metric = METRICS[effect["metric"]]
        said += (
            f"  \nThe groups' curves add up to {metric.text(effect['predicted'])} validation {plain(metric.short)}; "
            f"the whole plan gives {metric.text(effect['measured'])} as cut: effects of single groups need not add up."
        )
    st.caption(said)


def _binding(document: Mapping[str, Any]) -> str:
    missed = [each["kind"] for each in document["reach"] if not each["feasible"]]
    if missed:
        return f"Not reached: {_listed(missed)}. The network is as small as its minimum widths allow"
    if not document["binding"]:
        return "No limit binds: the whole network meets them, or its widths jump over them"
    if len(document["reach"]) == 1:
        return f"The target for {_listed(document['binding'])} is met"
    return f"{_listed(document['binding'])[:1].upper()}{_listed(document['binding'])[1:]} binds, the rest has room"


def _listed(kinds: Sequence[str]) -> str:
    return " and ".join(targets.QUANTITIES[kind] for kind in kinds)


def _costs(document: Mapping[str, Any]) -> str:
    parts = []
    for each in document["reach"]:
        kind, left = each["kind"], document["costs"][each["kind"]]
        parts.append(f"{targets.amount(kind, left)} (target {targets.amount(kind, each['goal'])})")
    return f"Left: {', '.join(parts)}."


def _held(document: Mapping[str, Any]) -> str:
    """Which rows were left as a hand had set them."""
    names = document["held"]
    if not names:
        return ""
    more = f" and {len(names) - LISTED} more" if len(names) > LISTED else ""
    return f" Held as set by hand: {', '.join(names[:LISTED])}{more}."


def _next(document: Mapping[str, Any], structure: Structure) -> str:
    step = document["next"]
    if step is None:
        return "No group may lose more."
    group = structure.groups[step["group"]]
    saved = ", ".join(targets.amount(kind, value) for kind, value in step["saves"].items())
    drop = "" if step["drop"] is None else f", and alone would cost {100 * step['drop']:.1f} points"
    return (
        f"The cheapest next step: {step['units']:d} more {words.noun(group, step['units'])} of {named(step['group'])} "
        f"would save {plain(saved)}{drop}."
    )
