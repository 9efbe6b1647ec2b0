"""The choice of a model and its data, as a dialog that opens over any page."""

from collections.abc import Sequence

import streamlit as st

from explorer.errors import ExplorerError
from explorer.memory import in_words
from explorer.plain import plain
from explorer.sources import list_models
from explorer.sources.finding.candidate import DATA, MODEL, Candidate
from explorer.sources.finding.fitting_data import data_for
from explorer.sources.finding.search import search
from explorer.sources.models.demo_models import demo_entries
from explorer.sources.reading.zipped_pictures import MOST_BYTES, MOST_FILES
from explorer.sources.refs import path_and_options
from explorer.ui import engine
from explorer.ui.parts import opening, say
from explorer.ui.state import session
from explorer.ui.state.uploads import told
from explorer.ui.state.workspace import Workspace
from explorer.ui.text import words

FOUND = 8  # candidates that are shown
# Keys of the session.
SEARCH, KINDS, REFUSED = "search for a model or data", "kinds of choices", "refused upload"
UPLOAD, PICTURES = "upload", "pictures to upload"


@st.dialog("Choose a model and its data", width="large", icon=":material/schema:")
def choose(workspace: Workspace) -> None:
    """Search, what comes along, what was open before, uploads; what is chosen closes the dialog and is opened."""
    if opening.asked() is not None:
        st.rerun()
    typed = st.text_input(
        "Search",
        key=SEARCH,
        placeholder="resnet50, vit base, /data/flowers, best.pth resnet18, owner/name of Hugging Face",
        help="A name, a few words of it, a path on this server, an id of the Hugging Face hub, or a whole ref.",
        icon=":material/search:",
    )
    if typed:
        _found(workspace, typed)
        return
    kinds = {"Models": _models, "Data that fits": _data, "Your own": _own}
    names = ["Models", "Data that fits", "Your own"]
    kind = st.radio("What to choose", names, key=KINDS, horizontal=True, label_visibility="collapsed")
    kinds[kind](workspace)


def _found(workspace: Workspace, typed: str) -> None:
    """What the typed words may mean, the likeliest first."""
    found = search(typed, permitted=session.opener(workspace), most=FOUND)
    if not found:
        say.caption(f"Nothing is called {typed}. Type a name, a path on this server, or an id of the Hugging Face hub.")
    _list(workspace, found, "found")


def _models(workspace: Workspace) -> None:
    """What was open before, and what comes along."""
    known = {entry.ref: entry.title for entry in list_models()}
    before = [ref for ref in workspace.recent if ref != workspace.model]
    if before:
        st.caption("Open before")
        _list(workspace, [Candidate(ref, known.get(ref, ref), "open before", MODEL) for ref in before], "before")
    st.caption("Trained, and with this program")
    _list(workspace, [Candidate(each.ref, each.title, each.note, MODEL) for each in demo_entries()], "bundled")
    st.caption("Every network of torchvision and timm, and models of Hugging Face: search for them by name.")


def _data(workspace: Workspace) -> None:
    """The data that fits the open model."""
    try:
        fits = data_for(engine.opened(workspace.model).model)
    except ExplorerError as error:
        say.warning(f"{workspace.model} can't be opened: {error}")
        return
    say.caption(f"For {workspace.model}:")
    _list(workspace, [fit.candidate for fit in fits], "fitting")


def _own(workspace: Workspace) -> None:
    """Pictures and texts in a folder, pictures and weights from the browser, and why the last of these was refused."""
    if refused := st.session_state.pop(REFUSED, None):
        say.error(refused)
    st.markdown("**A folder of pictures or texts, or a table**")
    st.caption("Type its path on this server above. Look then shows what it is understood to be.")
    st.markdown("**Pictures of yours, in a ZIP**")
    _pictures(workspace)
    st.markdown("**Weights of yours**")
    _upload(workspace)


def _pictures(workspace: Workspace) -> None:
    """A ZIP from the browser becomes a `folder:` ref, and those of before can be chosen again."""
    with st.form("pictures form", border=False):
        st.file_uploader(
            "ZIP of a folder of pictures, up to 200 MB",
            type="zip",
            key=PICTURES,
            help=plain(
                "A folder for each class, or a table of labels, masks, or boxes of COCO or YOLO beside the pictures. "
                f"At most {MOST_FILES:,} files of {in_words(MOST_BYTES)} in all; what is neither a picture nor says "
                "what pictures show is left out."
            ),
        )
        st.form_submit_button("Open pictures", type="primary", on_click=_open_pictures, args=(workspace,))
    shown = path_and_options(workspace.data).path if workspace.data.startswith("folder:") else None
    before = [path for path in session.uploaded_pictures(workspace) if path.resolve() != shown]
    _list(workspace, [Candidate(f"folder:{path}", path.name, told(path), DATA) for path in before], "uploaded")


def _list(workspace: Workspace, found: Sequence[Candidate], place: str) -> None:
    """A button for each candidate, with what it is or why it can't be opened here."""
    for each in found:
        if each.is_whole:
            model, data = (each.ref, "") if each.kind == MODEL else (workspace.model, each.ref)
            current = each.ref == (workspace.model if each.kind == MODEL else workspace.data)
            with st.container(gap=None):
                st.button(
                    plain(each.title if each.title == each.ref else f"{each.title} · {each.ref}"),
                    key=f"choose {place} {each.kind} {each.ref}",
                    icon=":material/check:" if current else _icon(each.kind),
                    on_click=opening.ask,
                    args=(model, data),
                    disabled=bool(each.problem) or current,
                    type="tertiary",
                )
                say.caption(f"Open now. {each.why}" if current else each.problem or each.why)
        else:
            _with_network(each)


def _icon(kind: str) -> str:
    return ":material/image:" if kind == DATA else ":material/schema:"


def _with_network(candidate: Candidate) -> None:
    """Asks for the network that a file's weights belong to."""
    say.caption(candidate.problem or f"{candidate.title} holds weights. Which network do they belong to?")
    if not candidate.problem:
        with st.form(f"network of {candidate.ref}", border=False):
            key = _network(candidate.ref)
            st.form_submit_button("Open", type="primary", on_click=_open_weights, args=(candidate.ref, key))


def _upload(workspace: Workspace) -> None:
    """Weights from the browser become a `file:` ref; they are never unpickled."""
    with st.form("upload form", border=False):
        st.file_uploader(
            "State dict or checkpoint, up to 200 MB",
            key=UPLOAD,
            help="As your training program saved it: .pth, .pt, .ckpt, .bin, .safetensors, … Its weights are found by "
            "the names and shapes of the network's; settings and optimisers beside them don't matter.",
        )
        key = _network("upload")
        st.form_submit_button("Open", type="primary", on_click=_open_upload, args=(workspace, key))


def _network(place: str) -> str:
    """Asks for the network that weights belong to; gives the key of the box."""
    key = f"network for {place}"
    st.text_input(
        "Network",
        key=key,
        placeholder="resnet18, or torchvision:resnet18?num_classes=10",
        help="The network that the weights belong to: a model ref, or its name",
    )
    return key


def _open_weights(ref: str, key: str) -> None:
    """Opens weights whose ref lacks the network that stands in a box; nothing where it is empty."""
    typed = st.session_state[key].strip()
    named = [each.ref for each in search(typed, kind=MODEL) if "@" not in each.ref and each.is_whole]
    if typed:
        opening.ask(f"{ref}{typed if ':' in typed or not named else named[0]}")


def _open_pictures(workspace: Workspace) -> None:
    """Keeps the ZIP that was uploaded; the page that says what is opened unpacks it."""
    file = st.session_state[PICTURES]
    if file is None:
        st.session_state[REFUSED] = "Choose a ZIP of pictures first."
        return
    try:
        archive = session.save_pictures(workspace, file.name, file.getvalue())
    except ExplorerError as error:
        st.session_state[REFUSED] = words.sentence(str(error))
    else:
        opening.ask_pictures(workspace.model, archive)


def _open_upload(workspace: Workspace, key: str) -> None:
    """Keeps the file that was uploaded, and opens it."""
    file = st.session_state[UPLOAD]
    if file is None or not st.session_state[key].strip():
        st.session_state[REFUSED] = "Choose a file, and say which network its weights belong to."
        return
    try:
        path = session.save_upload(workspace, file.name, file.getvalue())
    except ExplorerError as error:
        st.session_state[REFUSED] = str(error)
    else:
        _open_weights(f"file:{path}#", key)
