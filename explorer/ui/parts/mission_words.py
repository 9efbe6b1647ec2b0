"""How missions, goals and points read on a page."""

from explorer.errors import ExplorerError
from explorer.learning.missions.amounts import size
from explorer.learning.missions.mission import TOOLS, Mission
from explorer.learning.missions.points import Point
from explorer.tasks import METRICS
from explorer.tasks.tools.task_kind import DEFAULT_METRIC
from explorer.ui import engine
from explorer.ui.text import words

COSTS = {"macs": "MACs", "params": "Parameters", "size": "Bytes of the file"}


def metric_of(mission: Mission) -> str:
    """The name of the metric of its data; the usual one where nothing can be told of the data yet."""
    try:
        return engine.metric_named(mission.data)
    except ExplorerError:
        return DEFAULT_METRIC


def rules(mission: Mission) -> str:
    """What may be used, and what must stay, in a sentence."""
    tools = [TOOLS[tool] for tool in mission.tools]
    said = f"Allowed: cutting{''.join(f', {tool}' for tool in tools)}."
    if mission.criteria:
        said += f" Criteria: {', '.join(mission.criteria)}."
    if mission.locked:
        said += f" These stay whole: {', '.join(mission.locked)}."
    return said


def cost(point: Point, kind: str) -> str:
    """What a point costs: ``14.8 M MACs``."""
    value = getattr(point, kind)
    return size(value) if kind == "size" else f"{words.count(value)} {COSTS[kind] if kind == 'macs' else 'parameters'}"


def value(point: Point) -> str:
    """What a point reaches: ``89.4%``; a dash where that is not known."""
    return "–" if point.value is None else METRICS[point.metric].text(point.value)


def tries(own: list[Point]) -> str:
    """How often somebody has handed in, and what else she had seen of test data."""
    count = max(point.tries for point in own)
    said = f"{count} {'try' if count == 1 else 'tries'}"
    seen = own[-1].looks
    runs = "run has" if seen == 1 else "runs have"
    return said + (f"; {seen} finished {runs} shown test data as well" if seen else "")
