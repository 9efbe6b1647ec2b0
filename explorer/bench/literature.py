"""Published results of pruning, as their sources print them: nothing of this was measured here.

The rows stand in ``literature.csv`` with the columns of `COLUMNS`. `value` and `baseline` are in the metric's own unit,
percent for accuracies; `delta` is their difference in points where both are known, else the source's own. `x_value` is
how much was pruned, in what `x_kind` names.
"""

import csv
from pathlib import Path

from explorer.errors import ExplorerError

FILE = Path(__file__).with_name("literature.csv")
COLUMNS = (
    *("source", "table", "method", "model", "dataset", "fine_tuned", "x_kind", "x_value"),
    *("metric", "baseline", "value", "delta", "note"),
)
NUMBERS = ("x_value", "baseline", "value", "delta")
SOURCES = {
    "ifap": "IFAP, Iterative Flow-Aware Pruning: its authors' README",
    "dg2pf": "DG2PF: the paper",
    "spvr": "SPvR, Structured Pruning via Ranking: the paper",
    "no-ft-list": "a list without fine-tuning: IFM, TVSPrune, DFPC, FVRCP, ALDS, SVD-NAS and token reduction",
}
CAVEATS = (
    "IFAP: its Table II mixes absolute and relative drops; deltas here are value minus baseline in points, the printed "
    "ones are in the notes, with MISMATCH where they do not follow.",
    "IFAP: its tables disagree with each other (ResNet-50 on CIFAR-10 96.2 and 97.63, ViT on CIFAR-100 base 93.7 and "
    "94.24), some rows repeat the numbers of others (67.43 is the score of four), and for 108 results the compression "
    "is not stated.",
    "SPvR: compression in its Table 8 and the 95% row (really 93.9%) are off, sizes count 8 bytes a parameter, and its "
    "ResNet50 base of 76.32% is not the usual 76.13%.",
    "DG2PF: the label columns of its Tables VI and VII are centred, so GraNet and SWD were assigned to ResNet-50.",
    "The list: IFM, DFPC, ALDS and FVRCP were read off plots, TVSPrune's deltas on ResNet-20 had no minus sign, "
    "SVD-NAS points occur once for each measure of compression, and that token reduction was not fine-tuned stands "
    "only in a heading.",
)


def literature(path: Path = FILE) -> list[dict[str, str | float | None]]:
    """The rows, numbers as numbers, None where the source has none.

    Raises:
        ExplorerError: the file can't be read or has other columns.
    """
    try:
        with path.open(newline="", encoding="utf-8") as file:
            reader = csv.DictReader(file)
            rows = list(reader)
    except OSError as error:
        raise ExplorerError(f"can't read {path}: {error.strerror}; install the project again") from None
    if tuple(reader.fieldnames or ()) != COLUMNS:
        raise ExplorerError(f"{path} is no table of published results: its columns must be {', '.join(COLUMNS)}")
    return [{**row, **{name: float(row[name]) if row[name] else None for name in NUMBERS}} for row in rows]
