"""``mission make``: a new mission, as a file and a link."""

from argparse import ArgumentParser
from pathlib import Path

from explorer.cli.console import Answer
from explorer.cli.options import Options
from explorer.cli.verb import verb
from explorer.progress import Report


def arguments(parser: ArgumentParser) -> None:
    parser.add_argument("--title", required=True, metavar="TEXT", help="a few words")
    parser.add_argument("--text", default="", metavar="TEXT", help="a sentence or two")
    parser.add_argument("--model", required=True, metavar="REF", help="the network that it begins with")
    parser.add_argument("--data", required=True, metavar="REF", help="its data")
    parser.add_argument(
        "--goal",
        action="append",
        default=[],
        metavar="KIND:KEY=VALUE",
        help="such as macs:at_most=2e7, metric:at_least=0.88, worst-class:at_most=0.05, latency:at_most=0.5",
    )
    parser.add_argument(
        "--lock", action="append", default=[], metavar="GROUP", help="a group that stays whole, or a pattern"
    )
    parser.add_argument(
        "--tool", action="append", metavar="NAME", help="allowed beside the cut: repair, training (default: repair)"
    )
    parser.add_argument(
        "--criterion", action="append", default=[], metavar="NAME", help="the only ones allowed (default: any)"
    )
    parser.add_argument(
        "--hidden", type=int, metavar="N", help="test samples that it is checked on, at most (default: 1000)"
    )
    parser.add_argument("--out", metavar="FILE", help="a file FILE.json to write it to")


@verb(
    "mission make",
    title="Make a mission",
    explanation="Make a mission from goals: a file and a link that anybody can open.",
    arguments=arguments,
    rank=149,
)
def make_mission(options: Options, report: Report) -> Answer:
    from explorer.cli.missions import told
    from explorer.errors import ExplorerError
    from explorer.files import check_file, write_json
    from explorer.learning.missions.goal import Goal
    from explorer.learning.missions.mission import HIDDEN, PARAMETER, Mission, mission_text

    mission = Mission(
        title=options.title,
        text=options.text,
        model=options.model,
        data=options.data,
        goals=tuple(map(Goal.parse, options.goal)),
        locked=tuple(options.lock),
        tools=tuple(options.tool if options.tool is not None else ["repair"]),
        criteria=tuple(options.criterion),
        hidden=HIDDEN if options.hidden is None else options.hidden,
    )
    said = told(mission)
    link = f"?{PARAMETER}={mission_text(mission)}"
    document = {"mission": mission.to_json(), "id": mission.id, "link": link, "out": options.out}
    if options.out is not None:
        path = Path(options.out)
        if path.suffix != ".json":
            raise ExplorerError(f"--out {path} is no JSON file: name it FILE.json")
        check_file(path, lambda found: False)
        write_json(path, mission.to_json())
    return Answer(document, f"{said}\n{'link':<12} {link}")
