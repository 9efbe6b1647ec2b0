"""`run:DIR`: a pruned model that a run saved."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

from explorer.errors import ExplorerError, one_line
from explorer.sources.json_files import read_json
from explorer.sources.registries import model_source

if TYPE_CHECKING:
    from explorer.sources.loaded import LoadedModel
    from explorer.sources.request import ModelRequest, Normalisation

TOKENIZER = "tokenizer"  # the folder of a saved run that holds its files


def place(rest: str) -> Path:
    """Where the run lies."""
    return Path(rest).expanduser()


@model_source(
    "run",
    title="Saved runs",
    explanation="A pruned model that a run saved, to look at or to prune again.",
    takes="DIR",
    path=place,
    rank=40,
)
def open_run(rest: str, request: "ModelRequest") -> "LoadedModel":
    from explorer.sources.loaded import LoadedModel
    from explorer.sources.networks.architectures import build
    from explorer.sources.networks.hub_models import read_tokenizer
    from explorer.sources.networks.state_dicts import read_tensors
    from explorer.structure import adapt
    from explorer.tasks import DEFAULT_KIND

    folder = place(rest)
    if not (folder / "report.json").is_file():
        raise ExplorerError(f"run:{rest} is no saved model: there is no {folder / 'report.json'}")
    report, tensors = read_json(folder / "report.json"), read_tensors(folder / "weights.safetensors")
    try:
        architecture, attributes = report["architecture"], report["attributes"]
        classes, shape = report["classes"], tuple(int(size) for size in report["input_shape"])
        base, title, data = report["model"], report["title"], report["data"]
        module = build(architecture)
        adapt(module, tensors, attributes)
    except (KeyError, TypeError, ValueError, AttributeError, RuntimeError) as error:
        raise ExplorerError(f"the saved model in {rest!r} is damaged: {_reason(error)}") from None
    return LoadedModel(
        ref=f"run:{rest}",
        module=module.eval(),
        input_shape=shape,
        classes=classes if isinstance(classes, int) else len(classes),
        trained=bool(report.get("trained", True)),
        title=title,
        note=f"pruned from {base}",
        architecture=architecture,
        data=data,
        kind=report.get("kind", DEFAULT_KIND),
        tokenizer=read_tokenizer(folder / TOKENIZER, shape[0]) if (folder / TOKENIZER).is_dir() else None,
        normalisation=_pair(report.get("normalisation")),
    )


def _pair(normalisation: dict[str, Any] | None) -> "Normalisation | None":
    return normalisation and (tuple(normalisation["mean"]), tuple(normalisation["std"]))


def _reason(error: Exception) -> str:
    return f"report.json lacks {error}" if isinstance(error, KeyError) else one_line(error)
