"""A run that sets single weights to zero: its settings, and the button that starts it."""

from functools import partial

import streamlit as st

from explorer.bench.dg2pf import Grid
from explorer.criteria import CRITERIA
from explorer.criteria.tools.single import SINGLE
from explorer.errors import ExplorerError
from explorer.methods import METHODS, Method
from explorer.methods.checking import check
from explorer.methods.spec import Spec
from explorer.plain import plain
from explorer.tasks import Task
from explorer.ui.parts import controls, estimate, jobs, presets, say
from explorer.ui.state.form_keys import SPARSE_METHOD
from explorer.ui.state.workspace import Workspace
from explorer.ui.text import terms, words
from explorer.ui.text.commandline import command

KIND = "sparse"
STEPS, EPOCHS = 5, 8  # a minute or two on a laptop for the bundled networks
PHASES = {"dg2pf": 2}  # each of as many epochs
# Published rates are for epochs of hundreds of steps; those of the tables of `bench dg2pf` suit the bundled tasks.
RATES = dict(zip(("rate", "tune_rate"), Grid.rates, strict=True))


def offer(workspace: Workspace, share: float, scope: str, task: Task | None) -> None:
    """Asks how a run should set this share of the weights to zero, and starts it."""
    st.subheader("Set them to zero, step by step", anchor=False)
    if task is None or not task.measured:
        st.caption("A run trains and judges by labels, which this data does not have: choose data with labels.")
        return
    methods = [name for name, entry in METHODS.items() if entry.sparse]
    with st.container(horizontal=True, vertical_alignment="bottom"):
        name = st.selectbox(
            "Method", methods, format_func=lambda name: METHODS[name].title, key=SPARSE_METHOD, width=190
        )
        scored = {"criterion": _criterion()} if name == "sparse" else {}
        steps = st.number_input("Steps", 1, 100, STEPS, key="sparse steps", width=110)
        epochs = st.number_input("Epochs, at most", 1, 200, EPOCHS, key="sparse epochs", width=130)
        seed = st.number_input("Seed", 0, 2**31 - 1, 0, key="sparse seed", width=110)
    method = METHODS[name]
    say.caption(method.explanation)
    preset = presets.choose(method, f"preset of {name}", partial(_take, method)) if method.presets else ""
    given = _further(method) | ({"scope": scope} if scope != method.settings["scope"].default else {})
    if RATES.keys() <= method.settings.keys():
        say.caption(_of_rates(method))
    spec = Spec(
        workspace.model,
        workspace.data,
        **{**method.defaults, **scored, "method": name, "steps": steps, "epochs": epochs, "seed": seed},
        sparsity=share if given.get("pattern", "free") == "free" else None,
        settings=given,
    )
    if preset:
        presets.tell(method, preset, spec)
    _start(workspace, method, spec, task)


def _take(method: Method, preset: str) -> None:
    """Sets the controls of the method's own settings to a preset."""
    for name, value in method.presets[preset].settings.items():
        st.session_state[f"{name} of {method.name}"] = value


def _criterion() -> str:
    return st.selectbox(
        "Criterion",
        list(SINGLE),
        list(SINGLE).index("l1"),
        format_func=lambda name: CRITERIA[name].title,
        key="criterion of sparse",
        width=130,
        help=plain(terms.told("criterion", "The L1 norm is a weight's magnitude.")),
    )


def _of_rates(method: Method) -> str:
    ours, papers = (
        " and ".join(f"{rate:.0e}".replace("e-0", "e-") for rate in rates)
        for rates in (RATES.values(), [method.settings[name].default for name in RATES])
    )
    return (
        f"Its two learning rates are preset to {ours}. The paper's, {papers}, are for epochs of hundreds of steps; "
        "those of the bundled data have about twenty."
    )


def _further(method: Method) -> dict[str, str]:
    """The method's own settings, as texts; how layers compete is asked beside the share of zeros."""
    settings = {name: setting for name, setting in method.settings.items() if name != "scope"}

    def key(name: str) -> str:
        return f"{name} of {method.name}"

    with st.expander("Settings", icon=":material/tune:"):
        controls.ask(settings, key, RATES)
    return controls.chosen(settings, key)


def _start(workspace: Workspace, method: Method, spec: Spec, task: Task) -> None:
    """The button, what is wrong with the settings if something is, and the same as a command."""
    try:
        check(spec)
        trouble = ""
    except ExplorerError as error:
        trouble = words.sentence(str(error))
    seconds = estimate.training_seconds(spec, task, 1.0)
    with st.container(horizontal=True, vertical_alignment="center"):
        st.button(
            "Set to zero",
            type="primary",
            icon=":material/grid_off:",
            on_click=jobs.start,
            args=(workspace, KIND, spec, f"{method.title}: {workspace.model}"),
            disabled=bool(trouble),
        )
        with st.popover("The same on the command line", icon=":material/terminal:"):
            st.code(command(spec), language=None, wrap_lines=True)
        if seconds is not None:
            spent = words.duration(PHASES.get(method.name, 1) * seconds)
            st.caption(f"About {spent} of training at most, from a forward pass timed here.", width="content")
    if trouble:
        say.caption(trouble)
    jobs.refusal(KIND)
    jobs.queue(workspace)
