"""``mission list``, or ``mission`` alone: the bundled missions."""

from explorer.cli.console import Answer, table
from explorer.cli.options import Options
from explorer.cli.verb import verb
from explorer.progress import Report


@verb("mission list", title="Missions", explanation="List the bundled missions and their goals.", rank=146)
def list_missions(options: Options, report: Report) -> Answer:
    from explorer.cli.missions import goals_of
    from explorer.learning.missions.bundled import bundled

    found = bundled()
    rows = [[name, each.title, each.model, each.data, "; ".join(goals_of(each))] for name, each in found.items()]
    document = {"missions": {name: each.to_json() for name, each in found.items()}}
    return Answer(document, table(["name", "title", "model", "data", "goals"], rows))
