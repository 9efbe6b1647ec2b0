"""Model: choose a network and its data, see what it is made of."""

from collections.abc import Mapping

import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from explorer.errors import ExplorerError
from explorer.sources import list_models, list_tasks, ref_for
from explorer.tasks import METRICS, headline
from explorer.ui import engine
from explorer.ui.charts.network import network
from explorer.ui.parts import frame, jobs
from explorer.ui.state import access, session
from explorer.ui.state.workspace import MODEL
from explorer.ui.text import findings, words

workspace = session.current()
refusals = st.session_state.get("refusals", 0)  # part of the choosers' keys: a refused choice springs back


def adopt(model: str, data: str | None = None) -> None:
    """Goes to another model or data, once it has been opened; otherwise everything stays and the reason is shown.

    A new network takes as many outputs as the data has classes.
    """
    try:
        found = engine.opened(session.permitted(model, workspace))
        wanted = session.permitted(data or found.model.data or "random", workspace)
        found = engine.opened(ref_for(found.model, wanted))
        engine.task(wanted, found.model)
        workspace.choose(found.model.ref, wanted)
    except ExplorerError as error:
        st.session_state["refusal"] = f"{words.sentence(str(error))} {workspace.model} on {workspace.data} stays open."
        st.session_state["refusals"] = refusals + 1
    st.rerun()


def chooser(place: DeltaGenerator, label: str, titles: Mapping[str, str], current: str, about: str) -> str | None:
    """Asks for a ref: one with a title, or any that a person types."""
    refs = list(dict.fromkeys([*titles, current]))
    return place.selectbox(
        label,
        refs,
        index=refs.index(current),
        format_func=lambda ref: f"{titles[ref]} · {ref}" if ref in titles else ref,
        accept_new_options=True,
        key=f"{label.lower()} {refusals} {current}",
        help=about,
    )


def choosers() -> None:
    titles = {entry.ref: entry.title for entry in list_models()}
    tasks = dict(list_tasks())
    left, middle, right = st.columns([4, 3, 2], vertical_alignment="bottom")
    model = chooser(
        left,
        "Model",
        titles,
        workspace.model,
        "Choose one, or type a model ref: demo:…, torchvision:NAME[@WEIGHTS], hf:ID or hf:FOLDER (Hugging Face), "
        "file:PATH#ARCHITECTURE, run:DIR",
    )
    data = chooser(
        middle,
        "Data",
        tasks,
        workspace.data,
        "Choose one that fits the model: digits, shapes (classes), masks (segmentation), boxes (detection), "
        "sentences, ratings (texts), random (timing only); or type torchvision:NAME, hf:ID or folder:PATH",
    )
    with right.popover("Upload weights", icon=":material/upload:", width="stretch"):
        upload()
    if model and model != workspace.model:
        adopt(model)
    elif data and data != workspace.data:
        adopt(workspace.model, data)


def upload() -> None:
    """A state dict from the browser becomes a `file:` ref; it is never unpickled."""
    with st.form("upload", border=False):
        file = st.file_uploader("State dict, up to 200 MB", type=[s[1:] for s in access.UPLOAD_SUFFIXES])
        architecture = st.text_input(
            "Architecture",
            placeholder="torchvision:resnet18?num_classes=10",
            help="The network that the weights belong to, as a model ref",
        )
        if st.form_submit_button("Open", type="primary") and file and architecture:
            try:
                path = access.save_upload(file.name, file.getvalue(), session.uploads(workspace))
            except ExplorerError as error:
                st.error(str(error))
            else:
                adopt(f"file:{path}#{architecture.strip()}")


def quality_metric(task) -> None:
    """The task's metric on the test data, measured here: at once for small networks, at the desk for large ones."""
    metric = METRICS[task.metric if task is not None else "top1"]
    label = metric.label
    if task is None or not task.measured:
        frame.fact(label, "not measured", definition="This data has no meaningful labels: it serves timing only.")
        return
    if engine.test_is_quick(workspace.model, task):
        with st.spinner("Measuring…"):
            measured = engine.base_quality(workspace.model, workspace.data).to_json()
    else:
        measured = jobs.result(workspace, evaluation)
        if measured is None:
            frame.fact(label, "not measured yet", definition="A large network: measured in the background.")
            return
    found = headline(measured | {"metric": task.metric})
    note = f"{found.samples} test {words.samples(task)}"
    if found.low is not None and found.high is not None:
        note = f"{metric.interval(found.low, found.high)} · {note}"
    frame.fact(label, metric.text(found.value), note, f"{metric.definition} {words.INTERVAL_HELP}")


def measure_large() -> None:
    if jobs.under_way(workspace, evaluation) or jobs.result(workspace, evaluation) is not None:
        return
    request = {"kind": "evaluate", "spec": {"model": workspace.model, "data": workspace.data}}
    st.button(
        "Measure in the background",
        icon=":material/play_arrow:",
        on_click=jobs.start,
        args=(workspace, evaluation, request, f"Evaluate {workspace.model}"),
    )


st.title("Make a network smaller, and see what it costs", anchor=False)
opening = (
    " A trained one is open already: go on to the **Flow**, or choose another." if workspace.model == MODEL else ""
)
st.markdown(
    "A network is made of **channels**, and some of them hardly matter. See which, choose how many to remove, "
    f"measure what that does to accuracy, size and speed, and take the smaller network with you.{opening}"
)
choosers()
if sentence := st.session_state.pop("refusal", None):
    st.error(sentence, icon=":material/error:")

found = frame.model_or_stop(workspace)
model, structure = found.model, found.structure
cost = structure.cost()
evaluation = f"evaluate {workspace.model} {workspace.data}"

with st.container(horizontal=True, vertical_alignment="center"):
    st.subheader(model.title, anchor=False, width="content")
    if model.trained:
        st.badge("trained", icon=":material/check:", color="green")
    else:
        st.badge("untrained", icon=":material/warning:", color="orange")
if model.note:
    st.caption(words.sentence(model.note))
task = frame.task_or_word(workspace, found)
if task is not None and task.note:
    st.caption(words.sentence(task.note))

with st.grid(5, min_column_width=150):
    frame.fact("Parameters", words.count(cost.params), definition=words.PARAM_HELP)
    frame.fact("MACs", words.count(cost.macs), definition=words.MAC_HELP)
    frame.fact("Size on disk", words.size(found.size_bytes), definition=words.SIZE_HELP)
    frame.fact("Input", words.shape(model.input_shape), definition=words.input_help(model.input_shape))
    quality_metric(task)
if task is not None and task.measured and not engine.test_is_quick(workspace.model, task):
    measure_large()

table = engine.table(workspace.model)
if not table.empty:
    frame.chart(findings.of_network(table), network(table), "The network as a row of bars, as tall as channels")

st.subheader(f"{len(table)} groups of channels that can be cut", anchor=False)
st.caption(
    "A group is what has to leave together: removing a channel of one layer means removing it wherever it is added, "
    f"normalised or read. Found in {structure.seconds:.2f} s."
)
st.dataframe(
    table.drop(columns=["kept", "units"]),
    hide_index=True,
    height="content" if len(table) <= 24 else 640,
    column_config={
        "name": st.column_config.TextColumn(
            "Group", help="Named after the layer that first makes its channels", pinned=True
        ),
        "kind": st.column_config.TextColumn("Kind", help="; ".join(f"{k}: {v}" for k, v in words.KIND_HELP.items())),
        "channels": st.column_config.NumberColumn("Channels", format="%d"),
        "unit": st.column_config.NumberColumn(
            "Per unit", help="Channels that leave at once, a whole head for instance"
        ),
        "exact": st.column_config.CheckboxColumn("Exact", help="Whether a mask gives the very logits of the cut"),
        "params": st.column_config.ProgressColumn(
            "Parameters", format="percent", min_value=0, max_value=1, help="Share that removing all of it would save"
        ),
        "macs": st.column_config.ProgressColumn(
            "MACs", format="percent", min_value=0, max_value=1, help="Share that removing all of it would save"
        ),
        "why": st.column_config.TextColumn("Why tied", width="large"),
    },
    alt="The groups with their kind, channels, share of parameters and MACs, and what ties them",
)
if structure.blocked:
    parts = "1 part" if len(structure.blocked) == 1 else f"{len(structure.blocked)} parts"
    with st.expander(f"{parts} of the network can't be cut, and why", icon=":material/lock:"):
        st.dataframe(
            [{"Layer": part.name, "Channels": part.size, "Why": part.reason} for part in structure.blocked],
            hide_index=True,
            column_config={"Why": st.column_config.TextColumn(width="large")},
            alt="Layers whose channels can't be cut, with the reason",
        )
frame.onward("flow", "Next: see which channels matter")
