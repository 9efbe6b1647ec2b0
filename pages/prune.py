"""Prune: cut for real, recover, and compare with the base model."""

import shlex

import streamlit as st

from explorer.criteria import CRITERIA
from explorer.evaluation import metric_of
from explorer.recovery import EPOCHS, RECOVERIES
from explorer.runs.spec import Spec
from explorer.ui import charts, engine, findings, frame, jobs, session, tables, words
from explorer.ui.scoring import scores_for

workspace = session.current()
KIND = "prune"
TRAINING = [name for name, entry in RECOVERIES.items() if entry.needs == "training data"]


def chosen_spec() -> Spec:
    """The run as the controls describe it; the command line reads the same."""
    return Spec(
        model=workspace.model,
        data=workspace.data,
        criterion=workspace.criterion,
        options=workspace.options,
        ratios=workspace.budget,
        recover=st.session_state["recover"],
        epochs=st.session_state.get("epochs", EPOCHS),
        samples=engine.SAMPLES,
        seed=st.session_state["seed"],
    )


def begin() -> None:
    jobs.start(workspace, KIND, chosen_spec(), f"Prune {workspace.model}")


def command(spec: Spec) -> str:
    """The same run without the app."""
    words_ = ["python", "-m", "explorer", "prune", "--model", spec.model, "--data", spec.data]
    words_ += ["--criterion", spec.criterion, "--recover", spec.recover]
    words_ += ["--epochs", str(spec.epochs)] if spec.recover in TRAINING else []
    words_ += ["--seed", str(spec.seed), "--out", "pruned"]
    for name, ratio in spec.ratios.items():
        words_ += ["--ratio", f"{name}={ratio:.6g}"]
    return shlex.join(words_)


def controls(busy: bool) -> None:
    left, right = st.columns([3, 2], gap="medium")
    names = list(RECOVERIES)
    with left:
        st.radio(
            "Recovery: how accuracy comes back after the cut",
            names,
            index=names.index("bn") if "bn" in names else 0,
            format_func=lambda name: RECOVERIES[name].title,
            captions=[RECOVERIES[name].explanation for name in names],
            key="recover",
            persist_state="session",
        )
    with right:
        st.number_input(
            "Epochs of training, at most",
            1,
            200,
            EPOCHS,
            key="epochs",
            persist_state="session",
            disabled=st.session_state["recover"] not in TRAINING,
            help="Passes over the training data. It stops earlier when the validation metric no longer rises.",
        )
        st.number_input(
            "Seed", 0, 2**31 - 1, 0, key="seed", persist_state="session", help="The same seed gives the same run."
        )
    with st.container(horizontal=True, vertical_alignment="center"):
        st.button("Prune", type="primary", icon=":material/content_cut:", on_click=begin, disabled=busy)
        with st.popover("The same on the command line", icon=":material/terminal:"):
            st.code(command(chosen_spec()), language="bash", wrap_lines=True)


def results(job) -> None:
    """What the finished run measured, against the base model."""
    result = job.result
    st.subheader("Before and after", anchor=False)
    compared = tables.qualities(result)
    if compared is not None:
        metric = metric_of(result["base"])
        picture = charts.qualities(compared, metric)
        frame.chart(findings.of_qualities(compared, metric), picture, f"{metric.label} of every model")
    st.table(tables.comparison(result))
    st.caption(
        "**As cut** is the network right after its channels left; low numbers here are normal. **After recovery** is "
        "what you take with you. Accuracy is measured on test data that nothing was chosen or trained on."
    )
    for sentence in dict.fromkeys([*result.get("warnings", ()), *job.warnings]):
        st.warning(words.sentence(sentence), icon=":material/warning:")
    jobs.learning(job)
    frame.onward("pages/export.py", "Export", "Next: take the smaller network with you")


frame.heading("Prune", "Removes the chosen channels for good, gives accuracy back, and measures both.", workspace)
found = frame.model_or_stop(workspace)
job = jobs.find(workspace, KIND)
busy = job is not None and not job.final

if not workspace.budget:
    st.info(
        "Nothing is chosen to be removed yet. Set a budget first, for example half of the MACs.", icon=":material/tune:"
    )
    st.page_link("pages/budget.py", label="Go to the budget", icon=":material/arrow_forward:")
else:
    scores = scores_for(workspace)
    if scores is None:
        st.stop()
    structure = found.structure
    kept = engine.plan_of(workspace.model, scores, workspace.budget).kept(structure)
    whole, now = structure.cost(), structure.cost(kept)
    st.markdown(
        f"The budget keeps **{now.macs / whole.macs:.1%}** of the MACs ({words.count(now.macs)}) and "
        f"**{now.params / whole.params:.1%}** of the parameters ({words.count(now.params)}), "
        f"chosen by {CRITERIA[workspace.criterion].title}."
    )
    controls(busy)
jobs.refusal(KIND)
if busy:
    jobs.watch(job, jobs.learning)
elif job and job.state == "done":
    results(job)
elif job:
    jobs.outcome(job)
