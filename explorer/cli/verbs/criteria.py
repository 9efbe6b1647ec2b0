"""``criteria``: how channels can be scored."""

from explorer.cli.choices import records
from explorer.cli.console import Answer, table
from explorer.cli.options import Options
from explorer.cli.verb import verb
from explorer.progress import Report


@verb("criteria", title="Criteria", explanation="List the criteria that score channels.", rank=30)
def criteria(options: Options, report: Report) -> Answer:
    from explorer.criteria import CRITERIA

    entries = [
        {
            "name": c.name,
            "title": c.title,
            "needs": sorted(c.needs),
            "cost": c.cost,
            "forwards": c.forwards,
            "backwards": c.backwards,
            "forwards_per_unit": c.forwards_per_unit,
            "paper": c.reference,
        }
        for c in records(CRITERIA).values()
    ]
    rows = [[e["name"], e["title"], ", ".join(e["needs"]) or "nothing", e["cost"], e["paper"]] for e in entries]
    return Answer({"criteria": entries}, table(["name", "title", "needs", "cost", "paper"], rows))
