"""Compare: runs beside each other and beside simple baselines, and where the next one could begin."""

import pandas as pd
import streamlit as st

from explorer.errors import ExplorerError
from explorer.recovery import RECOVERIES
from explorer.runs.history.baselines import BASELINES
from explorer.runs.history.comparison import Comparison, Row, compare, row
from explorer.runs.history.overlap import difference
from explorer.strict_json import dumps
from explorer.tasks import METRICS, metric_of
from explorer.ui.charts import curves
from explorer.ui.navigation import path_to
from explorer.ui.parts import compared, frame, jobs, sharing
from explorer.ui.parts.compared import Shown
from explorer.ui.state import session
from explorer.ui.state.share import Shared
from explorer.ui.text import findings, words

workspace = session.current()
AT_FIRST = 3
RUN, STEP = "looked at", "looked at step"
END = "the end"


def tradeoff(chosen: list[Shown]) -> None:
    """Cost kept against the metric: ends on test data, ways on validation data."""
    same, others = compared.of_one_metric(chosen)
    if compared.frames(same)[0].empty:
        st.caption("None of these runs was judged on data with labels, so there is no accuracy to draw.")
        return
    cut = compared.cutting(same)
    zeros = len(cut) < len(same)
    kinds = [kind for kind in curves.NAMES if (kind == "nonzero" and zeros) or (kind != "nonzero" and cut)]
    kind = st.segmented_control(
        "Cost", kinds, default=kinds[0], format_func=curves.NAMES.get, key=f"cost {kinds}", required=True
    )
    drawn = same if kind == "nonzero" else cut
    finals, ways = compared.frames(drawn)
    metric = metric_of(same[0].run.result["base"])
    drawing = curves.tradeoff(finals, ways, metric, compared.colours_of(chosen), kind=kind)
    rows = [row(entry.run) for entry in drawn if entry.baseline_of is None]
    finding = findings.of_zeros(rows, metric) if kind == "nonzero" else findings.of_tradeoff(rows, metric)
    frame.chart(finding, drawing, "Cost kept against the metric of every run")
    if kind == "nonzero":
        st.caption(
            "A zero is no smaller computation: runs that set single weights to zero keep **all** MACs and are as fast "
            "as before on dense kernels. Their files are smaller when packed. Where channels were cut, the parameters "
            "left are those of a network that really is smaller."
        )
    elif zeros:
        st.caption(
            f"{len(same) - len(cut)} of these runs set single weights to zero and cut nothing: structured, they keep "
            "100% of MACs and parameters. They stand under *Non-zero parameters*."
        )
    if len(ways):
        st.caption(
            "Filled points are measured on **test** data, bars are their 95% intervals. Dashed ways are the steps of "
            "gradual runs, judged on **validation** data that also decided about them: compare them with each other "
            "only."
        )
    else:
        st.caption(
            "Measured on **test** data; bars are 95% intervals. Where they overlap, runs are hard to tell apart."
        )
    if others:
        st.caption(f"Judged by another metric and not in the picture: {', '.join(entry.name for entry in others)}.")


def worth_it(judged: list[Shown], shown: list[Shown]) -> None:
    """The baselines of one run: what they would answer, the button that makes them, and how far they are."""
    judged = [entry for entry in judged if compared.specs_of(entry)]
    if not judged:
        return
    with st.container(border=True):
        st.markdown("**Was it worth it?** Two simple baselines tell: they share the run's budget and effort.")
        entry = judged[0]
        if len(judged) > 1:
            entry = named(judged, st.selectbox("The run to judge", [entry.name for entry in judged], key="judged"))
        wanted, lacking = compared.specs_of(entry), compared.missing(entry, shown)
        found = {name: jobs.find(workspace, kind_of(entry, name)) for name in lacking}
        going = {name: job for name, job in found.items() if job and not job.final}
        for name in wanted:
            said = "in the picture" if name not in lacking else "under way" if name in going else "not made yet"
            st.markdown(f"- {BASELINES[name].title}: {BASELINES[name].question} *{said}*")
        if "scratch" not in wanted:
            st.caption("This run did not train, so there is no effort that a network from scratch could match.")
        for name in lacking:
            jobs.refusal(kind_of(entry, name))
            if found[name] and found[name].state in ("failed", "cancelled"):
                jobs.outcome(found[name])
        offered = {name: spec for name, spec in lacking.items() if name not in going}
        if offered:
            longest = len(offered) * entry.run.result["seconds"]
            st.button(
                f"Add the baselines: about {words.duration(longest)}",
                icon=":material/balance:",
                on_click=add,
                args=(entry, offered),
                help="Ordinary runs in the background, with the same settings and at most as much training.",
            )
    for job in going.values():
        jobs.watch(job)


def kind_of(entry: Shown, name: str) -> str:
    return f"baseline {name} {entry.record.id}"


def add(entry: Shown, offered: dict) -> None:
    for name, spec in offered.items():
        jobs.start(workspace, kind_of(entry, name), spec, f"{BASELINES[name].title}: {spec.model}")


def numbers(chosen: list[Shown]) -> pd.DataFrame:
    """The final numbers, as text."""
    rows = []
    for entry in chosen:
        found = row(entry.run)
        metric = METRICS[found.metric]
        measured = found.value is not None
        rows.append(
            {
                "Run": entry.name,
                "MACs kept": f"{entry.origin['macs'] * found.macs_kept:.1%}",
                "Parameters kept": f"{entry.origin['params'] * found.params_kept:.1%}",
                **(_zeros(found) if any(other.run.sparse for other in chosen) else {}),
                "Test metric": f"{metric.short} {metric.text(found.value)}" if measured else "not measured",
                "95% interval": metric.interval(found.low, found.high) if found.low is not None else "–",
                "Against its base": metric.difference(found.change) if found.change is not None else "–",
                "Latency, batch of 1": f"{found.latency_ms:.2f} ms",
                "Size": words.size(found.size_bytes),
                "Took": words.duration(found.seconds),
                "Recovery": RECOVERIES[found.recover].title if found.recover in RECOVERIES else found.recover,
                "Seed": found.seed,
            }
        )
    return pd.DataFrame(rows)


def _zeros(found: Row) -> dict[str, str]:
    """What single zeros come to, beside what was cut; nothing where channels were."""
    if found.sparsity is None:
        return {"Zeros": "none set", "Not zero": "–", "Packed": "–"}
    return {
        "Zeros": f"{found.sparsity:.1%} of weights",
        "Not zero": f"{words.count(found.nonzero_params)} parameters",
        "Packed": words.size(found.compressed_bytes),
    }


def side_by_side(chosen: list[Shown], comparison: Comparison) -> None:
    """Widths of all chosen runs that cut channels, and the units of two of them."""
    if len(cut := compared.cutting(chosen)) < len(chosen):
        st.caption("Runs that set single weights to zero leave all widths as they were: the Weights page shows them.")
        st.page_link(path_to("weights"), label="Go to weights", icon=":material/grid_on:")
    if not cut:
        return
    chosen = cut
    left, right = st.columns(2, gap="medium")
    with left:
        st.subheader("Widths", anchor=False)
        own = {entry.name for entry in chosen if entry.baseline_of is None}
        table = compared.widths_frame(comparison.groups)
        table = table[table.run.isin(own)]
        frame.chart(
            findings.of_spread(table),
            curves.widths(table, compared.colours_of(chosen)),
            "Channels left of every group, by run",
        )
    with right:
        st.subheader("Channels", anchor=False)
        plain_first = sorted(chosen, key=lambda entry: entry.baseline_of is not None)
        pairs = {
            entry.name: [other.name for other in plain_first if other is not entry and same_model(entry, other)]
            for entry in plain_first
        }
        names = [name for name, partners in pairs.items() if partners]
        if not names:
            st.caption("Choose another run of the same model above to see which channels both remove.")
            return
        first = st.selectbox("One plan", names, key="first plan")
        second = st.selectbox("Another plan", pairs[first], key="second plan")
        found = difference(named(chosen, first).run, named(chosen, second).run)
        drawing = curves.shared_units(*compared.units_frame(found, compared.colours_of(chosen)))
        frame.chart(findings.of_overlap(found), drawing, "Units that both plans or one of them remove, by group")


def same_model(one: Shown, other: Shown) -> bool:
    return one.run.plan.base == other.run.plan.base


def named(shown: list[Shown], name: str) -> Shown:
    return next(entry for entry in shown if entry.name == name)


def family(forest: list, shown: list[Shown], chosen: list[Shown]) -> None:
    """The tree of runs; a click on a point looks at it."""
    st.subheader("The tree of runs", anchor=False)
    nodes, ties = compared.tree_frames(forest, shown)
    count = nodes.run.nunique()
    branches = f"{len(ties)} of them branched off another" if len(ties) else "none of them branched off another yet"
    finding = f"{count} {'run' if count == 1 else 'runs'}, {branches}"
    frame.chart(
        finding,
        curves.family(nodes, ties, compared.colours_of(chosen)),
        "The runs as a tree",
        key="tree",
        on_select=look,
    )
    st.caption(
        "Every row is a run, from right to left as the network shrinks, which zeros don't do. Click a point to look at "
        "it."
    )


def look() -> None:
    picked = st.session_state["tree"].get("selection", {}).get("pick", [])
    if picked:
        step = int(picked[0]["step"])
        st.session_state[RUN], st.session_state[STEP] = picked[0]["run"], END if step < 0 else step


def go_on(shown: list[Shown]) -> None:
    """One run or step of it: on the board, or as the beginning of another run."""
    st.subheader("Go on from a run", anchor=False)
    with st.container(horizontal=True, vertical_alignment="bottom"):
        name = st.selectbox("Run", [entry.name for entry in shown], key=RUN, width=430)
        entry = named(shown, name)
        steps = {
            step["step"]: step["ref"] for step in entry.record.steps if step.get("ref") and not step["rolled_back"]
        }
        if st.session_state.get(STEP) not in (END, *steps):
            st.session_state[STEP] = END
        step = st.selectbox(
            "At", [END, *steps], key=STEP, format_func=lambda at: at if at == END else f"step {at}", width=130
        )
        opened = st.button(
            "Open this run on the board",
            icon=":material/tune:",
            disabled=bool(entry.run.sparse),
            help="It cut no channels, which is all that the board shows." if entry.run.sparse else None,
        )
        branched = st.button("Branch from here", icon=":material/fork_right:", type="primary")
    st.caption(
        "The board shows how much of every group the run removed; which channels stand there follows from the board's "
        "own scores. A branch begins with the network as it was at that point, weights and all."
    )
    if getattr(entry.run.plan, "blocks", ()):
        st.caption("This run also removed whole blocks. The board shows widths only.")
    if opened:
        open_on_board(entry)
    if branched:
        workspace.choose(
            session.permitted(entry.record.ref if step == END else steps[step], workspace), entry.spec.data
        )
        st.switch_page(path_to("prune"))


def open_on_board(entry: Shown) -> None:
    spec = entry.spec
    shared = Shared(spec.model, spec.data, spec.criterion, spec.options, remove=dict(entry.run.plan.remove))
    try:
        sharing.adopt(workspace, shared)
    except ExplorerError as error:
        st.error(f"This run can't be opened on the board: {error}", icon=":material/error:")
        return
    st.switch_page(path_to("budget"))


def downloads(chosen: list[Shown], document: dict) -> None:
    with st.container(horizontal=True):
        st.download_button(
            "Numbers as CSV",
            pd.DataFrame(document["runs"]).to_csv(index=False),
            "comparison.csv",
            "text/csv",
            on_click="ignore",
            icon=":material/download:",
        )
        st.download_button(
            "Everything as JSON",
            dumps(document, indent=1),
            "comparison.json",
            "application/json",
            on_click="ignore",
            icon=":material/download:",
        )
        with st.popover("The same on the command line", icon=":material/terminal:"):
            folders = " ".join(str(entry.record.folder) for entry in chosen)
            st.code(f"python -m explorer compare {folders} --json", language="bash", wrap_lines=True)


frame.heading("Compare", "Finished runs side by side: what each of them kept, and what that cost.", workspace)
shown, forest = compared.finished(workspace)
if not shown:
    st.info(
        "Nothing to compare yet. Every finished run of the Prune page appears here, with its curve between cost and "
        "accuracy, its widths, and simple baselines that tell whether it was worth it.",
        icon=":material/compare_arrows:",
    )
    st.page_link(path_to("prune"), label="Go to prune", icon=":material/arrow_forward:")
    st.stop()
own = [entry for entry in shown if entry.baseline_of is None]
picked = st.multiselect("Runs", [entry.name for entry in own], [entry.name for entry in own[:AT_FIRST]], key="compared")
chosen = [entry for entry in shown if (entry.baseline_of or entry.name) in picked]
if not chosen:
    st.caption("Choose one run or several.")
else:
    tradeoff(chosen)
    worth_it([entry for entry in chosen if entry.baseline_of is None], shown)
    st.dataframe(numbers(chosen), hide_index=True, width="stretch")
    comparison = compare([entry.run for entry in chosen])
    downloads(chosen, comparison.to_json())
    side_by_side(chosen, comparison)
family(forest, shown, chosen)
go_on(own)
