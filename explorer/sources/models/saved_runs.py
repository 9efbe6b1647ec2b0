"""`run:DIR`: a model that a run saved."""

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from explorer.errors import ExplorerError, one_line
from explorer.sources.refs import Place, path_only
from explorer.sources.registries import model_source

if TYPE_CHECKING:
    from explorer.sources.loaded import LoadedModel
    from explorer.sources.request import ModelRequest, Normalisation

TOKENIZER = "tokenizer"  # the folder of a saved run that holds its files


@model_source(
    "run",
    title="Saved runs",
    explanation="A pruned or trained model that a run saved, to look at or to prune again.",
    takes="DIR",
    place=path_only,
    rank=40,
)
def open_run(place: Place, request: "ModelRequest") -> "LoadedModel":
    from explorer.sources.loaded import LoadedModel
    from explorer.sources.networks.architectures import build
    from explorer.sources.networks.hub_models import read_tokenizer
    from explorer.sources.networks.state_dicts import read_tensors
    from explorer.sources.own_networks import FAMILY, KIND, rebuilt
    from explorer.sources.saved_report import read_saved
    from explorer.structure import adapt
    from explorer.tasks import DEFAULT_KIND

    folder = place.file
    try:
        report = read_saved(folder / "report.json")
    except (FileNotFoundError, NotADirectoryError):
        raise ExplorerError(f"{place.ref} is no saved model: there is no {folder / 'report.json'}") from None
    tensors = read_tensors(folder / "weights.safetensors")
    architecture, shape, classes = report["architecture"], tuple(report["input_shape"]), report["classes"]
    try:
        own = rebuilt(architecture["name"], architecture["arguments"]) if architecture["family"] == FAMILY else None
        module = own.module if own else build(architecture)
        adapt(module, tensors, report["attributes"])
    except (LookupError, TypeError, ValueError, AttributeError, ArithmeticError, RuntimeError) as error:
        raise ExplorerError(f"the saved model in {place.name!r} is damaged: {one_line(error)}") from None
    return LoadedModel(
        ref=place.ref,
        module=module.eval(),
        input_shape=shape,
        classes=classes if isinstance(classes, int) else len(classes),
        trained=bool(report.get("trained", True)),
        title=report["title"],
        note=f"{report.get('made', 'pruned')} from {report['model']}",
        architecture=architecture,
        data=report["data"],
        kind=report.get("kind", DEFAULT_KIND),
        tokenizer=read_tokenizer(folder / TOKENIZER, shape[0]) if (folder / TOKENIZER).is_dir() else None,
        normalisation=_pair(report.get("normalisation")),
        task=replace(own.task, ref=report["data"]) if own and own.task and report["data"] else None,
        inputs=own.example if own and own.kind == KIND else None,
    )


def _pair(normalisation: dict[str, Any] | None) -> "Normalisation | None":
    return normalisation and (tuple(normalisation["mean"]), tuple(normalisation["std"]))
