"""Was it worth it? The runs that a finished run has to beat, as specs."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from explorer.methods import removes
from explorer.methods.spec import Spec
from explorer.recovery import EPOCHS, RECOVERIES

SCRATCH = "scratch"  # the recovery that trains a cut network from fresh weights


@dataclass(frozen=True)
class Baseline:
    """A run that answers one question about another one."""

    title: str
    question: str


BASELINES = {
    "random": Baseline("Random channels", "does it matter which channels leave, or only how many?"),
    "scratch": Baseline("Trained from scratch", "would a small network, trained as long from nothing, do as well?"),
}


def baselines(spec: Spec, result: Mapping[str, Any]) -> dict[str, Spec]:
    """The specs to compare a finished run with, by their names in `BASELINES`.

    *random* leaves every group as wide as the run did (the same share of the MACs, where the run took out blocks too),
    with channels chosen at random, and recovers in the same way.
    *scratch* is a network of the same family that keeps the same share of the MACs, all groups cut alike, trained
    from fresh weights; it is left out where the run itself did not train, since there is no effort to match. Both cut
    once and train for the `effort` of the run. Where single weights became zero, no channels stand for them: none;
    nor of a run that removed nothing.
    """
    if result.get("sparse") or not removes(spec.method):
        return {}
    epochs = effort(spec, result)
    common = {
        "method": "one-shot",
        "criterion": "random",
        "options": {},
        "normalise": "mean",
        "plan": None,
        "skip": (),
        "locked": (),
        "epochs": epochs or None,
    }
    kept = {"macs": result["achieved"]["macs"]}
    ratios = {group["name"]: 1 - group["kept"] / group["size"] for group in result["groups"]}
    if max(ratios.values()) < 1:
        random = replace(spec, **common, keep=None, ratios={name: ratio for name, ratio in ratios.items() if ratio})
    else:  # whole blocks left too, which no widths stand for
        random = replace(spec, **common, keep=kept, ratios={})
    found = {"random": random}
    if epochs:
        found["scratch"] = replace(spec, **common, allocate="uniform", keep=kept, ratios={}, recover=SCRATCH)
    return found


def effort(spec: Spec, result: Mapping[str, Any]) -> int:
    """The epochs that a run trained for, at most; 0 where its recovery does not train.

    A step's early end is not in the result, so steps count in full, which favours the baselines.
    """
    if not RECOVERIES[spec.recover].trains:
        return 0
    if result.get("steps"):
        return len(result["steps"]) * (spec.epochs or EPOCHS)
    return max(1, len(result["recovery"]["epochs"]))
