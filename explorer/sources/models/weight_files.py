"""`file:PATH#REF`: weights from a file, for the network of another ref."""

import re
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from explorer.errors import ExplorerError
from explorer.sources.refs import Place, check_text, path_and_ref
from explorer.sources.registries import MODEL_SOURCES, model_source

if TYPE_CHECKING:
    from explorer.sources.loaded import LoadedModel
    from explorer.sources.request import ModelRequest
    from explorer.sources.weights.containers import Container
    from explorer.sources.weights.fits import Fit
    from explorer.sources.weights.held import Held

_NAME = re.compile(r"[^?#/&]+")
_CHOSEN = re.compile(rf"\?weights=({_NAME.pattern})(?=#[^#]*$)")


@dataclass(frozen=True)
class WeightsPlace(Place):
    """What a ref of a file of weights names.

    Args:
        chosen: which of several weights in the file; empty: the plain ones.
    """

    chosen: str = ""


def weights_and_ref(ref: str) -> WeightsPlace:
    """``file:PATH?weights=NAME#REF``; the path goes up to the last ``#``, or to the choice directly before it.

    Any other ``?`` is the path's.

    Raises:
        ExplorerError: the ref can't be read, or the path can be none.
    """
    chosen = _CHOSEN.search(check_text(ref))
    place = path_and_ref(_CHOSEN.sub("", ref))
    return WeightsPlace(ref, place.name, place.path, place.rest, chosen[1] if chosen else "")


@model_source(
    "file",
    title="Weights in a file",
    explanation="A state dict as training programs write it, alone or within a checkpoint (safetensors or torch.save), "
    "for the network that stands after the #; ?weights=NAME before the # chooses one of several in it. Nothing in the "
    "file is run.",
    takes="PATH#REF",
    place=weights_and_ref,
    rank=50,
)
def open_file(place: WeightsPlace, request: "ModelRequest") -> "LoadedModel":
    from explorer.sources.weights.containers import open_container
    from explorer.sources.weights.taken import put_in, require_whole, told

    scheme = place.rest.partition(":")[0]
    if scheme not in MODEL_SOURCES or not MODEL_SOURCES[scheme].base:
        raise ExplorerError(
            f"{place.ref} does not say which network the weights belong to: write file:PATH#torchvision:NAME"
        )
    base, held = _with_its_head(place, request, open_container(place.file, place.name))
    require_whole(held, base.classes)
    fit = held.chosen(place.chosen)
    put_in(held, fit, base.module)
    choices = _choices(place, held, fit)
    others = [ref for _, ref in choices if ref != place.ref]
    clauses = told(held, fit) + ([f"the file has others, too: {', '.join(others)}"] if others else [])
    if base.normalisation is None and len(base.input_shape) == 3:
        clauses.append("how its pictures were normalised is not known, which ?normalise= or ?mean=…&std=… can say")
    return replace(
        base,
        ref=place.ref,
        trained=True,
        title=f"{base.title} with {Path(place.name).name}",
        note="; ".join([f"weights from {place.name}", *clauses]),
        choices=choices if others else (),
    )


def _with_its_head(
    place: WeightsPlace, request: "ModelRequest", container: "Container"
) -> tuple["LoadedModel", "Held"]:
    """The network, with as many outputs as the file has where its ref leaves that open, and what the file holds for it.

    Raises:
        ExplorerError: the network's ref can't be opened.
    """
    from explorer.sources.loading import load_model
    from explorer.sources.networks.state_dicts import shapes_of
    from explorer.sources.weights.heads import opened, outputs_of
    from explorer.sources.weights.held import hold

    base = load_model(place.rest, input_shape=request.shape, classes=request.classes)
    held = hold(container, base.module)
    option = MODEL_SOURCES[place.rest.partition(":")[0]].outputs
    if held.is_whole or base.trained or not option or f"{option}=" in place.rest:
        return base, held
    narrow = shapes_of(base.module)
    wide = shapes_of(load_model(place.rest, input_shape=request.shape, classes=base.classes + 1).module)
    some = hold(container, base.module, opened(narrow, wide))
    outputs = outputs_of(some.fits[0], narrow, wide, base.classes) if some.fits else None
    if outputs is None or outputs == base.classes:
        return base, held
    base = load_model(place.rest, input_shape=request.shape, classes=outputs)
    return base, hold(container, base.module)


def _choices(place: WeightsPlace, held: "Held", taken: "Fit") -> tuple[tuple[str, str], ...]:
    """All weights in the file that fit, each by what stands before its names, and its ref."""
    plain, *_ = held.fits
    found = []
    for fit in held.fits:
        option = "" if fit is plain else f"?weights={fit.prefix}"
        ref = place.ref if fit is taken else f"file:{place.name}{option}#{place.rest}"
        if fit in (taken, plain) or (_NAME.fullmatch(fit.prefix) and fit.prefix.isprintable()):  # else no ref can
            found.append((fit.prefix, ref))
    return tuple(found)
