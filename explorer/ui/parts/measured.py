"""What is measured of every group once: accuracy by what it loses, time by its width. Each comes from a job."""

from collections.abc import Mapping
from typing import Any

import streamlit as st

from explorer.budget.latency_table import RUNTIMES
from explorer.methods.studies.sensitivity import RATIOS
from explorer.methods.tools.timed_plans import CHECKS, FITS
from explorer.methods.tools.turns import SECONDS
from explorer.plain import plain
from explorer.tasks import Task
from explorer.ui import engine
from explorer.ui.parts import jobs, say
from explorer.ui.state.forms import kept
from explorer.ui.state.workspace import Workspace
from explorer.ui.text import terms, words


def curves_of(workspace: Workspace) -> dict[str, Any] | None:
    """The sensitivity of this model, data and criterion, once it is measured; see `studies.sensitivity`."""
    return jobs.result(workspace, _curves_kind(workspace))


def staircases_of(workspace: Workspace) -> dict[str, Any] | None:
    """The times of every group by width, once they are measured; see `latency_profile.latency_of`.

    They are of the chosen runtime and batch, from this workspace's job or whatever has timed the model here before.
    """
    runtime, batch = runtime_and_batch()
    return jobs.result(workspace, _latency_kind(workspace, runtime, batch)) or engine.timed(
        workspace.model, runtime, batch
    )


def runtime_and_batch() -> tuple[str, int]:
    """What times are of, on all pages of the session."""
    state = st.session_state
    return state.get(kept("runtime", RUNTIMES), next(iter(RUNTIMES))), state.get(kept("batch"), 1)


def _choose_runtime() -> None:
    st.selectbox(
        "Latency in",
        list(RUNTIMES),
        format_func=RUNTIMES.get,
        key=kept("runtime", RUNTIMES),
        width=160,
        persist_state="session",
    )
    st.number_input(
        "Batch", 1, 1024, 1, key=kept("batch"), width=120, persist_state="session", help=plain(terms.told("batch"))
    )


def measure_curves(workspace: Workspace, task: Task | None) -> None:
    """Starts the measurement of curves, or shows how it goes; nothing where there is no accuracy to measure."""
    if task is None or not task.measured:
        st.caption("**Sensitivity** is accuracy, which this data does not have: choose data with labels.")
        return
    spec = {
        "model": workspace.model,
        "data": workspace.data,
        "criterion": workspace.criterion,
        "options": workspace.options,
        "samples": engine.SAMPLES,
    }
    one, groups = engine.forward_seconds(workspace.model), len(engine.opened(workspace.model).structure.groups)
    plans = len(RATIOS) * groups + 1
    long = "" if one is None else f", about {words.duration(one * len(task.validation) * plans)} at most"
    offer(
        workspace,
        _curves_kind(workspace),
        {"kind": "sensitivity", "spec": spec},
        "Measure the sensitivity",
        f"What accuracy is left when one group alone loses {', '.join(f'{100 * r:.0f}' for r in RATIOS)}% of its "
        f"units: {plans} plans on {len(task.validation)} {words.samples(task)}{long}. Points are kept: what was "
        "measured before is not measured again.",
        ":material/monitoring:",
    )


def times(workspace: Workspace, found: Mapping[str, Any] | None) -> None:
    """The choice of runtime and batch; where nothing is `found` of it, the timing of all groups or how that goes."""
    with st.container(horizontal=True, vertical_alignment="bottom"):
        _choose_runtime()
        if found is not None:
            st.caption("  \n".join(plain(words.sentence(remark)) for remark in found["remarks"]), width="stretch")
    if found is not None:
        return
    runtime, batch = runtime_and_batch()
    spec = {"model": workspace.model, "data": workspace.data, "runtime": runtime, "batch": batch}
    groups = len(engine.opened(workspace.model).structure.groups)
    offer(
        workspace,
        _latency_kind(workspace, runtime, batch),
        {"kind": "latency", "spec": spec},
        "Time every group",
        f"Latency is not timed yet: cuts {groups} groups to several widths each and times the networks in turns, then "
        f"checks the prediction on {CHECKS} plans that are really cut. About "
        f"{words.duration(SECONDS * (groups + FITS + CHECKS))}, longer on a busy machine; kept for this device.",
        ":material/timer:",
    )


def offer(
    workspace: Workspace,
    kind: str,
    request: Mapping[str, Any],
    label: str,
    about: str,
    icon: str,
    *,
    primary: bool = False,
) -> dict[str, Any] | None:
    """What a job has found; as long as there is nothing, draws how it goes or the button that starts it."""
    if jobs.under_way(workspace, kind):
        return None
    if (found := jobs.result(workspace, kind)) is not None:
        return found
    with st.container(horizontal=True, vertical_alignment="center"):
        again(workspace, kind, request, label, icon, primary=primary)
        say.caption(about, width="stretch")
    return None


def again(
    workspace: Workspace,
    kind: str,
    request: Mapping[str, Any],
    label: str,
    icon: str = ":material/refresh:",
    *,
    primary: bool = False,
) -> None:
    """The button that starts a job, also one whose result can't be read any more."""
    st.button(
        plain(label),
        icon=icon,
        type="primary" if primary else "secondary",
        on_click=jobs.start,
        args=(workspace, kind, request, f"{label}: {workspace.model}"),
    )


def _curves_kind(workspace: Workspace) -> str:
    parts = (workspace.model, workspace.data, workspace.criterion, sorted(workspace.options.items()))
    return "sensitivity " + " ".join(map(str, parts))


def _latency_kind(workspace: Workspace, runtime: str, batch: int) -> str:
    return f"latency {workspace.model} {runtime} {batch}"
