"""The comparison for people: as text, as Markdown, and in a few lines for README."""

from collections.abc import Sequence

from explorer.bench.kept import pipes
from explorer.bench.marks import IN_SHORT
from explorer.bench.rivals.comparison import AHEAD, BEHIND, EQUAL, Line, title_of, verdicts
from explorer.bench.rivals.grid import Grid
from explorer.bench.rivals.players import CHOICE, OURS, THEIRS
from explorer.bench.rivals.playing import AS_CUT, RECALIBRATED, REPAIRED, STAGES, TITLES, TUNED
from explorer.recovery.portion import SAMPLES
from explorer.tasks import METRICS

HEADS = (
    *("model", "MACs asked", "stage", "ours", "best of torch-pruning", "difference", "95 %", "verdict"),
    *("its choice, our repair", "MACs ours / theirs", "seconds ours / theirs", "seeds", "rival"),
)
SHORT = ("network", "MACs kept", "stage", "ours", "torch-pruning", "difference and its 95 % interval", "")
PLAYERS = ("model", "MACs asked", "side", "player", *TITLES.values(), "MACs", "seconds repaired", "seeds")
UNTRAINED = (AS_CUT, RECALIBRATED, REPAIRED)
CHOICES = ("choice", *(TITLES[stage] for stage in UNTRAINED), "ahead / equal / behind the first", "seconds", "rows")
NOTHING = "Nothing is measured yet"


def cells(line: Line) -> list[str]:
    """A line of `compared` for a person."""
    metric = METRICS[line["metric"]]
    rival = title_of(THEIRS, line["rival"]) + (f", {TITLES[line['rival_stage']]}" if line["stage"] == REPAIRED else "")
    return [
        line["model"],
        line["target"],
        stage_of(line),
        metric.text(line["ours_value"]),
        metric.text(line["rival_value"]),
        metric.difference(line["difference"]),
        f"{metric.difference(line['low'])} to {metric.difference(line['high'])}",
        line["verdict"],
        "" if line["lent"] is None else metric.text(line["lent"]),
        f"{line['ours_macs']:.1%} / {line['rival_macs']:.1%}",
        f"{line['ours_seconds']:.1f} / {line['rival_seconds']:.1f}",
        str(line["seeds"]),
        rival,
    ]


def stage_of(line: Line) -> str:
    """The stage of a line for a person."""
    title = TITLES[line["stage"]]
    return title if line["stage"] != TUNED else f"{title}, {line['epochs']} epoch{'s' if line['epochs'] > 1 else ''}"


def said(lines: Sequence[Line]) -> str:
    """How often the choice is ahead, and how often at least equal, in a sentence or two."""
    found, sentences = verdicts(lines), []
    for name, how in (("untrained", "without training"), ("tuned", "fine-tuned with equal epochs")):
        if of := found[name]["lines"]:
            ahead, equal = found[name]["ahead"], found[name]["at_least_equal"]
            sentences.append(f"Of {of} rows {how}, ours is ahead in {ahead} and at least equal in {equal}.")
    return " ".join(sentences) or f"{NOTHING}."


def short(lines: Sequence[Line], grid: Grid) -> str:
    """The table in few columns as Markdown, with the counts and the command; what to do where there is nothing yet."""
    if not lines:
        return f"{NOTHING}: `{grid.command()}`.\n"
    rows = []
    for line in lines:
        metric = METRICS[line["metric"]]
        span = f"{metric.difference(line['low'])} to {metric.difference(line['high'])}"
        rows.append(
            [
                line["model"].partition(":")[2],
                line["target"].partition("=")[2],
                TITLES[line["stage"]],
                metric.text(line["ours_value"]),
                metric.text(line["rival_value"]),
                f"{metric.difference(line['difference'])} ({span})",
                line["verdict"],
            ]
        )
    return f"{pipes(SHORT, rows)}\n{said(lines)} Made by `{grid.command()}`.\n"


def candidates(lines: Sequence[Line]) -> list[list[str]]:
    """Lines of `choices` for a person, with the heads `CHOICES`."""
    return [
        [
            title_of(OURS, line["player"]),
            *(_stage_text(line, stage) for stage in UNTRAINED),
            f"{line[AHEAD]} / {line[EQUAL]} / {line[BEHIND]}",
            f"{line['seconds']:.1f}",
            str(line["places"]),
        ]
        for line in lines
    ]


def markdown(lines: Sequence[Line], players: Sequence[Line], choices: Sequence[Line], grid: Grid) -> str:
    """The whole document: the choice against the best rival, our choices where they are several, and every player."""
    among = f"## Choices of ours, mean over networks and targets\n\n{pipes(CHOICES, candidates(choices))}\n"
    fewest, most = SAMPLES
    judged = title_of(OURS, lines[0]["ours"] if lines else CHOICE)
    return f"""# Against torch-pruning

    {grid.command()}

Ours is one choice, fixed in advance: {judged}.
Where that is the best plan of a search, each criterion proposes one by the same share of every group and one by a
global ranking, all are judged on validation images after what the stage does, and the one of the least loss is played
on the test images; the time of that is in its seconds.

torch-pruning plays by its group magnitude (p = 2, mean of a group) and its group Taylor importance, with uniform,
global and isomorphic ranking, by one ranking and in steps; the last table names those that played. All cut the same
networks until their MACs, by the same count, are at most the target and as near as they come. A seed draws the
calibration images for gradients and batch-norm statistics, and orders the fine-tuning; test images, trainer and epochs
are the same. The repair sees {fewest} to {most} of the drawn images, by the size of the network. Magnitudes see no
images, so as cut they do not vary. Methods that train in steps (IFAP, IDAP++) draw their calibration images themselves;
here they cut channels alone, and fine-tune in place of distilling, with the trainer of all others.

*Recalibrated*: batch-norm statistics from the calibration images. *Repaired*: ours by least squares on them, without
training; torch-pruning has nothing of the kind, so the better of its cut and its recalibrated network stands against
it, and beside them its choice of channels with our repair. *Fine-tuned*: from the repaired network as the repair left
it, and from torch-pruning's recalibrated. The rival of a row is the one that came out best by its mean on the test
images, to its advantage. The difference is paired by image and seed, its interval a bootstrap over both;
*{AHEAD}*: all of it lies above 0, *{EQUAL}*: 0 lies inside. Seconds go from the whole network to that stage, on
one thread of the processor, all tries that reach the target included.

## In short

{IN_SHORT}
{short(lines, grid)}{IN_SHORT}

## Every row

{pipes(HEADS, [cells(line) for line in lines])}
{said(lines)}

{among if len(choices) > 1 else ""}## Every player

{pipes(PLAYERS, [_player(line) for line in players])}"""


def _player(line: Line) -> list[str]:
    who = [line["model"], line["target"], line["side"], title_of(line["side"], line["player"])]
    if "error" in line:
        return [*who, line["error"], *[""] * (len(PLAYERS) - len(who) - 1)]
    values = [_stage_text(line, stage) for stage in STAGES]
    seconds = line["seconds"].get(REPAIRED)
    seeds = sorted(set(line["seeds"].values()))
    return [
        *who,
        *values,
        f"{line['macs']:.1%}",
        "" if seconds is None else f"{seconds:.1f}",
        " and ".join(map(str, seeds)),
    ]


def _stage_text(line: Line, stage: str) -> str:
    """The mean of a stage, empty where it was not played."""
    return METRICS[line["metric"]].text(line["stages"][stage]) if stage in line["stages"] else ""
