"""``mission check``: a plan or a run against a mission's goals, on the hidden data."""

from argparse import ArgumentParser
from pathlib import Path
from typing import TYPE_CHECKING

from explorer.cli.console import Answer, table
from explorer.cli.missions import add_mission
from explorer.cli.options import Options
from explorer.cli.verb import verb
from explorer.errors import ExplorerError
from explorer.progress import Report

if TYPE_CHECKING:
    from explorer.learning.missions.judging import Entry
    from explorer.learning.missions.mission import Mission


def arguments(parser: ArgumentParser) -> None:
    add_mission(parser)
    entry = parser.add_mutually_exclusive_group(required=True)
    entry.add_argument("--plan", metavar="FILE", help="a plan.json, of a run or as the Cut page gives one")
    entry.add_argument("--run", metavar="DIR", help="the --out folder of a finished run")


@verb(
    "mission check",
    title="Check a mission",
    explanation="Check a plan or a run against the goals of a mission, on test data that nothing was tuned on.",
    arguments=arguments,
    rank=148,
)
def check_mission(options: Options, report: Report) -> Answer:
    from explorer.learning.missions.bundled import find_mission
    from explorer.learning.missions.facts import STAGES
    from explorer.learning.missions.judging import check, entry_of_run

    mission = find_mission(options.mission)
    if options.run is not None:
        entry = entry_of_run(f"run:{options.run.removeprefix('run:')}", mission)
    else:
        entry = _of_file(Path(options.plan), mission)
    found = check(mission, entry, report)
    metric = found.facts.metric
    marks = {True: "met", False: "not met", None: "not told"}
    rows = [[goal.says(metric), marks[now.met], now.text, now.note] for goal, now in found.goals]
    judged = f"{mission.title}: {found.met} of {len(rows)} goals are met, {STAGES[found.facts.end]}"
    return Answer(found.to_json(), f"{table(['goal', 'verdict', 'reached', 'note'], rows)}\n\n{judged}")


def _of_file(path: Path, mission: "Mission") -> "Entry":
    """A plan, with the criterion that a file of the app names; a plan of a run is one of the run's own criterion."""
    from explorer.learning.missions.judging import Entry
    from explorer.pruning import Plan
    from explorer.reading import read_object

    try:
        document = read_object(path)
    except (FileNotFoundError, NotADirectoryError):
        raise ExplorerError(f"there is no file {str(path)!r}: name a plan.json") from None
    criterion = document.get("criterion")
    return Entry(Plan.from_json(document), criterion=criterion if isinstance(criterion, str) else "")
