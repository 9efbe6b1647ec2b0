"""Which of the tools that a teacher may allow a job is."""

from collections.abc import Mapping
from typing import Any

from explorer.learning.classes.records import MEASURING, SEARCHING, TRAINING
from explorer.methods import removes

_BY_KIND = {
    "ladder": TRAINING,
    "search": SEARCHING,
    "budget": SEARCHING,
    "sensitivity": MEASURING,
    "latency": MEASURING,
    "agreement": MEASURING,
}


def tool_of(request: Mapping[str, Any]) -> str:
    """The tool, of `TOOLS`; empty for what every class has, such as a measurement of the network as it is.

    A run that is given its plan, or that only trains, is a training; one that has to find its plan is a search.
    """
    if request["kind"] != "prune":
        return _BY_KIND.get(request["kind"], "")
    spec = request["spec"]
    return TRAINING if spec.get("plan") or not removes(spec["method"]) else SEARCHING
