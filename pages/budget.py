"""Budget: how much of every group goes, with the price and the accuracy of it."""

from functools import partial

import streamlit as st

from explorer.budget import ALLOCATORS, NORMALISERS, Target, allocate
from explorer.criteria import CRITERIA
from explorer.errors import ExplorerError
from explorer.evaluation import METRICS
from explorer.ui import charts, engine, findings, frame, session, tables, words
from explorer.ui.scoring import scores_for

workspace = session.current()
OPEN_STAGES = 24  # groups up to which every stage stands open
QUANTITIES = {"macs": "MACs", "params": "Parameters"}


def set_uniform() -> None:
    """One ratio for every group that has scores."""
    ratio = st.session_state["uniform"] / 100
    workspace.replace(dict.fromkeys(scores.groups, ratio))


def set_target() -> None:
    state = st.session_state
    try:
        found = allocate(
            state["allocator"],
            structure,
            scores,
            Target(state["quantity"], state["keep"] / 100),
            normalise=state["normaliser"],
        )
    except ExplorerError as error:
        state["remark"] = (str(error),)
        return
    workspace.replace(found.budget)
    state["remark"] = found.warnings


def set_group(name: str, key: str) -> None:
    workspace.adjust(name, st.session_state[key] / structure.groups[name].units)


def presets() -> None:
    """One ratio for all, or as much as a target allows."""
    left, right = st.columns([4, 11], gap="small")
    with left, st.container(border=True, height="stretch"):
        st.markdown("**One ratio for all groups**")
        with st.container(horizontal=True, vertical_alignment="bottom"):
            st.number_input(
                "Remove (%)",
                0,
                95,
                30,
                5,
                key="uniform",
                width=115,
                persist_state="session",
                help="This share of every group's units, the lowest scored first",
            )
            st.button("Apply to all", on_click=set_uniform, disabled=not scores.groups)
    with right, st.container(border=True, height="stretch"):
        st.markdown("**Reach a target**")
        with st.container(horizontal=True, vertical_alignment="bottom"):
            st.number_input(
                "Keep (%)",
                1,
                100,
                50,
                5,
                key="keep",
                width=115,
                persist_state="session",
                help="How much of the whole model's cost may remain",
            )
            st.selectbox(
                "of the",
                list(QUANTITIES),
                format_func=QUANTITIES.get,
                key="quantity",
                width=135,
                persist_state="session",
            )
            registry_choice("Shared out by", ALLOCATORS, "allocator", "global")
            registry_choice("Scores compared by", NORMALISERS, "normaliser", "mean")
            st.button("Cut to target", type="primary", on_click=set_target, icon=":material/adjust:")
    for sentence in st.session_state.pop("remark", ()):
        st.warning(words.sentence(sentence), icon=":material/info:")


def registry_choice(label: str, registry: dict, key: str, default: str) -> None:
    names = list(registry)
    st.selectbox(
        label,
        names,
        index=names.index(default),
        format_func=lambda name: registry[name].title,
        help="  \n".join(f"**{entry.title}**: {entry.explanation}" for entry in registry.values()),
        key=key,
        width=170,
        persist_state="session",
    )


def history() -> None:
    draft = workspace.draft
    with st.container(horizontal=True, vertical_alignment="center"):
        st.button("Undo", icon=":material/undo:", on_click=workspace.undo, disabled=not draft.past, shortcut="Mod+Z")
        st.button("Redo", icon=":material/redo:", on_click=workspace.redo, disabled=not draft.future)
        st.button(
            "Reset",
            icon=":material/restart_alt:",
            on_click=workspace.replace,
            args=({},),
            disabled=not workspace.budget,
        )
        st.caption(
            f"Removes the lowest scores first, by the criterion **{CRITERIA[workspace.criterion].title}**.",
            width="content",
        )


def sliders() -> None:
    """One control per group, gathered by the stages of the network."""
    is_open = len(structure.groups) <= OPEN_STAGES
    for stage, names in words.stages(list(structure.groups)):
        removed = sum(len(plan.remove.get(name, ())) * structure.groups[name].unit for name in names)
        whole = sum(structure.groups[name].size for name in names)
        label = (
            f"**{stage}** · {len(names)} {'group' if len(names) == 1 else 'groups'} · {removed} of {whole} channels go"
        )
        with (
            st.expander(label, expanded=is_open, key=f"stage {workspace.model} {stage}"),
            st.grid(4, min_column_width=210),
        ):
            for name in names:
                slider(name, words.middle(name.removeprefix(f"{stage}."), 34))


def slider(name: str, title: str) -> None:
    """How many units of one group go; its state is always what the workspace holds."""
    group = structure.groups[name]
    share = f"{unit_words(group)} · {shares[name]:.0%} of MACs"
    if name in scores.skipped or group.units < 2:
        reason = scores.skipped.get(name, "it has a single unit")
        st.caption(f"`{title}`  \n{share}. Stays whole: {reason}.")
        return
    # A new control after every undo, preset or target: a slow browser still sends the old one's position, which
    # would otherwise read as the person's own change and wipe out what there was to redo.
    key = f"removed {workspace.revision} {workspace.model} {name}"
    st.session_state[key] = len(plan.remove.get(name, ()))
    st.slider(
        f"`{title}`  \n{share}",
        0,
        group.units - 1,
        key=key,
        format=f"%d of {group.units} go",
        on_change=partial(set_group, name, key),
        help=f"{group.why}" + ("" if group.exact else f" A mask is not exact here: {group.reason}."),
    )


def unit_words(group) -> str:
    what = "channel" if group.unit == 1 else "head" if group.kind == "heads" else "unit"
    several = f"{group.units} {what}{'' if group.units == 1 else 's'}"
    return several if what != "unit" else f"{several} of {group.unit} channels"


def accuracy(place) -> None:
    """The task's metric under the plan on the validation slice, at once where it is quick, else on demand."""
    with place:
        if task is None or not task.measured:
            frame.fact("Accuracy", "not measured", definition="This data has no meaningful labels.")
            return
        if not engine.is_quick(workspace.model) and not st.session_state.pop("evaluate now", False):
            with st.container(border=True):
                st.caption(f"{METRICS[task.metric].label}: a large network, evaluated on request")
                st.button("Evaluate", key="evaluate", on_click=lambda: st.session_state.update({"evaluate now": True}))
            return
        slot = st.empty()
        bar = slot.progress(0.0, text="Evaluating the plan…")
        report = lambda fraction, message, **metrics: bar.progress(fraction, text=words.sentence(message))  # noqa: E731
        try:
            base = engine.base_quality(workspace.model, workspace.data, test=False, report=report)
            found = engine.simulate(workspace.model, workspace.data, plan, report)
        except ExplorerError as error:
            slot.error(str(error))
            return
        with slot.container():
            show_quality(found, base)


def show_quality(found: engine.Simulated, base: engine.Found) -> None:
    now, metric = found.quality, METRICS[task.metric]
    range_ = "" if now.low is None or now.high is None else metric.interval(now.low, now.high)
    how = (
        "Masked channels give exactly the answers of the cut network."
        if found.by == "mask"
        else f"A mask would not be exact for {', '.join(found.inexact[:3])}, so a copy was cut."
    )
    how_found = "simulated by mask" if found.by == "mask" else "measured by cutting"
    frame.fact(
        f"{metric.label}, {how_found if workspace.budget else 'nothing cut'}",
        metric.text(now.value),
        metric.difference(now.value - base.value) if workspace.budget else range_,
        f"{metric.definition} On {now.samples} validation {words.samples(task)}, with its 95% interval. {how} "
        "A low number right after a cut is normal: recovery gives most of it back.",
        detail=", ".join(filter(None, [range_, "before recovery"])) if workspace.budget else "",
    )


frame.heading(
    "Budget", "How many channels of every group go. The numbers follow at once; nothing is cut yet.", workspace
)
found = frame.model_or_stop(workspace)
structure = found.structure
if not structure.groups:
    st.info("This network has no channels that can be cut; the Model page says why.", icon=":material/lock:")
    st.stop()
scores = scores_for(workspace)
if scores is None:
    st.stop()
task = frame.task_or_word(workspace, found)
plan = engine.plan_of(workspace.model, scores, workspace.budget)
kept = plan.kept(structure)
table = tables.after(engine.table(workspace.model), kept)
shares = dict(zip(table.name, table.macs, strict=True))
whole, now = structure.cost(), structure.cost(kept)

with st.grid(4, min_column_width=170):
    change = words.change(whole.macs, now.macs), words.change(whole.params, now.params)
    before = f"was {words.count(whole.macs)}", f"was {words.count(whole.params)}"
    frame.fact("MACs", words.count(now.macs), change[0], words.MAC_HELP, detail=before[0])
    frame.fact("Parameters", words.count(now.params), change[1], words.PARAM_HELP, detail=before[1])
    frame.fact(
        "Kept",
        f"{now.macs / whole.macs:.1%} of MACs",
        f"{now.params / whole.params:.1%} of the parameters",
        "In closed form: counting the cut network gives the same numbers, to the unit.",
    )
    place = st.container(height="stretch")
presets()
history()
frame.chart(findings.of_cut(table), charts.network(table, height=170), "The network, cut channels in grey")
sliders()
frame.onward("pages/prune.py", "Prune", "Next: cut for real and recover the accuracy")
accuracy(place)
