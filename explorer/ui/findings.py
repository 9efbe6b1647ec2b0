"""What a picture shows, said in a sentence."""

from collections.abc import Mapping

import numpy as np
import pandas as pd

from explorer.evaluation.metrics import Metric
from explorer.ui import words

WEAK = 0.5  # of the median of its group


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


def of_qualities(frame: pd.DataFrame, metric: Metric) -> str:
    """What the cut took and recovery gave back, in points of the task's metric."""
    base, after = frame.value.iloc[0], frame.value.iloc[-1]
    distance = metric.difference(abs(after - base)).lstrip("+")
    end = f"{distance} {'below' if after < base else 'above'} the base model"
    if len(frame) < 3:
        return f"The pruned model ends {end}"
    return f"The cut leaves {metric.text(frame.value.iloc[1])}; after recovery it is {metric.text(after)}, {end}"


def extremes(values: np.ndarray, most: int) -> tuple[list[int], list[int]]:
    """The units with the lowest and with the highest scores, worst and best first, none twice."""
    order = np.argsort(values, kind="stable").tolist()
    shown = max(1, min(most, len(order) // 2))
    return order[:shown], order[::-1][:shown]
