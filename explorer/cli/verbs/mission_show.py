"""``mission show``: one mission, and the text of its link."""

from argparse import ArgumentParser

from explorer.cli.console import Answer
from explorer.cli.missions import add_mission
from explorer.cli.options import Options
from explorer.cli.verb import verb
from explorer.progress import Report


def arguments(parser: ArgumentParser) -> None:
    add_mission(parser)


@verb(
    "mission show",
    title="Show a mission",
    explanation="Show one mission: its goals, what it allows, and its link.",
    arguments=arguments,
    rank=147,
)
def show_mission(options: Options, report: Report) -> Answer:
    from explorer.cli.missions import told
    from explorer.learning.missions.bundled import find_mission
    from explorer.learning.missions.mission import PARAMETER, mission_text

    mission = find_mission(options.mission)
    link = f"?{PARAMETER}={mission_text(mission)}"
    document = {"mission": mission.to_json(), "id": mission.id, "link": link}
    return Answer(document, f"{told(mission)}\n{'link':<12} {link}")
