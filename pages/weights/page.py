"""Weights: single weights as they become zero, and as some of them come back."""

import shlex
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pandas as pd
import streamlit as st

from explorer.errors import ExplorerError
from explorer.export.layout import SPARSE
from explorer.methods.tools.sparse_account import NO_SPEED
from explorer.pruning.margins import Margins
from explorer.pruning.unstructured import SCOPES
from explorer.runs.history.comparison import row
from explorer.runs.history.finished import read_finished
from explorer.runs.history.single_weights import Snapshot, SparseRun, drawn, margins, saved, snapshot
from explorer.runs.queue.job import Job
from explorer.tasks import METRICS, Task
from explorer.ui.parts import compared, frame, jobs, weights
from explorer.ui.state import session
from explorer.ui.text import words
from pages.weights import matrix, zeroing

workspace = session.current()
MODEL = "The open model, without a run"
SCOPE_TITLES = {"global": "All layers compete", "layer": "The same share of every layer"}
CHOSEN, TRAINED = "As the step chose", "After its training"


def looked_at() -> tuple[Path | None, Job | None]:
    """The folder of the run that a person chose, if any, and its job where it has not ended well."""
    going = {begun(job): job for job in compared.sparse_under_way(workspace)}
    done = {entry.name: entry.record.folder for entry in compared.finished(workspace)[0] if entry.run.sparse}
    names = [*going, *done, MODEL]
    newest, seen = names[0], "newest run of weights"
    if st.session_state.get(seen) != newest:
        st.session_state[seen] = st.session_state["run of weights"] = newest
    name = st.selectbox("What to look at", names, key="run of weights")
    job = going.get(name)
    return done.get(name) or (Path(job.directory) if job else None), job


def begun(job: Job) -> str:
    return f"{job.title} · begun {time.strftime('%d %b %H:%M:%S', time.localtime(job.created))}"


def of_model(found_margins: Margins, task: Task | None) -> None:
    """What a sparsity by magnitude would take from the open model, and a run that does it."""
    left, right = st.columns([3, 2], gap="medium", vertical_alignment="bottom")
    with left:
        percent = st.slider("Weights that become zero", 0.0, 99.5, 90.0, 0.5, "%.1f%%", key="share of zeros")
    with right:
        scope = st.selectbox("Scope", SCOPES, format_func=SCOPE_TITLES.get, key="scope of zeros")
    share = percent / 100
    found = found_margins.to_json(share, scope)
    rows = [
        {"group": layer["name"], "zeros": layer["zeros"], "of": layer["weights"], "share": layer["sparsity"]}
        for layer in found["layers"]
    ]
    table = pd.DataFrame(rows)
    left, right = st.columns(2, gap="medium")
    with left:
        frame.chart(of_layers(table), weights.sparsity_bars(table), "The share of every layer that would become zero")
        reach = "" if found["margin"] is None else f", those of magnitude {found['margin']:.3g} and less"
        st.caption(
            f"The smallest {found['zeros']:,} of {found['weights']:,} weights leave{reach}. Nothing is cut yet, and no "
            "accuracy measured."
        )
    with right:
        layer = layer_box([row["group"] for row in rows])
        facts = found_margins.layer(layer, share, scope)
        of_choice(facts, facts["margins"], None)
        weight = found_margins.weights[layer]
        edge = facts["margins"][1] if facts["margins"] else -1.0
        gone = (weight.abs() <= edge).short()
        matrix.show(Snapshot(weight, gone, None), layer)
    zeroing.offer(workspace, share, scope, task)


def of_layers(table: pd.DataFrame) -> str:
    """Which layer loses most, and which least."""
    most, least = table.loc[table.share.idxmax()], table.loc[table.share.idxmin()]
    if most.share == least.share:
        return f"Every layer has {most.share:.1%} zeros"
    return f"{short(most.group)} has most zeros, {most.share:.1%}; {short(least.group)} least, {least.share:.1%}"


def short(name: str) -> str:
    return name.removesuffix(".weight")


def layer_box(names: list[str]) -> str:
    return st.selectbox("Weight", names, key=f"layer {workspace.model}", persist_state="session")


def of_choice(facts: Mapping[str, Any], edges: tuple[float, float] | None, found: Snapshot | None) -> None:
    """The histogram of a layer with its margins; with a snapshot, what is left after training can be seen too."""
    view = CHOSEN
    if found is not None:
        view = st.segmented_control("Weights", [CHOSEN, TRAINED], default=CHOSEN, key="moment", required=True)
    if found is not None and view == TRAINED:
        shown, said = weights.bins(facts, found), after_training(found, edges)
    else:
        shown, said = weights.bins(facts), when_chosen(facts, edges)
    frame.chart(
        f"{short(facts['name'])}: {said}",
        weights.histogram(shown, edges),
        "Histogram of the weights of one layer, with the margins between which they leave",
    )


def when_chosen(facts: Mapping[str, Any], edges: tuple[float, float] | None) -> str:
    between = "" if not edges or not facts["removed"] else f" between {edges[0]:.3g} and {edges[1]:.3g}"
    return f"{facts['removed']:,} of {facts['weights']:,} weights leave{between.replace('-', '−')}"


def after_training(found: Snapshot, edges: tuple[float, float] | None) -> str:
    left = found.weight[found.pruned_at == 0]
    said = f"{len(left):,} weights are left after training"
    if edges is None:
        return said
    return f"{said}, {int(((left >= edges[0]) & (left <= edges[1])).sum()):,} of them now between the margins"


def of_run(run: SparseRun) -> None:
    """The steps of a run, one of them more closely."""
    if (model := run.spec["model"]) != workspace.model:
        st.caption(f"This is a run of `{model}`, not of the open model.")
    number = scrubber(run)
    step = run.at(number)
    table = by_layer(run)
    step_facts(run, step)
    left, right = st.columns(2, gap="medium")
    with left:
        drawing = weights.sparsity_map(table, number)
        frame.chart(of_layers(table[table.step == number]), drawing, "How sparse every layer is after every step")
        st.caption("A column per step. Where layers compete, those whose weights are small lose most of them.")
    with right:
        layer = layer_box(run.layers)
        facts, found = run.layer(layer, number), kept(run, layer, number)
        of_choice(facts, margins(run, layer, number), found)
        st.caption(how_chosen(run, layer, number))
    st.markdown(of_return(facts, number))
    if found is not None:
        matrix.show(found, layer, len(run.steps))
    if run.result is not None:
        sizes(run)
    asked = ["--run", str(run.folder), "--layer", layer, "--step", str(number)]
    line = shlex.join(["python", "-m", "explorer", "weights", *asked, "--json"])
    with st.popover("The same on the command line", icon=":material/terminal:"):
        st.code(line, language="bash", wrap_lines=True)


def scrubber(run: SparseRun) -> int:
    """The step to look at; a new one is followed unless a person looks back."""
    key, seen = f"weights step {run.folder}", f"newest weights step {run.folder}"
    last = run.steps[-1]["step"]
    if st.session_state.get(key) == st.session_state.get(seen):
        st.session_state[key] = last
    st.session_state[seen] = last
    if last == 1:
        return 1
    return st.select_slider("Step", [step["step"] for step in run.steps], key=key, help="Arrow keys move it too.")


def by_layer(run: SparseRun) -> pd.DataFrame:
    rows = [
        {
            "step": step["step"],
            "group": layer["name"],
            "zeros": layer["weights"] - layer["kept"],
            "of": layer["weights"],
            "share": layer["sparsity"],
        }
        for step in run.steps
        for layer in step["layers"]
    ]
    return pd.DataFrame(rows)


def step_facts(run: SparseRun, step: Mapping[str, Any]) -> None:
    back = sum(layer["regrown"] for layer in step["layers"])
    left = sum(layer["removed"] for layer in step["layers"])
    with st.grid(4, min_column_width=150):
        frame.fact("Zero", f"{step['sparsity']:.1%}", definition="Of the weights of all layers that could become zero.")
        frame.fact("Left", words.count(left), definition="Weights that this step set to zero.")
        frame.fact("Came back", words.count(back), definition="Weights that were zero before this step.")
        metric = METRICS[run.metric]
        value = metric.text(step[f"{run.metric}_after"])
        frame.fact(f"Validation {metric.short}", value, definition="After the training of this step.")


def kept(run: SparseRun, layer: str, step: int) -> Snapshot | None:
    try:
        return snapshot(run, layer, step)
    except ExplorerError as error:
        st.caption(words.sentence(str(error)))
        return None


def how_chosen(run: SparseRun, layer: str, step: int) -> str:
    if margins(run, layer, step):
        return (
            f"Dashed: the margins, {what_margins_are(run, step)} After training, weights may lie between them: they "
            "moved there, and stay."
        )
    if not run.layer(layer, step)["removed"]:
        return "Nothing left this layer in this step, so there is no margin to draw."
    return f"Chosen by {run.spec['criterion']} or in a pattern, not by magnitude alone: there is no margin to draw."


def what_margins_are(run: SparseRun, step: int) -> str:
    signed, shared = drawn(run, step)
    found = "the largest magnitude that left in this step."
    if signed:
        found = (
            f"two quantiles of the signed weights of {'all layers together' if shared else 'this layer'}: as many "
            "stay below the lower as above the upper, whatever their magnitudes."
        )
    return f"{found} A layer whose weights all lie between them loses everything." if shared else found


def of_return(facts: Mapping[str, Any], step: int) -> str:
    """How many weights came back since the step before."""
    name = f"**{short(facts['name'])}**"
    if step == 1:
        return f"{name}: the first step; nothing had left before it."
    if not facts["regrown"]:
        return f"{name}: no weight came back since step {step - 1}."
    said = "weight" if facts["regrown"] == 1 else "weights"
    return f"{name}: {facts['regrown']:,} {said} came back since step {step - 1}. They begin again at zero."


def sizes(run: SparseRun) -> None:
    """What the zeros save: in theory, on disk, and in time."""
    st.subheader("What the zeros save", anchor=False)
    found = saved(run)
    times, measured = found["latency_ms"], found["semi_structured"]
    cells = [
        ("Zeros", f"{found['sparsity']:.1%}", f"{found['zeros']:,} of {found['weights']:,} weights", ""),
        ("Structured", "100% of MACs", f"{words.count(found['macs'])}, none saved", "What a dense kernel computes."),
        (
            "In theory",
            f"{found['nonzero_macs'] / found['macs']:.1%} of MACs",
            "with a weight that isn't zero",
            "What hardware that skips every zero would compute: a count, not a time.",
        ),
        (
            "Packed file",
            words.size(found["compressed_bytes"]),
            f"{words.change(found['size_bytes'], found['compressed_bytes'])} of {words.size(found['size_bytes'])}",
            f"{SPARSE}: a bit for each weight, and those that aren't zero. In memory the network is as large as "
            f"before. Zipped, the dense file has {words.size(found['deflated_bytes'])}.",
        ),
        (
            "Latency, batch of 1",
            f"{times['pruned']:.2f} ms",
            f"{times['base']:.2f} ms before",
            "Median on dense kernels, measured with the zeros in place.",
        ),
    ]
    with st.grid(3, min_column_width=220):
        for label, value, note, about in cells:
            frame.fact(label, value, note, about)
    untimed = "" if measured["measured"] else f" Sparse kernels were not timed: {measured['reason']}."
    st.caption(f"{words.sentence(NO_SPEED)} {of_noise(times)}{untimed}")
    if measured["measured"]:
        st.markdown(of_kernels(measured))
    quality = row(read_finished(run.folder))
    if quality.value is not None:
        metric = METRICS[run.metric]
        change = metric.difference(quality.change)
        st.caption(f"Test {metric.short} {metric.text(quality.value)}, {change} against the base model.")


def of_noise(times: Mapping[str, float]) -> str:
    """What the dense medians before and after say: the same products were computed."""
    change = words.change(times["base"], times["pruned"])
    if change == words.change(1, 1):
        return "The two medians agree."
    return f"The two medians differ ({change}): that is noise of the measurement."


def of_kernels(measured: Mapping[str, Any]) -> str:
    """What was measured with 2:4 kernels; `measured` as in `explorer.evaluation.nonzero.semi_structured`."""
    dense, sparse = (measured[kind][0] for kind in ("dense", "sparse"))
    layers = len(measured["layers"])
    return (
        f"Measured on {sparse['device']} in half precision, batch of {sparse['batch']}: **{sparse['median_ms']:.2f} "
        f"ms** with 2:4 sparse kernels in {layers} linear {'layer' if layers == 1 else 'layers'}, "
        f"{dense['median_ms']:.2f} ms with dense ones ({words.change(dense['median_ms'], sparse['median_ms'])})."
    )


frame.heading("Weights", "Single weights as they become zero, and as some of them come back.", workspace)
found = frame.model_or_stop(workspace)
task = frame.task_or_word(workspace, found)
folder, job = looked_at()
if job is not None and not job.final:
    jobs.watch(job)
elif job is not None:
    jobs.outcome(job)
if folder is None:
    st.caption(
        "What magnitude pruning would take from the open model. A run below does it step by step, trains what is left, "
        "and then shows here how weights leave and come back."
    )
    of_model(weights.margins_of(workspace.model), task)
else:
    try:
        run = weights.opened(folder)
    except ExplorerError as error:
        going = job is not None and not job.final
        st.caption("The first step appears here once it has ended." if going else words.sentence(str(error)))
    else:
        of_run(run)
