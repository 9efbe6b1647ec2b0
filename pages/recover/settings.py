"""The settings of a run: a method, and what that method can be told."""

from collections.abc import Mapping
from typing import Any

import streamlit as st

from explorer.criteria import CRITERIA
from explorer.methods import METHODS, Method
from explorer.methods.spec import Spec
from explorer.plain import plain
from explorer.recovery import EPOCHS, RECOVERIES
from explorer.tasks import METRICS, Metric, Task
from explorer.ui import engine
from explorer.ui.state.forms import kept
from explorer.ui.state.workspace import Workspace
from pages.recover import further

QUANTITIES = {"macs": "MACs", "params": "parameters"}
FREE = "As far as accuracy allows"
TEACHER_TITLES = {"base": "The base model", "previous": "The step before"}
STEPS, EPOCHS_PER_STEP, KEEP = 8, 2, 50  # minutes on a laptop for the bundled networks
ONE_SHOT_RECOVERY = "bn"


def choose_method() -> Method:
    """Asks for the method, the simplest first; what it is stands below each."""
    methods = sorted(
        (m for m in METHODS.values() if m.removes and not m.sparse),
        key=lambda entry: (len(entry.defaults), len(entry.settings)),
    )
    name = st.radio(
        "Method: how the channels are chosen",
        [entry.name for entry in methods],
        format_func=lambda name: METHODS[name].title,
        captions=[plain(entry.explanation) for entry in methods],
        key=kept("method"),
        persist_state="session",
    )
    return METHODS[name]


def ask(workspace: Workspace, method: Method, task: Task | None) -> None:
    """The method's own settings, and those of the recovery."""
    if method.gradual:
        left, right = st.columns(2, gap="medium")
        with left:
            _how_far(method, _metric(task))
        with right:
            _how(method, task)
    else:
        if method.targeted:
            _amount(method, disabled=False)
        _recovery_at_once(method, task)
    if method.chooses or method.settings:
        further.ask(workspace, method, _criterion(method))


def spec_of(workspace: Workspace, method: Method, task: Task | None) -> Spec:
    """The run as the controls describe it; the command line reads the same."""
    common = {"model": workspace.model, "data": workspace.data, "method": method.name, "samples": engine.SAMPLES}
    recovery = _held(method, "recovery")
    common |= {"recover": recovery, "seed": int(_held(method, "seed"))}
    common |= {"epochs": int(_held(method, "epochs"))} if RECOVERIES[recovery].trains else {}
    common |= {"settings": further.settings(method)}
    if not method.chooses:
        goes = {"ratios": workspace.budget, "skip": tuple(sorted(workspace.blocks))}
        return Spec(**common, criterion=workspace.criterion, options=workspace.options, **goes)
    criterion = _criterion(method)
    chosen = {
        "criterion": criterion,
        "options": further.options(workspace, method, criterion),
        "keep": _target(method),
        "locked": tuple(sorted(workspace.locked)),
        **(_of_steps(method, task) if method.gradual else {}),
    }
    return Spec(**{**method.defaults, **common, **chosen})


def _of_steps(method: Method, task: Task | None) -> dict[str, Any]:
    """The fields of a spec that a method has which cuts in steps."""
    settings = further.settings(method)
    settings["max_drop"] = str(round(_held(method, "drop") / _scale(_metric(task)), 6))
    if _held(method, "recovery") == "distill":
        settings["teacher"] = _held(method, "teacher")
    if "blocks" in method.settings:
        settings["block_order"] = _held(method, "block order")
        settings |= {} if _held(method, "all blocks") else {"blocks": str(int(_held(method, "blocks")))}
    return {"steps": int(_held(method, "steps")), "normalise": further.normaliser(method), "settings": settings}


def _criterion(method: Method) -> str:
    return _held(method, "criterion") if method.gradual else _usual(method)["criterion"]


def _target(method: Method) -> dict[str, float] | None:
    if method.gradual and _held(method, "far") == FREE:
        return None
    return {_held(method, "quantity"): _held(method, "keep") / 100}


def _metric(task: Task | None) -> Metric:
    return METRICS[task.metric if task else "top1"]


def _scale(metric: Metric) -> float:
    """What a value is multiplied by to be read: shares are told in points."""
    return 100.0 if metric.share else 1.0


def _key(method: Method, setting: str) -> str:
    return f"{setting} of {method.name}"


def _held(method: Method, setting: str) -> Any:
    return st.session_state[_key(method, setting)]


def _usual(method: Method) -> Mapping[str, Any]:
    return {"criterion": "l2", "recover": ONE_SHOT_RECOVERY, **method.defaults}


def _fitting(task: Task | None) -> list[str]:
    return [name for name, entry in RECOVERIES.items() if task is None or task.kind not in entry.unfit]


def _recovery_at_once(method: Method, task: Task | None) -> None:
    left, right = st.columns([3, 2], gap="medium")
    names = _fitting(task)
    with left:
        chosen = st.radio(
            "Recovery: how accuracy comes back after the cut",
            names,
            index=names.index(_usual(method)["recover"]),
            format_func=lambda name: RECOVERIES[name].title,
            captions=[RECOVERIES[name].explanation for name in names],
            key=kept(_key(method, "recovery")),
            persist_state="session",
        )
    with right:
        _epochs(method, "Epochs of training, at most", EPOCHS, chosen)
        _seed(method)


def _how_far(method: Method, metric: Metric) -> None:
    far = st.radio(
        "How far",
        ["To a target", FREE],
        captions=["Stops there, or before it at the largest drop", "Goes on until the largest drop is reached"],
        key=kept(_key(method, "far")),
        persist_state="session",
    )
    _amount(method, disabled=far == FREE)
    scale = _scale(metric)
    usual = method.settings["max_drop"].default * scale
    _number(
        method,
        "drop",
        f"Largest drop{' (points)' if metric.share else ''}",
        (0.0, scale, usual, usual / 4),
        f"Of {metric.short} on the validation data, against the whole model. A step that falls further is taken back.",
    )
    if "blocks" in method.settings:
        _blocks(method)


def _amount(method: Method, *, disabled: bool) -> None:
    """How much is to be kept, and of what."""
    with st.container(horizontal=True, vertical_alignment="bottom", gap="small"):
        _number(
            method,
            "keep",
            "Keep (%)",
            (1, 99, KEEP, 5),
            "How much of the whole model's cost may remain",
            disabled=disabled,
        )
        st.selectbox(
            "of the",
            list(QUANTITIES),
            format_func=QUANTITIES.get,
            key=kept(_key(method, "quantity")),
            width=150,
            persist_state="session",
            disabled=disabled,
        )


def _blocks(method: Method) -> None:
    free = st.checkbox(
        "As many blocks as accuracy allows",
        True,
        key=kept(_key(method, "all blocks")),
        persist_state="session",
        help="After the channels, whole residual blocks leave, one at a time.",
    )
    with st.container(horizontal=True, vertical_alignment="bottom", gap="small"):
        _number(method, "blocks", "Blocks, at most", (0, 1000, 2, 1), "How many may leave", disabled=free)
        st.selectbox(
            "In the order of",
            method.settings["block_order"].allowed,
            key=kept(_key(method, "block order")),
            width=150,
            persist_state="session",
            help="**divergence**: how little a block changes its input.  \n**loss**: how little is lost without it.",
        )


def _how(method: Method, task: Task | None) -> None:
    usual, names = _usual(method), _fitting(task)
    default = usual["recover"] if usual["recover"] in names else "finetune"
    with st.container(horizontal=True, vertical_alignment="bottom", gap="small"):
        _number(method, "steps", "Steps", (1, 100, STEPS, 1), "Cuts, each chosen anew by the scores of what is left")
        recovery = st.selectbox(
            "After each step",
            names,
            index=names.index(default),
            format_func=lambda name: RECOVERIES[name].title,
            help="  \n".join(f"**{RECOVERIES[name].title}**: {RECOVERIES[name].explanation}" for name in names),
            key=kept(_key(method, "recovery")),
            width=190,
            persist_state="session",
        )
    with st.container(horizontal=True, vertical_alignment="bottom", gap="small"):
        _epochs(method, "Epochs per step", EPOCHS_PER_STEP, recovery, width=140)
        st.selectbox(
            "It imitates",
            method.settings["teacher"].allowed,
            format_func=TEACHER_TITLES.get,
            key=kept(_key(method, "teacher")),
            width=190,
            persist_state="session",
            disabled=recovery != "distill",
            help="The teacher of a distillation",
        )
    with st.container(horizontal=True, vertical_alignment="bottom", gap="small"):
        _seed(method, width=140)
        st.selectbox(
            "Scores by",
            list(CRITERIA),
            index=list(CRITERIA).index(usual["criterion"]),
            format_func=lambda name: CRITERIA[name].title,
            key=kept(_key(method, "criterion")),
            width=190,
            persist_state="session",
            help="What says how much a channel is worth; the Look page explains each.",
        )


def _number(
    method: Method,
    setting: str,
    label: str,
    bounds: tuple[float, float, float, float],
    about: str,
    *,
    width: int | str = 140,
    disabled: bool = False,
) -> None:
    """A number between the first two bounds, at first the third, in steps of the fourth."""
    st.number_input(
        plain(label),
        *bounds,
        key=kept(_key(method, setting)),
        width=width,
        persist_state="session",
        disabled=disabled,
        help=plain(about),
    )


def _epochs(method: Method, label: str, usual: int, recovery: str, width: int | str = "stretch") -> None:
    about = "Passes over the training data. It stops earlier when the validation metric no longer rises."
    idle = not RECOVERIES[recovery].trains
    _number(method, "epochs", label, (1, 200, usual, 1), about, width=width, disabled=idle)


def _seed(method: Method, width: int | str = "stretch") -> None:
    _number(method, "seed", "Seed", (0, 2**31 - 1, 0, 1), "The same seed gives the same run.", width=width)
