"""``inspect``: the groups of a model."""

from explorer.cli.console import Answer, table, times
from explorer.cli.options import Options, add_model
from explorer.cli.verb import verb
from explorer.progress import Report


@verb(
    "inspect",
    title="Inspect",
    explanation="Show a model's groups of channels and their cost.",
    arguments=add_model,
    rank=40,
)
def inspect(options: Options, report: Report) -> Answer:
    from explorer.runs.inspection import inspect_model

    document = inspect_model(options.model, options.input, report).to_json()
    keys = ["name", "kind", "size", "unit", "exact", "members", "params", "macs"]
    rows = [[group[key] for key in keys] for group in document["groups"]]
    heads = ["group", "kind", "channels", "unit", "exact", "members", "params", "MACs"]
    lines = [
        f"{document['model']}  input {times(document['input'])}  "
        f"{document['params']:,} params  {document['macs']:,} MACs",
        *([document["note"]] if document["note"] else []),
        "",
        table(heads, rows),
    ]
    if document["blocks"]:
        blocks = [[b["name"], b["params"], b["macs"]] for b in document["blocks"]]
        lines += ["", "blocks that can be taken out:", table(["block", "params", "MACs"], blocks)]
    if document["blocked"]:
        blocked = [[b["name"], b["size"], b["reason"]] for b in document["blocked"]]
        lines += ["", "can't be cut:", table(["layer", "channels", "reason"], blocked)]
    return Answer(document, "\n".join(lines))
