"""``models``: what can be loaded."""

from explorer.cli.console import Answer, table, times
from explorer.cli.options import Options
from explorer.cli.verb import verb
from explorer.progress import Report


@verb("models", title="Models", explanation="List the models that can be loaded.", rank=20)
def models(options: Options, report: Report) -> Answer:
    from explorer.sources import list_models

    entries = [
        {
            "ref": entry.ref,
            "title": entry.title,
            "input_shape": list(entry.input_shape),
            "trained": entry.trained,
            "note": entry.note,
        }
        for entry in list_models()
    ]
    rows = [
        [e["ref"], times(e["input_shape"]), "trained" if e["trained"] else "untrained", e["title"]] for e in entries
    ]
    return Answer({"models": entries}, table(["model", "input", "weights", "title"], rows))
