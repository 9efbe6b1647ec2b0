"""Targets on the Budget page: what is asked for, whether it can be had, and what sharing it out came to."""

from collections.abc import Mapping, Sequence
from typing import Any

import streamlit as st

from explorer.budget import ALLOCATORS, NORMALISERS, Target
from explorer.criteria import Scores
from explorer.errors import ExplorerError
from explorer.methods.spec import Spec
from explorer.methods.tools.account import reached
from explorer.structure import Structure
from explorer.tasks import METRICS
from explorer.ui import engine
from explorer.ui.parts import jobs
from explorer.ui.parts.measured import runtime_and_batch
from explorer.ui.state.workspace import Workspace
from explorer.ui.text import words

QUANTITIES = {"macs": "MACs", "params": "parameters", "size": "weights file", "latency": "latency"}
LIMITS = {
    "macs": ("MACs (%)", 1.0, "of the whole model's"),
    "params": ("Parameters (%)", 1.0, "of the whole model's"),
    "size": ("Weights file (MB)", 0.01, "as stored in the model's own precision"),
    "latency": ("Latency (ms)", 0.01, "of one batch on this device, by a table that is measured first"),
}
ROUNDS = (1, 8, 16, 32)
KIND, TAKEN = "budget", "budget taken"  # keys of a workspace's jobs: the latest, and the latest that is on the board


def targets() -> tuple[Target, ...]:
    """What the controls ask for: the fraction first, then the further limits."""
    state = st.session_state
    found = [Target(state["quantity"], state["keep"] / 100)]
    for kind in LIMITS:
        value = state.get(f"limit {kind}")
        if value is None or kind == state["quantity"]:
            continue
        share = kind in ("macs", "params")
        found.append(
            Target(kind, value / 100) if share else Target(kind, amount=value * (1e6 if kind == "size" else 1))
        )
    return tuple(found)


def ways() -> None:
    """How targets are shared out, what else may limit the cost, and to what widths are rounded."""
    _registry_choice("The target is shared out by", ALLOCATORS, "allocator", "global")
    _registry_choice("Scores of different groups are compared by", NORMALISERS, "normaliser", "mean")
    st.selectbox(
        "Widths",
        ROUNDS,
        format_func=lambda n: "any" if n == 1 else f"multiples of {n} channels",
        key="round to",
        persist_state="session",
        help="Some hardware is fast at these widths only. Groups that lose nothing stay as they are.",
    )
    st.caption("Further limits, all met at once")
    left, right = st.columns(2)
    others = [kind for kind in LIMITS if kind != st.session_state["quantity"]]
    for column, kind in zip((left, right, left), others, strict=True):
        label, least, about = LIMITS[kind]
        column.number_input(
            label,
            least,
            100.0 if kind in ("macs", "params") else None,
            None,
            placeholder="no limit",
            key=f"limit {kind}",
            persist_state="session",
            help=f"At most so much, {about}",
        )


def _registry_choice(label: str, registry: Mapping[str, Any], key: str, default: str) -> None:
    names = list(registry)
    st.selectbox(
        label,
        names,
        index=names.index(default),
        format_func=lambda name: registry[name].title,
        help="  \n".join(f"**{entry.title}**: {entry.explanation}" for entry in registry.values()),
        key=key,
        persist_state="session",
    )


def share_out(workspace: Workspace, scores: Scores, held: Mapping[str, int]) -> None:
    """Puts the targets' budget on the board: at once where that is quick, else by a job. For a button's callback."""
    state, wanted = st.session_state, targets()
    name, round_to = state["allocator"], state["round to"]
    if not engine.allocation_is_quick(workspace.model, name, wanted, round_to):
        request = {"kind": "budget", "spec": _spec(workspace, wanted).to_json(), "held": dict(held)}
        jobs.start(workspace, KIND, request, f"{ALLOCATORS[name].title}: {workspace.model}")
        return
    try:
        found = engine.allocated(
            workspace.model,
            name,
            scores,
            wanted,
            normalise=state["normaliser"],
            locked=held,
            round_to=round_to,
        )
    except ExplorerError as error:
        state["remark"] = (str(error),)
        return
    workspace.replace(found.budget)
    state["remark"] = found.warnings
    state["account"] = {**reached(found), "budget": workspace.budget}


def _spec(workspace: Workspace, wanted: Sequence[Target]) -> Spec:
    state = st.session_state
    runtime, batch = runtime_and_batch()
    return Spec(
        workspace.model,
        workspace.data,
        criterion=workspace.criterion,
        options=workspace.options,
        allocate=state["allocator"],
        normalise=state["normaliser"],
        keep={target.kind: target.value for target in wanted},
        samples=engine.SAMPLES,
        round_to=state["round to"],
        runtime=runtime,
        batch=batch,
    )


def take_result(workspace: Workspace) -> None:
    """Puts what a finished job has found on the board, once, if the board still shows what it was asked about."""
    job = jobs.find(workspace, KIND)
    if job is None or job.state != "done" or workspace.jobs.get(TAKEN) == job.id:
        return
    spec = Spec.from_json(job.request["spec"])
    workspace.remember(TAKEN, job.id)
    here = (workspace.model, workspace.data, workspace.criterion, workspace.options)
    if (spec.model, spec.data, spec.criterion, spec.options) != here:
        return
    workspace.replace({group["name"]: 1 - group["kept"] / group["size"] for group in job.result["groups"]})
    st.session_state["remark"] = tuple(job.result["warnings"])
    st.session_state["account"] = {**job.result, "budget": workspace.budget}


def watch(workspace: Workspace) -> None:
    """The job that shares out, while it runs or where it failed."""
    jobs.refusal(KIND)
    job = jobs.find(workspace, KIND)
    if job and not job.final:
        jobs.watch(job)
    elif job and job.state != "done" and job.request["spec"]["model"] == workspace.model:
        jobs.outcome(job)


def in_reach(workspace: Workspace, held: Mapping[str, int]) -> None:
    """Says of every target whether it can be met at all, before anything is shared out."""
    try:
        wanted = targets()
        known = [target for target in wanted if target.kind != "latency"]
        found = engine.reach(workspace.model, known, held, st.session_state["round to"]) if known else ()
    except ExplorerError as error:
        st.warning(words.sentence(str(error)), icon=":material/info:")
        return
    parts = [
        f"{_said(each.target.kind, each.lowest)} ({each.lowest / each.whole:.1%}) to "
        f"{_said(each.target.kind, each.whole)}"
        for each in found
    ]
    if len(known) < len(wanted):
        parts.append("latency is known once it is timed, with which the cut begins")
    text = f"In reach: {', '.join(parts)}."
    impossible = [_said(each.target.kind, each.goal) for each in found if not each.feasible]
    if impossible:
        st.warning(f"{' and '.join(impossible)} can't be had. {text}", icon=":material/block:")
    else:
        st.caption(text)


def account(workspace: Workspace, structure: Structure) -> None:
    """What sharing out came to, as long as the board still shows it."""
    document = st.session_state.get("account")
    if document is None or document["budget"] != workspace.budget:
        return
    st.markdown("**" + _binding(document) + "**")
    lines = [_costs(document), _next(document, structure)]
    if document.get("latency"):
        took = document["latency"]
        lines.append(
            f"One batch of {took['batch']} in {took['runtime']}: predicted {took['predicted_ms']:.3g} ms, measured "
            f"{took['measured_ms']:.3g} ms, the whole network {took['whole_ms']:.3g} ms."
        )
    if document.get("effect"):
        effect = document["effect"]
        metric = METRICS[effect["metric"]]
        lines.append(
            f"The groups' curves add up to {metric.text(effect['predicted'])} validation {metric.short}; the whole "
            f"plan gives {metric.text(effect['measured'])} as cut: effects of single groups need not add up."
        )
    st.caption("  \n".join(filter(None, lines)))


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
    return " and ".join(QUANTITIES[kind] for kind in kinds)


def _costs(document: Mapping[str, Any]) -> str:
    parts = []
    for each in document["reach"]:
        kind, left = each["kind"], document["costs"][each["kind"]]
        parts.append(f"{_said(kind, left)} (target {_said(kind, each['goal'])})")
    return f"Left: {', '.join(parts)}."


def _next(document: Mapping[str, Any], structure: Structure) -> str:
    step = document["next"]
    if step is None:
        return "No group may lose more."
    group = structure.groups[step["group"]]
    saved = ", ".join(_said(kind, value) for kind, value in step["saves"].items())
    drop = "" if step["drop"] is None else f", and alone would cost {100 * step['drop']:.1f} points"
    return (
        f"The cheapest next step: {step['units']} more {words.noun(group, step['units'])} of `{step['group']}` would "
        f"save {saved}{drop}."
    )


def _said(kind: str, value: float) -> str:
    """An amount with its unit: ``20.3 M MACs``, ``613 kB``."""
    if kind == "latency":
        return f"{value:.3g} ms"
    return words.size(value) if kind == "size" else f"{words.count(value)} {QUANTITIES[kind]}"
