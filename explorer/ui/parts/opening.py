"""Going to another model or data: asked for anywhere, opened on a page of its own, refused with the reason."""

from collections.abc import Sequence
from dataclasses import dataclass

import streamlit as st

from explorer.errors import ExplorerError
from explorer.plain import plain
from explorer.progress import Report, paced
from explorer.sources import LoadedModel, OtherClassesError, ref_for
from explorer.sources.reading.checking import BadPicturesError
from explorer.ui import engine
from explorer.ui.engine import Opened
from explorer.ui.navigation import PAGES
from explorer.ui.parts import say, understood
from explorer.ui.state import session
from explorer.ui.state.share import Shared
from explorer.ui.state.uploads import Archive
from explorer.ui.state.workspace import Workspace
from explorer.ui.text import words

ASKED, REFUSAL = "asked to open", "refusal"  # keys of the session
LISTED = 1000  # files that can't be read
_DRAWN = 0.2  # seconds from one picture of a bar to the next


@dataclass(frozen=True)
class Asked:
    """What is to be opened.

    Args:
        model: a model ref.
        data: a data ref; empty: what fits the model.
        shared: the state that comes with them: criterion and cut; None: none.
        archive: pictures to be unpacked, which then are the data; None: none.
    """

    model: str
    data: str = ""
    shared: Shared | None = None
    archive: Archive | None = None

    @property
    def name(self) -> str:
        """What is opened, for a person."""
        return self.archive.name if self.archive else self.data or self.model


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


def ask(model: str, data: str = "") -> None:
    """Notes what is to be opened: what a button does; the next run of the page opens it."""
    st.session_state[ASKED] = Asked(model, data)


def ask_shared(shared: Shared) -> None:
    """Notes a state that is to be opened as a whole: a link's, a file's, a run's."""
    st.session_state[ASKED] = Asked(shared.model, shared.data or "", shared)


def ask_pictures(model: str, archive: Archive) -> None:
    """Notes an archive of pictures that is to be unpacked and opened as data of a model."""
    st.session_state[ASKED] = Asked(model, archive=archive)


def adopt(model: str, data: str = "") -> None:
    """`ask`, and the page anew."""
    ask(model, data)
    st.rerun()


def asked() -> Asked | None:
    """What is to be opened; None: nothing."""
    return st.session_state.get(ASKED)


def propose(data: str | None) -> None:
    """Lets training be offered on data that was refused for its classes; None takes that back."""
    st.session_state[session.PROPOSED] = data


def proposed() -> str | None:
    """Data that was refused for its classes."""
    return st.session_state.get(session.PROPOSED)


def carry_out(workspace: Workspace) -> None:
    """Opens what was asked for, on a clean page that says so, and goes on to the page; nothing where nothing was.

    Called before a page is drawn, in the place of the one element that holds all of it, so that this is gone at once;
    what is told meanwhile stands in the next place. Where it can't be opened, all stays as it is, and the reason is
    kept for `show_refusal`.
    """
    if (wanted := asked()) is None:
        return
    st.empty()
    with st.container():
        st.title(f"Opening {plain(words.middle(wanted.name, 60))}", anchor=False)
        with st.status("This takes seconds, with a download minutes", expanded=True):
            try:
                st.session_state[REFUSAL] = _opened(workspace, wanted)
            except Exception:  # unforeseen: what is tried once more is not this
                del st.session_state[ASKED]
                raise
    del st.session_state[ASKED]
    st.rerun()


def _opened(workspace: Workspace, wanted: Asked) -> Refusal | None:
    """Goes to what was asked for; else the reason.

    A new network takes as many outputs as the data has classes.
    """
    if wanted.shared is not None:
        return _taken_over(workspace, wanted.shared)
    named, chosen = wanted.data, ""
    try:
        if wanted.archive is not None:
            named = _unpacked(workspace, wanted.archive)
        st.text("Reading the model and what its channels are tied to")
        opened = engine.opened(session.permitted(wanted.model, workspace))
        data = _data(workspace, opened.model, named)
        chosen = data if named else ""
        st.text(f"Reading the data {data}")
        opened = engine.opened(ref_for(opened.model, data))
        task = engine.task(data, opened.model)
    except ExplorerError as error:
        return _refusal(workspace, chosen, error)
    workspace.choose(opened.model.ref, data)
    propose(None)
    if wanted.archive is not None:
        say.toast(f"{wanted.archive.name}: {understood.summary(task)}.", icon=":material/photo_library:")
    return None


def _unpacked(workspace: Workspace, archive: Archive) -> str:
    """The ref of the pictures of an archive, which is unpacked now; tells how many other files it had.

    Raises:
        ExplorerError: see `session.unpack`.
    """
    folder, others = session.unpack(workspace, archive, _bar())
    if others:
        say.toast(f"Files of {archive.name} that are not read, and were left out: {others:,}.", icon=":material/info:")
    return f"folder:{folder}"


def _bar() -> Report:
    """A bar that follows work; it is drawn a few times a second, however often it is told."""
    bar = st.progress(0.0)

    def draw(fraction: float, message: str, **metrics: float) -> None:
        bar.progress(fraction, text=plain(words.sentence(message)))

    return paced(draw, _DRAWN)


def _taken_over(workspace: Workspace, shared: Shared) -> Refusal | None:
    """Goes to a shared state, once all of it has been found to work; otherwise everything stays, for the reason given.

    Its refs may not be opened here, or its groups be another model's.
    """
    try:
        st.text("Reading the model and what its channels are tied to")
        model = session.permitted(shared.model, workspace)
        found = engine.opened(model)
        data = session.permitted(shared.data or found.model.data or "random", workspace)
        st.text(f"Reading the data {data}")
        engine.task(data, found.model)
        choice = shared.fitted(found.structure)
    except ExplorerError as error:
        return Refusal(f"The shared state can't be opened: {error}")
    workspace.choose(model, data)
    if shared.criterion is not None:
        workspace.judge_by(shared.criterion, shared.options)
    workspace.go_to(choice)
    return None


def _data(workspace: Workspace, model: LoadedModel, wanted: str) -> str:
    """The data to go to: that which was asked for, what the model was trained on, else what is open, if it fits."""
    if wanted or model.data:
        return session.permitted(wanted or model.data or "", workspace)
    try:
        engine.task(workspace.data, engine.opened(ref_for(model, workspace.data)).model)
    except ExplorerError:
        return "random"
    return workspace.data


def _refusal(workspace: Workspace, data: str, error: ExplorerError) -> Refusal:
    """Why it can't be opened; data of other classes is kept in mind, as the network could be trained on it."""
    trainable = data and isinstance(error, OtherClassesError)
    propose(data if trainable else None)
    sentence = f"{words.sentence(str(error))} {workspace.model} on {workspace.data} stays open."
    bad, without = (error.bad, error.without) if isinstance(error, BadPicturesError) else ((), "")
    return Refusal(sentence, data, tuple(bad), without)


def show_refusal(workspace: Workspace) -> None:
    """Why the last choice was refused, what can be done, and what the data is, where it can be read at all."""
    refusal: Refusal | None = st.session_state.get(REFUSAL)
    if refusal is None:
        return
    say.error(refusal.sentence, icon=":material/error:")
    with st.container(horizontal=True, vertical_alignment="center"):
        if refusal.without:
            _button("Go on without them", ":material/skip_next:", Asked(workspace.model, refusal.without))
        if proposed():
            st.page_link(PAGES["look"].path, label="Train the network on it", icon=":material/model_training:")
        st.button("Close", key="close refusal", on_click=st.session_state.pop, args=(REFUSAL, None), type="tertiary")
    if refusal.bad:
        _files(refusal.bad)
    elif refusal.data and (task := engine.data_alone(refusal.data)) is not None:
        say.caption(f"This is what {refusal.data} is understood to be:")
        understood.show(task, unfolded=True)


def _button(label: str, icon: str, wanted: Asked) -> None:
    st.button(plain(label), icon=icon, on_click=ask, args=(wanted.model, wanted.data))


def _files(bad: Sequence[str]) -> None:
    with st.expander(f"All {len(bad)} files that can't be read", icon=":material/broken_image:"):
        st.dataframe({"File": list(bad[:LISTED])}, hide_index=True, alt="Files that can't be read, and why")


def weights(opened: Opened) -> None:
    """The choice between several sets of weights in the model's file, such as averages beside the plain ones."""
    names = {ref: prefix or "those at the top" for prefix, ref in opened.model.choices}
    if not names:
        return
    refs = list(names)
    chosen = st.selectbox(
        "Weights in the file",
        refs,
        index=refs.index(opened.model.ref),
        format_func=names.__getitem__,
        key=f"weights {opened.model.ref}",
        help="The file holds several sets of weights for this network, each under a name of its own.",
    )
    if chosen != opened.model.ref:
        adopt(chosen, session.current().data)
