"""Single weights set to zero by the classic schedules: at once, gradually, in rounds, in cycles, with regrowth, 2:4."""

from dataclasses import replace

from explorer.errors import ExplorerError
from explorer.methods.registry import METHODS, method
from explorer.methods.spec import Spec
from explorer.methods.tools.outcome import Outcome
from explorer.methods.tools.sparse_masks import Rule
from explorer.methods.tools.sparse_schedule import SCHEDULES, Segment, Training
from explorer.methods.tools.sparsifying import Sparsifying
from explorer.methods.tools.stages import Memo, forgetful
from explorer.progress import Report, silent
from explorer.recovery import EPOCHS, RECOVERIES, Teacher
from explorer.recovery.distillation import Imitation
from explorer.registry import Choice

RECOVERING = ("none", "bn", "finetune", "distill")  # these know nothing of channels that have left
PATTERNS = {"free": None, "2:4": (2, 4), "1:4": (1, 4), "4:8": (4, 8)}
SETTINGS = {
    "schedule": Choice(
        "cubic",
        ("one-shot", "cubic", "linear", "rounds", "cyclical", "regrow"),
        "when the weights go, in --steps of the --epochs",
    ),
    "scope": Choice("global", ("global", "layer"), "whether layers compete, or each loses the same share"),
    "margins": Choice("magnitude", ("magnitude", "signed"), "between which weights go: ±m, or two quantiles"),
    "pattern": Choice("free", tuple(PATTERNS), "how many of how many neighbours stay; sets the sparsity itself"),
    "start": Choice("trained", ("trained", "initial"), "from the model's weights, or from fresh random ones"),
    "rewind": Choice("initial", ("none", "initial", "early"), "where the weights of each round begin"),
}


def _asked(spec: Spec) -> tuple[Rule, list[Segment], str]:
    """By which rule weights go, when, and from where the network starts.

    Raises:
        ExplorerError: settings that don't go together.
    """
    chosen = METHODS["sparse"].told(spec)
    scheduled, pattern = chosen["schedule"], PATTERNS[chosen["pattern"]]
    if (spec.sparsity is None) == (pattern is None):
        raise ExplorerError(
            "a pattern sets the sparsity itself: leave --sparsity out"
            if pattern
            else "nothing to remove: give the share of weights that become zero, such as --sparsity 0.9, or a pattern"
        )
    if pattern and scheduled != "one-shot":
        raise ExplorerError("a pattern comes at once: choose the schedule one-shot (--set schedule=one-shot)")
    if spec.recover not in RECOVERING:
        advice = "; from scratch is --set start=initial" if spec.recover == "scratch" else ""
        raise ExplorerError(f"recovery {spec.recover!r} is for cut channels: use {', '.join(RECOVERING)}{advice}")
    if scheduled != "one-shot" and not RECOVERIES[spec.recover].trains:
        raise ExplorerError(f"schedule {scheduled!r} trains between its steps: use --recover finetune, or one-shot")
    rule = Rule(spec.criterion, chosen["scope"], chosen["margins"], pattern)
    epochs = (EPOCHS if spec.epochs is None else spec.epochs) if RECOVERIES[spec.recover].trains else 0
    wanted = 1 - pattern[0] / pattern[1] if pattern else spec.sparsity
    return rule, SCHEDULES[scheduled](wanted, epochs, spec.steps, chosen["rewind"]), chosen["start"]


@method(
    "sparse",
    title="Sparse weights",
    explanation="Sets single weights to zero, all at once or little by little, and trains those that are left. The "
    "network keeps its shapes: it takes less room when packed, and is faster only on hardware that skips zeros.",
    defaults={"criterion": "l1", "recover": "finetune"},
    sparse=True,
    reference="Han et al. 2015 (arXiv:1506.02626); Zhu & Gupta 2017 (arXiv:1710.01878); "
    "Frankle & Carbin 2019 (arXiv:1803.03635); Frankle et al. 2020 (arXiv:1912.05671); "
    "Srinivas et al. 2022 (arXiv:2202.01290); Evci et al. 2020 (arXiv:1911.11134); "
    "Mishra et al. 2021 (arXiv:2104.08378)",
    settings=SETTINGS,
    check=_asked,
)
def sparse(spec: Spec, report: Report = silent, memo: Memo = forgetful) -> Outcome:
    """Prunes to `spec.sparsity` by the `SETTINGS` in `spec.settings`, in one training of `spec.epochs` epochs.

    Magnitude pruning at once or gradually (Zhu & Gupta 2017) is criterion l1 with the schedules one-shot and cubic;
    SNIP, GraSP and SynFlow before training are those criteria with schedule one-shot and start initial; the lottery
    ticket is schedule rounds with start initial. Schedule regrow is RigL-style regrowth, by default from trained
    weights and a magnitude mask: with criterion random, scope layer and start initial it starts from a uniform random
    mask as RigL can, but it exchanges between epochs, not every few hundred batches.

    `spec.steps` counts the gradual steps, rounds, cycles or exchanges. Cubic and linear take one step per epoch at
    most, so fewer than asked where the epochs are fewer, and regrow likewise in three quarters of them; rounds and
    cyclical refuse too few epochs. Locked layers stay dense.

    Every step is remembered, and reported with its `step`, `sparsity`, metric and ``sparsity/WEIGHT``. `Outcome.steps`
    has for each ``{step, sparsity, epochs, METRIC_before, METRIC_after, seconds, layers}`` and the dense `macs` and
    `params`; for `layers` see `explorer.pruning.unstructured.told`.

    Raises:
        ExplorerError: bad refs, names or settings, or data without labels.
        Cancelled: the report asked to stop.
    """
    rule, segments, start = _asked(spec)
    run = Sparsifying(spec, report, memo, rule, start)
    how = Training()
    if spec.recover == "distill":
        teacher = Teacher.of(run.subject.module, run.subject.structure)
        how = Training(objective=lambda holding: Imitation(teacher, run.subject.task.kind))
    run.run([replace(segment, training=how) for segment in segments])
    return run.outcome()
