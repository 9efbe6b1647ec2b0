"""The choice of a network and its data: bundled ones, refs that a person types, and weights from the browser."""

from collections.abc import Mapping
from dataclasses import dataclass

import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from explorer.errors import ExplorerError
from explorer.plain import plain
from explorer.sources import LoadedModel, OtherClassesError, list_models, list_tasks, ref_for
from explorer.sources.reading.checking import BadPicturesError
from explorer.ui import engine
from explorer.ui.parts import say
from explorer.ui.state import session
from explorer.ui.state.workspace import Workspace
from explorer.ui.text import words
from pages.look import training, understood

LISTED = 1000  # files that can't be read

REFUSALS = "refusals"  # how many choices were refused: part of the choosers' keys, so that a refused one springs back
REFUSAL = "refusal"  # the last one, for the page that comes after it


@dataclass(frozen=True)
class Refusal:
    """A choice that could not be opened.

    Args:
        sentence: why.
        data: the ref of the data, if that was chosen; it may well be read, only not by this model.
        bad: files of the data that can't be read.
        without: the ref that leaves them out; empty where there is none.
    """

    sentence: str
    data: str = ""
    bad: tuple[str, ...] = ()
    without: str = ""


def show(workspace: Workspace) -> None:
    """Two boxes and the upload; what is chosen is opened at once."""
    titles = {entry.ref: entry.title for entry in list_models()}
    left, middle, right = st.columns([4, 3, 2], vertical_alignment="bottom")
    model = _chooser(
        left,
        "Model",
        titles,
        workspace.model,
        "Choose one, or type a model ref: demo:…, torchvision:NAME[@WEIGHTS], timm:NAME[@TAG], hf:ID or "
        "hf:FOLDER (Hugging Face), file:PATH#ARCHITECTURE, run:DIR",
    )
    data = _chooser(
        middle,
        "Data",
        dict(list_tasks()),
        workspace.data,
        "Choose one that fits the model: digits, shapes (classes), masks (segmentation), boxes (detection), "
        "sentences, ratings (texts), random (timing only); or type torchvision:NAME, hf:OWNER/NAME or folder:PATH (add "
        "?skip=bad to leave out files that can't be read, ?label=COLUMN to name the labels of a table)",
    )
    with right.popover("Upload weights", icon=":material/upload:", width="stretch"):
        _upload(workspace)
    if model and model != workspace.model:
        adopt(workspace, model)
    elif data and data != workspace.data:
        adopt(workspace, workspace.model, data)
    say.caption("Pictures of your own: type folder:PATH under Data, and see what was understood before it is used.")
    if refusal := st.session_state.pop(REFUSAL, None):
        _show_refusal(workspace, refusal)


def _chooser(place: DeltaGenerator, label: str, titles: Mapping[str, str], current: str, about: str) -> str | None:
    """Asks for a ref: one with a title, or any that a person types."""
    refs = list(dict.fromkeys([*titles, current]))
    return place.selectbox(
        plain(label),
        refs,
        index=refs.index(current),
        format_func=lambda ref: f"{titles[ref]} · {ref}" if ref in titles else ref,
        accept_new_options=True,
        key=f"{label.lower()} {_refusals()} {current}",
        help=plain(about),
    )


def _show_refusal(workspace: Workspace, refusal: Refusal) -> None:
    """Why a choice was refused, what can be done, and what the data is, where it can be read at all."""
    say.error(refusal.sentence, icon=":material/error:")
    if refusal.bad:
        with st.expander(f"All {len(refusal.bad)} files that can't be read", icon=":material/broken_image:"):
            st.dataframe({"File": refusal.bad[:LISTED]}, hide_index=True, alt="Files that can't be read, and why")
    if refusal.without:
        st.button(
            "Go on without them",
            icon=":material/skip_next:",
            on_click=_choose,
            args=(workspace, workspace.model, refusal.without),
        )
    elif refusal.data and (task := engine.data_alone(refusal.data)) is not None:
        say.caption(f"This is what {refusal.data} is understood to be:")
        understood.show(task, unfolded=True)


def adopt(workspace: Workspace, model: str, data: str | None = None) -> None:
    """`_choose`, and the page anew."""
    _choose(workspace, model, data)
    st.rerun()


def _choose(workspace: Workspace, model: str, data: str | None = None) -> None:
    """Goes to another model or data, once it has been opened; otherwise everything stays and the reason is kept.

    A new network takes as many outputs as the data has classes.
    """
    asked = ""
    try:
        opened = engine.opened(session.permitted(model, workspace))
        wanted = session.permitted(data or opened.model.data or "random", workspace)
        asked = wanted if data else ""
        opened = engine.opened(ref_for(opened.model, wanted))
        engine.task(wanted, opened.model)
        workspace.choose(opened.model.ref, wanted)
        training.propose(None)
    except ExplorerError as error:
        proposed = asked and isinstance(error, OtherClassesError) and opened.model.ref == workspace.model
        training.propose(wanted if proposed else None)
        sentence = f"{words.sentence(str(error))} {workspace.model} on {workspace.data} stays open."
        bad, without = (error.bad, error.without) if isinstance(error, BadPicturesError) else ((), "")
        st.session_state[REFUSAL] = Refusal(sentence, asked, bad, without)
        st.session_state[REFUSALS] = _refusals() + 1


def weights(workspace: Workspace, model: LoadedModel) -> None:
    """The choice between several sets of weights in the model's file, such as averages beside the plain ones."""
    names = {ref: prefix or "those at the top" for prefix, ref in model.choices}
    if not names:
        return
    refs = list(names)
    chosen = st.selectbox(
        "Weights in the file",
        refs,
        index=refs.index(model.ref),
        format_func=names.__getitem__,
        key=f"weights {_refusals()} {model.ref}",
        help="The file holds several sets of weights for this network, each under a name of its own.",
    )
    if chosen != model.ref:
        adopt(workspace, chosen, workspace.data)


def _refusals() -> int:
    return st.session_state.get(REFUSALS, 0)


def _upload(workspace: Workspace) -> None:
    """Weights from the browser become a `file:` ref; they are never unpickled. What can't be opened is told why."""
    with st.form("upload", border=False):
        file = st.file_uploader(
            "State dict or checkpoint, up to 200 MB",
            help="As your training program saved it: .pth, .pt, .ckpt, .bin, .safetensors, … Its weights are found by "
            "the names and shapes of the architecture's; settings and optimisers beside them don't matter.",
        )
        architecture = st.text_input(
            "Architecture",
            placeholder="torchvision:resnet18?num_classes=10",
            help="The network that the weights belong to, as a model ref",
        )
        if st.form_submit_button("Open", type="primary") and file and architecture:
            try:
                path = session.save_upload(workspace, file.name, file.getvalue())
            except ExplorerError as error:
                say.error(error)
            else:
                adopt(workspace, f"file:{path}#{architecture.strip()}")
