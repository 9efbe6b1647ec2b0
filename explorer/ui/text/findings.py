"""What a picture shows, said in a sentence."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

from explorer.evaluation import ClassChange, Paired
from explorer.runs.history.comparison import Row
from explorer.runs.history.overlap import Difference
from explorer.runs.history.trajectory import Step
from explorer.tasks import Headline, Metric, headline
from explorer.ui.text import words

REAL = {"no difference": "no real difference", "worse": "a real loss", "better": "a real gain"}  # by McNemar's test
WEAK = 0.5  # of the median of its group
NAMED = 3  # classes in a sentence


def of_class_loss(found: ClassChange, classes: Sequence[str], favourite: int | None, was: int | None) -> str:
    """Who pays for a cut; `favourite` is the class that nearly everything is answered with, which it `was` before."""
    if favourite is not None and favourite != was:
        return f"It answers {classes[favourite]} to nearly everything"
    if not found.losing:
        return "No class loses right answers" if len(found.flipped) else "The cut changes no answer"
    names = [classes[place] for place in found.losing]
    points = f"{-100 * found.change[found.losing[0]]:.0f}"
    if len(names) == 1:
        return f"{names[0]} pays most, {points} points"
    listed = names if len(names) <= NAMED else [*names[: NAMED - 1], f"{len(names) - NAMED + 1} more"]
    return f"{', '.join(listed[:-1])} and {listed[-1]} pay most, {points} points each"


def weak(values: np.ndarray) -> int:
    """How many units score below half of their group's median."""
    return int((values < WEAK * np.median(values)).sum())


def of_heatmap(criterion: str, scores: Mapping[str, np.ndarray]) -> str:
    """Where the weakest units are, each measured against its own group."""
    shares = {name: weak(values) / len(values) for name, values in scores.items()}
    name = max(shares, key=shares.get, default=None)
    if name is None or shares[name] == 0:
        return f"{criterion}: all units of a group are of similar worth, none below half of its median"
    return f"{criterion}: in {name}, {shares[name]:.0%} of the units score below half of the group's median"


def of_group(name: str, values: np.ndarray) -> str:
    """How far apart a group's units are."""
    middle = float(np.median(values))
    if middle <= 0:
        return f"{name}: scores from {values.min():.3g} to {values.max():.3g}"
    return f"{name}: the units score {values.min() / middle:.2f} to {values.max() / middle:.2f} times their median"


def of_network(table: pd.DataFrame) -> str:
    """How wide the groups are, and which part of the network weighs most; `table` as in `tables.groups`."""
    if table.empty:
        return "This network has no channels that can be cut"
    stages = words.stages(list(table.name))
    weight = {heading: table[table.name.isin(names)].params.sum() for heading, names in stages}
    heaviest = max(weight, key=weight.get)
    size = f"{len(table)} groups of {table.channels.min()} to {table.channels.max()} channels"
    return f"{size}; most parameters lie in {heaviest}" if len(stages) > 1 and weight[heaviest] > 0 else size


def of_run(result: Mapping[str, Any], samples: str) -> str:
    """What came of a run; `samples` are what it was measured on.

    ``53.1% of the MACs left. Accuracy 98.9% on 269 test images, was 99.6%: no real difference.``
    """
    base, pruned = result["base"], result["pruned"]
    zeros = result.get("sparse")
    share = f"{zeros['sparsity']:.1%} of the weights zero" if zeros else f"{_share(base, pruned):.1%} of the MACs left"
    before, now = headline(base), headline(pruned)
    if before is None or now is None:
        return f"{share}. Nothing was measured on data with labels."
    metric = now.metric
    found = f"{metric.label} {metric.text(now.value)} on {now.samples:,} {samples}, was {metric.text(before.value)}"
    paired = Paired.from_json((result.get("against_base") or {}).get("paired"))
    return f"{share}. {found}: {REAL[paired.verdict] if paired else _verdict(before, now)}."


def _share(base: Mapping[str, Any], pruned: Mapping[str, Any]) -> float:
    return pruned["macs"] / base["macs"]


def _verdict(before: Headline, now: Headline) -> str:
    """Whether two values differ by more than an interval, of runs that did not pair the answers of both."""
    metric, change = now.metric, now.value - before.value
    if metric.text(now.value) == metric.text(before.value):
        return "no difference"
    if before.low is not None and before.high is not None and before.low <= now.value <= before.high:
        return REAL["no difference"]
    return f"{_apart(now.value, before.value, metric)} {'lost' if change < 0 else 'gained'}"


def of_qualities(frame: pd.DataFrame, metric: Metric) -> str:
    """What the cut took and recovery gave back, in points of the task's metric."""
    base, after = frame.value.iloc[0], frame.value.iloc[-1]
    end = f"{_apart(after, base, metric)} {'below' if after < base else 'above'} the base model"
    if len(frame) < 3:
        return f"The pruned model ends {end}"
    return f"The cut leaves {metric.text(frame.value.iloc[1])}; after recovery it is {metric.text(after)}, {end}"


def of_trajectory(steps: Sequence[Step], metric: Metric, kind: str) -> str:
    """Where a run that cuts in steps has come to."""
    base, kept = steps[0], [step for step in steps[1:] if not step.rolled_back]
    if not kept:
        said = f"The base model: {metric.text(base.value)} on validation data"
        return said if len(steps) == 1 else f"{said}; no step has stayed within the limit yet"
    now = kept[-1]
    what = {"macs": "MACs", "params": "parameters"}[kind]
    share = getattr(now, kind) / getattr(base, kind)
    back = len(steps) - 1 - len(kept)
    taken = f"; {back} {'step' if back == 1 else 'steps'} taken back" if back else ""
    return f"{share:.1%} of the {what} left, validation {metric.short} {_against(now.value, base.value, metric)}{taken}"


def _against(value: float, base: float, metric: Metric) -> str:
    """``97.4%, 2.2 points below the base model``"""
    if value == base:
        return f"{metric.text(value)}, as the base model"
    side = "below" if value < base else "above"
    return f"{metric.text(value)}, {_apart(value, base, metric)} {side} the base model"


def _apart(value: float, other: float, metric: Metric) -> str:
    """``2.2 points``"""
    return metric.difference(abs(value - other)).removeprefix("+")


def of_widths(table: pd.DataFrame) -> str:
    """Which group has lost most by the last step that stayed; columns group, step, share, taken_back."""
    kept = table[~table.taken_back]
    now = kept[kept.step == kept.step.max()]
    least = now.loc[now.share.idxmin()]
    if least.share == 1:
        return "Every group is whole"
    return f"{least.group} lost most: {least.share:.0%} of its channels are left"


def of_spread(table: pd.DataFrame) -> str:
    """Where runs disagree most about widths; columns group, run, share."""
    spread = table.groupby("group", sort=False).share.agg(lambda share: share.max() - share.min())
    runs = table.run.nunique()
    if runs == 1:
        least = table.loc[table.share.idxmin()]
        return f"{least.group} lost most: {least.share:.0%} of its channels are left"
    if spread.max() == 0:
        return "All of these runs leave the same widths"
    return f"They differ most at {spread.idxmax()}, by {spread.max():.0%} of its channels"


def of_tradeoff(rows: Sequence[Row], metric: Metric) -> str:
    """Which run is smallest, and whether its interval tells it from its base model; `rows` as in a comparison."""
    judged = [row for row in rows if row.value is not None]
    if not judged:
        return "Nothing was measured on test data"
    smallest = min(judged, key=lambda row: row.macs_kept)
    return (
        f"The smallest keeps {smallest.macs_kept:.0%} of the MACs at test {metric.short} "
        f"{_against(smallest.value, smallest.base, metric)}"
    )


def of_zeros(rows: Sequence[Row], metric: Metric) -> str:
    """How the sparsest run ends; `rows` as in a comparison."""
    judged = [row for row in rows if row.value is not None and row.sparsity is not None]
    if not judged:
        return "No run that sets weights to zero was measured on test data"
    most = max(judged, key=lambda row: row.sparsity)
    against = f"{metric.difference(most.change)} against its base"
    return (
        f"The sparsest has {most.sparsity:.1%} of its weights at zero and all of its MACs, at test "
        f"{metric.short} {metric.text(most.value)}, {against}"
    )


def of_sparsity(table: pd.DataFrame) -> str:
    """Which layer has most zeros, and which least; columns group (a layer), share."""
    most, least = table.loc[table.share.idxmax()], table.loc[table.share.idxmin()]
    if most.share == least.share:
        return f"Every layer has {most.share:.1%} zeros"
    return (
        f"{most.group.removesuffix('.weight')} has most zeros, {most.share:.1%}; "
        f"{least.group.removesuffix('.weight')} least, {least.share:.1%}"
    )


def of_overlap(difference: Difference) -> str:
    """How much two plans have in common, against what chance would give."""
    if difference.overlap is None:
        return "Neither run removes a unit"
    return (
        f"{difference.overlap:.0%} of the removed units are the same in both; "
        f"by chance it would be {difference.chance:.0%}"
    )


def of_sensitivity(table: pd.DataFrame, base: float, metric: Metric) -> str:
    """Which group costs most when it loses half, and how many hardly matter; columns group, ratio, value."""
    near = table.loc[(table.ratio - 0.5).abs() == (table.ratio - 0.5).abs().min()]
    ratio, worst = near.ratio.iloc[0], near.loc[near.value.idxmin()]
    if worst.value >= base:
        return f"No group costs accuracy when it alone loses {ratio:.0%} of its units"
    little = int((base - near.value <= 0.01).sum())
    lost = _apart(worst.value, base, metric)
    calm = f"{little} of {len(near)} groups" if metric.share else f"{little} of {len(near)}"
    within = "a point" if metric.share else "0.01"
    return (
        f"{worst.group} is the most sensitive: without {ratio:.0%} of it {lost} are gone; {calm} lose at most {within}"
    )


def of_staircases(found: Mapping[str, Any]) -> str:
    """Where time is won beyond its interval, and how often fewer channels are slower; as in `latency_of`."""
    cliffs = [cliff for each in found["groups"].values() for cliff in each["cliffs"]]
    slower = sum(cliff["why"] == "slower" for cliff in cliffs)
    base = found["base_ms"]
    gains = {
        name: max((base - point["ms"] for point in each["points"] if point["high"] < base), default=0.0)
        for name, each in found["groups"].items()
    }
    name = max(gains, key=gains.get)
    if gains[name] <= 0:
        return f"No group alone makes the network faster than {base:.3g} ms, as far as can be told from noise"
    steps = f"; at {slower} {'step' if slower == 1 else 'steps'} fewer channels are slower" if slower else ""
    return f"{name} alone can save most, {gains[name] / base:.0%} of {base:.3g} ms{steps}"


def of_agreement(criteria: Sequence[str], overall: Sequence[Sequence[float | None]]) -> str:
    """Which two criteria rank most alike and which least; the matrix is in the order of their titles."""
    pairs = [
        (overall[i][j], criteria[i], criteria[j])
        for i in range(len(criteria))
        for j in range(i)
        if overall[i][j] is not None
    ]
    if not pairs:
        return "No two of these criteria share a group that both rank"
    (low, *least), (high, *most) = min(pairs), max(pairs)
    said = f"{most[0]} and {most[1]} rank most alike ({_signed(high)})"
    return said if len(pairs) == 1 else f"{said}, {least[0]} and {least[1]} least ({_signed(low)})"


def of_groups(table: pd.DataFrame, chance: str) -> str:
    """Which pair of criteria agrees most unevenly from group to group; columns pair, rho.

    Pairs with the criterion titled `chance`, which is of no opinion, count only where there are no others.
    """
    spans = table.groupby("pair", sort=False).rho.agg(lambda rho: rho.max() - rho.min())
    meant = spans[[chance not in pair.split(" · ") for pair in spans.index]]
    meant = spans if meant.empty else meant
    return f"Groups differ: {meant.idxmax()} spans {meant.max():.2f} from group to group"


def _signed(correlation: float) -> str:
    return f"{correlation:+.2f}".replace("-", "−")


def of_effect(titles: Mapping[str, str], overall: Mapping[str, float | None], chance: float) -> str:
    """Which criterion's ranks are nearest to the measured effect of single units; up to `chance` it means nothing."""
    known = {name: value for name, value in overall.items() if value is not None}
    if not known:
        return "None of these criteria ranks a group in which effects differ"
    best = max(known, key=known.get)
    if known[best] <= chance:
        return f"On so few units none is nearer to the measured effect than chance ({chance:+.2f})"
    return f"{titles[best]} is nearest to the measured effect, with a rank correlation of {known[best]:+.2f}"


def of_scoreboard(table: pd.DataFrame, metric: Metric) -> str:
    """Who ends best, and who else can't be told from it; columns player, recovery, value, low, high."""
    best = table.loc[table.value.idxmax()]
    others = table[(table.player != best.player) & (table.high >= best.low)].player.nunique()
    close = f"; the intervals of {others} others reach into its own" if others else ", apart from all others"
    return f"{best.player} ends best, at {metric.text(float(best.value))} after {best.recovery.lower()}{close}"


def extremes(values: np.ndarray, most: int) -> tuple[list[int], list[int]]:
    """The units with the lowest and with the highest scores, worst and best first, none twice."""
    order = np.argsort(values, kind="stable").tolist()
    shown = max(1, min(most, len(order) // 2))
    return order[:shown], order[::-1][:shown]
