"""What follows the board's cut: three choices first, all other recoveries under More."""

import streamlit as st

from explorer.methods import Method
from explorer.plain import plain
from explorer.recovery import RECOVERIES
from explorer.structure import Structure
from explorer.tasks import Task
from explorer.ui.parts import cards, estimate, say
from explorer.ui.state.form_keys import LEAST_SQUARES, MORE, NOTHING, OTHER, REPAIR, TRAIN, WAY
from explorer.ui.state.forms import kept
from explorer.ui.state.workspace import Workspace
from explorer.ui.text import words
from pages.recover import controls, further, settings


def ask(workspace: Workspace, method: Method, task: Task | None, structure: Structure, share: float) -> None:
    """The choice, and the settings of what is chosen; `share` is what the board leaves of the MACs."""
    names = settings.fitting(task)
    others = [name for name in names if name not in (NOTHING, LEAST_SQUARES, TRAIN)]
    repair = settings.repair_of(workspace)
    rest = None if task is None else estimate.besides_seconds(workspace.model, task, share)
    shown = [
        _nothing(rest),
        _repair(workspace, task, structure, repair, share, rest),
        _training(workspace, task, share, rest),
        cards.Card(MORE, "More", f"{', '.join(RECOVERIES[name].title for name in others[:3])}, and others."),
    ]
    there = {NOTHING, MORE if others else NOTHING, *({REPAIR} if repair != NOTHING and repair in names else ()), *names}
    offered = [card for card in shown if card.value in there]
    usual = REPAIR if REPAIR in there else NOTHING
    way = cards.choose("What follows the cut", offered, key=WAY, usual=usual, least=210)
    if task is not None and not task.measured:
        say.caption("This data has no labels that mean anything, so nothing can be repaired or trained by it.")
    if way == MORE:
        st.radio(
            "Other ways to give accuracy back",
            others,
            format_func=lambda name: RECOVERIES[name].title,
            captions=[plain(RECOVERIES[name].explanation) for name in others],
            key=kept(OTHER, others),
            persist_state="session",
        )
    if RECOVERIES[settings.recovery_of(workspace, method, task)].trains:
        controls.epochs(method, "Epochs of training, at most", width=260)
    further.ask(workspace, method, workspace.criterion)


def _nothing(rest: float | None) -> cards.Card:
    text = "The network stays as the cut leaves it: the honest starting point."
    return cards.Card(NOTHING, "Nothing", text, (_time("No training", rest, 0.0),))


def _repair(
    workspace: Workspace, task: Task | None, structure: Structure, name: str, share: float, rest: float | None
) -> cards.Card:
    if name != LEAST_SQUARES:
        text = "Estimates the batch-norm statistics again: least squares can't help this cut."
        return cards.Card(REPAIR, "Repair without training", text, (_time("No training", rest, 0.0),))
    repair = task and estimate.repair_seconds(workspace.model, task, share)
    text = "What is left stands in for what was lost, by least squares on calibration data."
    notes = _time("No training", rest, repair), "Layers that it can't solve are named."
    return cards.Card(REPAIR, "Repair without training", text, notes)


def _training(workspace: Workspace, task: Task | None, share: float, rest: float | None) -> cards.Card:
    spec = settings.spec_of(workspace, task, TRAIN)
    training = estimate.training_seconds(spec, task, share)
    epochs = f"{spec.epochs} {'epoch' if spec.epochs == 1 else 'epochs'} at most"
    text = "Trains the smaller network on the training data, and keeps its best epoch."
    return cards.Card(TRAIN, "Fine-tune", text, (_time(epochs, rest, training),))


def _time(what: str, rest: float | None, recovery: float | None) -> str:
    """What a run does and how long it takes, if a forward pass could be timed."""
    if rest is None or recovery is None:
        return what
    return f"{what}, about {words.duration(rest + recovery)}"
