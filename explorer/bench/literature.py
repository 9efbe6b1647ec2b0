"""Published results of pruning, as their sources print them: nothing of this was measured here.

The rows stand in ``literature.csv`` with the columns of `COLUMNS`. `value` and `baseline` are in the metric's own unit,
percent for accuracies; `delta` is their difference in points where both are known, else the source's own. `x_value` is
how much was pruned, in what `x_kind` names. Sources spell one network in several ways: `NETWORKS` and `DATA` have the
names under which they are found together.
"""

import csv
from collections.abc import Mapping
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
NETWORKS: Mapping[str, tuple[str, str]] = {
    "BERT Base": ("BERT", "base"),
    "ConvNeXt-Small": ("ConvNeXt", "small"),
    "DETR (ViT-Base/16)": ("DETR", "ViT-B/16"),
    "EfficientNet V2-S": ("EfficientNetV2", "S"),
    "FCN (VGG19-BN)": ("FCN", "VGG-19 with batch norm"),
    "Faster R-CNN (ResNet-50)": ("Faster R-CNN", "ResNet-50"),
    "GPT-2 Base": ("GPT-2", "base"),
    "MobileNet V2": ("MobileNetV2", ""),
    "MobileNetV3-L": ("MobileNetV3", "large"),
    "MobileNetV3-minimal": ("MobileNetV3", "minimal"),
    "MobileNetV3-small": ("MobileNetV3", "small"),
    "ResNet-50 (V1)": ("ResNet-50", "V1"),
    "ResNet20": ("ResNet-20", ""),
    "ResNet34": ("ResNet-34", ""),
    "ResNet50": ("ResNet-50", ""),
    "ResNet50-pruned": ("ResNet-50", ""),
    "ResNet56": ("ResNet-56", ""),
    "SegFormer (ViT-Base/16)": ("SegFormer", "ViT-B/16"),
    "ShuffleNetV2 x2.0": ("ShuffleNetV2", "×2.0"),
    "Stable Diffusion v1.5": ("Stable Diffusion", "v1.5"),
    "T5 Base": ("T5", "base"),
    "U-Net (ResNet-50)": ("U-Net", "ResNet-50"),
    "VGG16": ("VGG-16", ""),
    "VGG19 (BN)": ("VGG-19", "batch norm"),
    "ViT-Base/16": ("ViT-B/16", ""),
    "YOLOv4 (ShuffleNetV2)": ("YOLOv4", "ShuffleNetV2"),
}
"""The name and the variant of a network by how sources spell it; those that are not here are spelled in one way."""
DATA: Mapping[str, str] = {"CIFAR10": "CIFAR-10"}
"""The same of data."""
_TEXTS = frozenset("CoLA MNLI-m MRPC QNLI QQP RTE ReCoRD SST-2 STS-B".split()) | {"SQuAD 1.1"}
_BY_METRIC = {"mAP": "detection", "mIoU": "segmentation", "FID": "generation"}
METRICS: Mapping[str, str] = {
    "top1": "top-1 (%)",
    "top5": "top-5 (%)",
    "accuracy": "accuracy (%)",
    "size_on_disk_mb": "size on disk (MB)",
    "mAP": "mAP (%)",
    "mIoU": "mIoU (%)",
    "F1": "F1 (%)",
    "FID": "FID, less is better",
    "MCC": "Matthews correlation (%)",
    "Pearson": "Pearson correlation (%)",
}
"""What `metric` names, with its unit."""
PRUNED: Mapping[str, str] = {
    "params_removed_pct": "parameters removed (%)",
    "flops_removed_pct": "FLOPs removed (%)",
    "params_kept_pct": "parameters kept (%)",
    "params_m": "parameters left (million)",
    "gmacs": "MACs left (billion)",
    "sparsity_pct": "weights at zero (%)",
    "filters_removed_pct": "filters removed (%)",
    "pruning_epochs": "epochs of pruning",
    "kd_alpha_pct": "share of the distillation loss (%)",
    "simulated_sparsity_pct": "simulated sparsity (%)",
    "temperature": "temperature of distillation",
    "unspecified": "not stated",
}
"""What `x_kind` names, with its unit."""
TUNED: Mapping[str, str] = {"yes": "fine-tuned", "no": "not fine-tuned", "unknown": "not stated"}
CAVEATS: Mapping[str, tuple[str, ...]] = {
    "ifap": (
        "Its Table II mixes absolute and relative drops; deltas here are value minus baseline in points, the printed "
        "ones are in the notes, with MISMATCH where they do not follow.",
        "Its tables disagree with each other (ResNet-50 on CIFAR-10 96.2 and 97.63, ViT on CIFAR-100 base 93.7 and "
        "94.24), some rows repeat the numbers of others (67.43 is the score of four), and for 108 results the "
        "compression is not stated.",
    ),
    "spvr": (
        "Compression in its Table 8 and the 95% row (really 93.9%) are off, sizes count 8 bytes a parameter, and its "
        "ResNet50 base of 76.32% is not the usual 76.13%.",
    ),
    "dg2pf": (
        "The label columns of its Tables VI and VII are centred, so GraNet and SWD were assigned to ResNet-50.",
        "Its Tables I and VI give 91.26 and 92.90 for the same sparsity of 95%, and its Table V can't stand on the "
        "base that it states.",
    ),
    "no-ft-list": (
        "IFM, DFPC, ALDS and FVRCP were read off plots, TVSPrune's deltas on ResNet-20 had no minus sign, SVD-NAS "
        "points occur once for each measure of compression, and that token reduction was not fine-tuned stands only "
        "in a heading.",
    ),
}
"""What is known to be wrong or doubtful in a source, by its name in `SOURCES`."""


def literature(path: Path = FILE) -> list[dict[str, str | float | None]]:
    """The rows, numbers as numbers, None where the source has none.

    Beside the columns of the file each has `network` and `variant` and `data`, the names that are one for all sources,
    and the `task`.

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
    return [_read(row) for row in rows]


def _read(row: Mapping[str, str]) -> dict[str, str | float | None]:
    numbers = {name: float(row[name]) if row[name] else None for name in NUMBERS}
    network, variant = NETWORKS.get(row["model"], (row["model"], ""))
    task = "text" if row["dataset"] in _TEXTS else _BY_METRIC.get(row["metric"], "image classification")
    data = DATA.get(row["dataset"], row["dataset"])
    return {**row, **numbers, "network": network, "variant": variant, "data": data, "task": task}
