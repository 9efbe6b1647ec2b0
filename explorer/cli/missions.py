"""Missions as the command line names and shows them."""

from typing import TYPE_CHECKING

from explorer.cli.options import Parser

if TYPE_CHECKING:
    from explorer.learning.missions.mission import Mission


def add_mission(parser: Parser) -> None:
    """Which mission is meant."""
    said = "the name of a bundled mission, a file FILE.json, or a link with ?m= in it"
    parser.add_argument("mission", metavar="MISSION", help=said)


def metric_of(mission: "Mission") -> str:
    """The name of the metric that its data is judged by, without opening the data where it tells that beforehand."""
    from explorer.sources import describe_task
    from explorer.tasks import TASK_KINDS

    return TASK_KINDS[describe_task(mission.data).kind].metric.name


def goals_of(mission: "Mission") -> list[str]:
    """Each goal in a few words."""
    metric = metric_of(mission)
    return [goal.says(metric) for goal in mission.goals]


def told(mission: "Mission") -> str:
    """All of a mission in lines for a person."""
    from explorer.learning.missions.mission import TOOLS

    allowed = ", ".join(["cutting", *(TOOLS[tool] for tool in mission.tools)])
    lines = [
        ("title", mission.title),
        ("about", mission.text),
        ("begins with", f"{mission.model} on {mission.data}"),
        *(("goal", text) for text in goals_of(mission)),
        ("allowed", allowed),
        ("criteria", ", ".join(mission.criteria) or "any"),
        ("stay whole", ", ".join(mission.locked)),
        ("checked on", f"at most {mission.hidden:,} test samples"),
    ]
    return "\n".join(f"{head:<12} {text}" for head, text in lines if text)
