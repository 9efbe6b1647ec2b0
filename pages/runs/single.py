"""One run: what came of it, its name and notes, and the ways to go on from it."""

from collections.abc import Sequence

import streamlit as st

from explorer.board.choice import Choice
from explorer.errors import ExplorerError
from explorer.plain import plain
from explorer.runs.history.doubts import doubts
from explorer.runs.history.lineage import RunRecord
from explorer.runs.labels import COLOURS, LONGEST_NAME, LONGEST_NOTES
from explorer.tasks import headline
from explorer.ui.navigation import path_to
from explorer.ui.parts import compared, jobs, opening, say
from explorer.ui.parts.compared import Shown
from explorer.ui.state.share import Shared
from explorer.ui.state.workspace import Workspace
from explorer.ui.text import terms, words
from pages.runs import table

STEP, END, REFUSED = "looked at step", "the end", "run stays as it is"


def show(workspace: Workspace, id: str, shown: Sequence[Shown], others: Sequence[RunRecord]) -> None:
    """The run of that id, finished or not."""
    entry = next((entry for entry in shown if entry.record.id == id), None)
    record = entry.record if entry else next(record for record in others if record.id == id)
    with st.container(border=True):
        st.subheader(plain(entry.name if entry else record.name), anchor=False)
        if sentence := st.session_state.pop(REFUSED, None):
            say.error(sentence, icon=":material/block:")
        if entry:
            _told(entry)
            _ways_on(workspace, entry)
        elif job := compared.job_of(record):
            jobs.outcome(job)
        if record.notes:
            say.caption(record.notes)
        if compared.owns(workspace)(record):
            with st.container(horizontal=True):
                _rename(workspace, record)
                _delete(workspace, record)


def _told(entry: Shown) -> None:
    """What it keeps and reaches, and how that stands to its base."""
    base, end = (headline(entry.run.result[stage]) for stage in ("base", "pruned"))
    left = f"{entry.origin['macs'] * entry.record.kept['macs']:.1%} of the MACs"
    if base and end:
        left += f", {end.metric.short} {end.text()} on test data, before {base.metric.text(base.value)}"
    said = [f"It keeps {left}."]
    if entry.run.paired:
        said.append(words.sentence(entry.run.paired.sentence(entry.run.samples)))
    if ratio := entry.run.ratio:
        interval = f"{ratio['low']:.2f}–{ratio['high']:.2f}"
        said.append(f"One pass takes {ratio['ratio']:.2f}× as long as its base ({interval}).")
    else:
        said.append("It was made before bases were timed beside runs, so it has no latency ratio.")
    st.markdown(plain(" ".join(said)))
    if doubtful := doubts(entry.run):
        say.warning(words.sentence("; ".join(doubtful)), icon=":material/warning:")


def _ways_on(workspace: Workspace, entry: Shown) -> None:
    with st.container(horizontal=True, vertical_alignment="bottom"):
        job = compared.job_id(entry.record) if entry.own else None
        taken = st.button(
            "Take it along",
            type="primary",
            icon=":material/download:",
            disabled=job is None,
            help=None if job else plain(f"Not made in this workspace: its files lie in {entry.record.folder}."),
        )
        if taken:
            _go(workspace, entry, jobs.TAKE, job, "take")
        opened = st.button(
            "Open on the board",
            icon=":material/tune:",
            disabled=not entry.cut_channels,
            help=None if entry.cut_channels else "It cut no channels, which is all that the board shows.",
        )
        if opened:
            _adopt(entry)
            st.switch_page(path_to("cut"))
        if st.button("Branch", icon=":material/fork_right:", help=plain(terms.told("branch"))):
            if entry.cut_channels:
                _adopt(entry)
            _go(workspace, entry, jobs.BRANCH, entry.record.id, "recover")
        ref = _choose_point(entry)
        if st.button("Cut further", icon=":material/content_cut:", help="Begins with the network as it is there"):
            _begin_with(workspace, ref, entry.spec.data)


def _go(workspace: Workspace, entry: Shown, key: str, id: str, page: str) -> None:
    """To a step of the work, about the run's model, which begins with the run of that id."""
    if opening.asked() is None:
        opening.ask(entry.spec.model, entry.spec.data)
    st.session_state[key] = id
    st.switch_page(path_to(page))


def _adopt(entry: Shown) -> None:
    """Asks for the run's plan on the board: the next page opens it, or says why it can't."""
    spec, plan = entry.spec, entry.run.plan
    choice = Choice(blocks=frozenset(plan.blocks))
    opening.ask_shared(Shared(spec.model, spec.data, spec.criterion, spec.options, choice, dict(plan.remove)))


def _begin_with(workspace: Workspace, ref: str, data: str) -> None:
    """Goes on from a run's network, on the data that its report names, if a browser may name both."""
    opening.ask(ref, data)
    st.switch_page(path_to("cut"))


def _choose_point(entry: Shown) -> str:
    """Asks for a step of the run whose network is kept, or its end; gives the model ref of that network."""
    steps = {step["step"]: step["ref"] for step in entry.record.steps if step.get("ref") and not step["rolled_back"]}
    if not steps:
        return entry.record.ref
    if st.session_state.get(STEP) not in (END, *steps):
        st.session_state[STEP] = END
    step = st.selectbox(
        "Its network at", [END, *steps], key=STEP, format_func=lambda at: at if at == END else f"step {at}", width=130
    )
    return entry.record.ref if step == END else steps[step]


def _rename(workspace: Workspace, record: RunRecord) -> None:
    with st.popover("Name and notes", icon=":material/edit:"), st.form(f"label {record.id}", border=False):
        name = st.text_input("Name", record.name, max_chars=LONGEST_NAME)
        colour = st.selectbox("Colour", COLOURS, COLOURS.index(record.colour))
        notes = st.text_area("Notes", record.notes, max_chars=LONGEST_NOTES)
        if st.form_submit_button("Save", type="primary"):
            try:
                compared.relabel_one(workspace, record, name, colour, notes)
            except ExplorerError as error:
                say.error(error)
            else:
                st.rerun()


def _delete(workspace: Workspace, record: RunRecord) -> None:
    with st.popover("Delete", icon=":material/delete:"):
        say.caption(f"{record.name} goes for good, with its network and all its files.")
        st.button("Delete it for good", type="primary", key="delete run", on_click=_remove, args=(workspace, record))


def _remove(workspace: Workspace, record: RunRecord) -> None:
    try:
        compared.remove_one(workspace, record)
    except ExplorerError as error:
        st.session_state[REFUSED] = str(error)
    else:
        table.choose([])
