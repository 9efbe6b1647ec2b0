"""Whether a run was worth it: the simple baselines that tell, and the button that makes them."""

from collections.abc import Mapping, Sequence

import streamlit as st

from explorer.methods.spec import Spec
from explorer.runs.history.baselines import BASELINES
from explorer.runs.queue.job import Job
from explorer.ui.parts import compared, jobs
from explorer.ui.parts.compared import Shown
from explorer.ui.state.workspace import Workspace
from explorer.ui.text import words


def show(workspace: Workspace, judged: Sequence[Shown], shown: Sequence[Shown]) -> None:
    """The baselines of one of the `judged` runs: what they would answer, how far they are, and what makes them.

    Args:
        workspace: that starts them.
        judged: the runs that are looked at.
        shown: all runs, among which baselines are found.
    """
    judged = [entry for entry in judged if compared.specs_of(entry)]
    if not judged:
        return
    with st.container(border=True):
        st.markdown("**Was it worth it?** Two simple baselines tell: they share the run's budget and effort.")
        entry = _choose(judged)
        lacking = compared.missing(entry, shown)
        started = {name: jobs.find(workspace, _job_kind(entry, name)) for name in lacking}
        going = {name: job for name, job in started.items() if job and not job.final}
        _say_how_far(compared.specs_of(entry), lacking, going)
        for name, job in started.items():
            jobs.refusal(_job_kind(entry, name))
            if job and job.state in ("failed", "cancelled"):
                jobs.outcome(job)
        _offer(workspace, entry, {name: spec for name, spec in lacking.items() if name not in going})
    for job in going.values():
        jobs.watch(job)


def _choose(judged: Sequence[Shown]) -> Shown:
    if len(judged) == 1:
        return judged[0]
    return compared.named(judged, st.selectbox("The run to judge", [entry.name for entry in judged], key="judged"))


def _say_how_far(wanted: Mapping[str, Spec], lacking: Mapping[str, Spec], going: Mapping[str, Job]) -> None:
    for name in wanted:
        said = "in the picture" if name not in lacking else "under way" if name in going else "not made yet"
        st.markdown(f"- {BASELINES[name].title}: {BASELINES[name].question} *{said}*")
    if "scratch" not in wanted:
        st.caption("This run did not train, so there is no effort that a network from scratch could match.")


def _offer(workspace: Workspace, entry: Shown, offered: Mapping[str, Spec]) -> None:
    if not offered:
        return
    longest = len(offered) * entry.run.result["seconds"]
    st.button(
        f"Add the baselines: about {words.duration(longest)}",
        icon=":material/balance:",
        on_click=_start,
        args=(workspace, entry, offered),
        help="Ordinary runs in the background, with the same settings and at most as much training.",
    )


def _start(workspace: Workspace, entry: Shown, offered: Mapping[str, Spec]) -> None:
    for name, spec in offered.items():
        jobs.start(workspace, _job_kind(entry, name), spec, f"{BASELINES[name].title}: {spec.model}")


def _job_kind(entry: Shown, name: str) -> str:
    return f"baseline {name} {entry.record.id}"
