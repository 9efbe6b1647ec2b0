"""What few need to say of a run: seed, a method's rarer settings, the normaliser, the options of its criterion."""

from functools import partial

import streamlit as st

from explorer.budget import NORMALISERS
from explorer.criteria import CRITERIA
from explorer.methods import Method
from explorer.methods.spec import Spec
from explorer.registry import Choice, Number, Setting
from explorer.ui.parts import controls
from explorer.ui.state.workspace import Workspace
from pages.recover.held import key_of

PLAIN = ("max_drop", "teacher", "blocks", "block_order")  # of gradual methods: they stand open on the page
USUAL = "mean"  # normaliser
SEED = {"seed": Number(0, 0, 2**31 - 1, "the same seed gives the same run", whole=True)}


def ask(workspace: Workspace, method: Method, criterion: str) -> None:
    """The controls, folded away."""
    with st.expander("More settings", icon=":material/tune:"):
        asked = SEED | settings_of(method) | (_normalisers() if method.gradual else {})
        asked |= _minimum(method) if method.chooses else {}
        controls.ask(asked, partial(key_of, method), {}, keep=True)
        if not method.chooses:  # the board has criterion and options
            return
        key = partial(option_key, workspace, method, criterion)
        controls.ask(CRITERIA[criterion].settings, key, _on_the_board(workspace, criterion), keep=True)


def settings(method: Method) -> dict[str, str]:
    """The method's settings as they are asked here, in texts."""
    return controls.chosen(settings_of(method), partial(key_of, method))


def normaliser(method: Method) -> str:
    """What the scores are made comparable by."""
    return controls.chosen(_normalisers(), partial(key_of, method)).get("normaliser", USUAL)


def minimum(method: Method) -> float:
    """What every group keeps."""
    asked = _minimum(method)
    return float(controls.chosen(asked, partial(key_of, method)).get("minimum", asked["minimum"].default))


def options(workspace: Workspace, method: Method, criterion: str) -> dict[str, str]:
    """The criterion's options."""
    return controls.chosen(CRITERIA[criterion].settings, partial(option_key, workspace, method, criterion))


def settings_of(method: Method) -> dict[str, Setting]:
    """Those that are asked here, by name."""
    return {name: setting for name, setting in method.settings.items() if not (method.gradual and name in PLAIN)}


def option_key(workspace: Workspace, method: Method, criterion: str, option: str) -> str:
    """Another one where the board has another option, so that what is chosen there comes along."""
    before = _on_the_board(workspace, criterion).get(option)
    return key_of(method, f"{option} of {criterion}{f', {before} on the board' if before else ''}")


def _normalisers() -> dict[str, Setting]:
    """Those that are registered now, as a setting."""
    return {"normaliser": Choice(USUAL, tuple(NORMALISERS), "what makes the scores of different groups comparable")}


def _minimum(method: Method) -> dict[str, Number]:
    """What every group keeps, as a setting."""
    usual = method.defaults.get("minimum", Spec.minimum)
    return {"minimum": Number(usual, 0, 1e9, "what every group keeps: below 1 a share of its units, else so many")}


def _on_the_board(workspace: Workspace, criterion: str) -> dict[str, str]:
    return workspace.options if criterion == workspace.criterion else {}
