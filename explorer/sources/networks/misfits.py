"""Why the weights in a file are not those of a network, and what to do, in a line."""

from collections.abc import Mapping, Sequence
from pathlib import Path

from explorer.errors import ExplorerError
from explorer.sources.networks.containers import Container
from explorer.sources.networks.fitting import Fit, Network, is_of_training
from explorer.sources.networks.state_dicts import check_state_dict, few, of_another_shape, problems, shown
from explorer.sources.networks.stored import Source, find_modules

_FLAT = "flat_param"  # FSDP's, with the numbers of many tensors
_SPREAD = (
    "; it has what one process keeps of a network that is spread over several: save the whole one (DeepSpeed:"
    " zero_to_fp32.py, FSDP: a full state dict)"
)


def misfit(
    container: Container,
    place: tuple[Path, str],
    found: Mapping[str, Source],
    fits: Sequence[Fit],
    network: Network,
    outputs: int,
) -> ExplorerError:
    """The error for a file without weights that fit.

    Args:
        place: the file's path, as it is and as a person wrote it.
        found: all tensors in it.
        fits: those that come nearest.
        outputs: how many the network has.
    """
    path, name = place
    nearest = fits[0] if fits and (fits[0].good or 2 * len(fits[0].sources) > len(network.shapes)) else None
    if nearest is None and (modules := find_modules(container.content)):
        return ExplorerError(
            f"{name!r} holds a whole network ({shown(modules[0])}), which only its own code can open, so it was not"
            " opened: in the program that wrote it, torch.save(model.state_dict(), PATH)"
        )
    if not found:
        try:
            check_state_dict(container.content, path)
        except ExplorerError as error:
            return error
    if nearest is None:
        return ExplorerError(
            f"the weights in {name} are those of another network: none of its {len(found)} tensors ({few(list(found))})"
            f" goes with the {len(network.shapes)} ({few(list(network.shapes))}) of the network behind the #"
            f"{_SPREAD if any(name.endswith(_FLAT) for name in found) else _without_order(container)}"
        )
    if odd := odd_among(nearest, name):
        return odd
    good = [n for n in network.required if n in nearest.sources and n not in nearest.misshapen]
    told = problems(
        missing=sorted(nearest.missing),
        unexpected=sorted(_beside(nearest, found, network)),
        misshapen=[of_another_shape(n, nearest.sources[n].shape, network.shapes[n]) for n in nearest.misshapen],
    )
    return ExplorerError(
        f"the weights in {name} don't fit the network, {len(good)} of its {len(network.required)} tensors do: {told}"
        f"{_advice(nearest, network, outputs) or _without_order(container)}"
    )


def odd_among(fit: Fit, file: str) -> ExplorerError | None:
    """The error for tensors that hold no plain numbers; None where there are none."""
    for source in fit.sources.values():
        if source.odd:
            return ExplorerError(
                f"the tensor {few(list(source.parts))} in {file!r} is {source.odd}: save model.state_dict() with dense"
                " tensors"
            )
    return None


def _beside(nearest: Fit, found: Mapping[str, Source], network: Network) -> list[str]:
    """Everything under the same prefix that the network has not, whether it keeps the rest from fitting or not."""
    names = [name for name in found if not nearest.prefix or name.startswith(f"{nearest.prefix}.")]
    used = nearest.parts
    return [name for name in names if not found[name].parts.keys() & used and not is_of_training(name, network.known)]


def _advice(nearest: Fit, network: Network, outputs: int) -> str:
    """What to do about it, where its form says that."""
    shapes = {name: nearest.sources[name].shape for name in nearest.misshapen}
    if any(0 in shape for shape in shapes.values()):
        return _SPREAD
    heads = {(network.shapes[name][:1], shape[:1]) for name, shape in shapes.items()}
    if not nearest.missing and not nearest.unexpected and len(heads) == 1:
        wanted, size = heads.pop()
        if wanted == (outputs,) and size:
            return f"; the file is for {size[0]} outputs: name a network with as many"
    if len(shapes) == 1 and not nearest.missing:
        return _of_first_layer(*shapes.values(), *(network.shapes[name] for name in shapes))
    return "" if nearest.good > len(network.required) / 2 else "; name the network that the weights come from behind #"


def _of_first_layer(shape: tuple[int, ...], wanted: tuple[int | None, ...]) -> str:
    """What to do about a convolution for pictures with other channels, or of another size."""
    if len(shape) != 4 or len(wanted) != 4 or shape[0] != wanted[0]:
        return ""
    if shape[1] != wanted[1]:
        return (
            f"; its pictures have {shape[1]} channels: say ?in={shape[1]} behind the network, where that has the option"
        )
    return "; its first layer is another one: say ?stem=cifar behind the network, where that has the option"


def _without_order(container: Container) -> str:
    if container.ordered:
        return ""
    return "; a safetensors file keeps no order by which other names could be matched: save with torch.save"
