"""Why the weights in a file are not those of a network, and what to do, in a line."""

from explorer.errors import ExplorerError
from explorer.sources.networks.state_dicts import check_state_dict, few, of_another_shape, problems, shown
from explorer.sources.weights.fits import Fit, Network, is_of_training
from explorer.sources.weights.held import Held
from explorer.sources.weights.stored import find_modules

_FLAT = "flat_param"  # FSDP's, with the numbers of many tensors
_SPREAD = (
    "; it has what one process keeps of a network that is spread over several: save the whole one (DeepSpeed:"
    " zero_to_fp32.py, FSDP: a full state dict)"
)


def misfit(held: Held, outputs: int) -> ExplorerError:
    """The error for a file without weights that fit.

    Args:
        outputs: how many the network has.
    """
    network, file = held.network, held.container.file
    nearest = _nearest(held)
    if nearest is None:
        return _of_something_else(held)
    if odd := odd_among(nearest, file):
        return odd
    good = [name for name in network.required if name in nearest.sources and name not in nearest.misshapen]
    shapes = {name: nearest.sources[name].shape for name in nearest.misshapen}
    told = problems(
        missing=sorted(nearest.missing),
        unexpected=sorted(_beside(nearest, held)),
        misshapen=[of_another_shape(name, shape, network.shapes[name]) for name, shape in shapes.items()],
    )
    return ExplorerError(
        f"the weights in {file} don't fit the network, {len(good)} of its {len(network.required)} tensors do: {told}"
        f"{_advice(nearest, network, outputs) or _without_order(held)}"
    )


def _nearest(held: Held) -> Fit | None:
    """Weights of which one fits, or that have most of the network's names."""
    for fit in held.fits:
        if fit.good or 2 * len(fit.sources) > len(held.network.shapes):
            return fit
    return None


def _of_something_else(held: Held) -> ExplorerError:
    """The error for a file in which nothing is the network's."""
    file, found, wanted = held.container.file, list(held.found), list(held.network.shapes)
    if modules := find_modules(held.container.content):
        return ExplorerError(
            f"{file!r} holds a whole network ({shown(modules[0])}), which only its own code can open, so it was not"
            " opened: in the program that wrote it, torch.save(model.state_dict(), PATH)"
        )
    if not found:
        try:
            check_state_dict(held.container.content, held.container.path)
        except ExplorerError as error:
            return error
        return ExplorerError(f"{file!r} holds no state dict: the names in it are too long; save model.state_dict()")
    return ExplorerError(
        f"the weights in {file} are those of another network: none of its {len(found)} tensors ({few(found)}) goes with"
        f" the {len(wanted)} ({few(wanted)}) of the network behind the #"
        f"{_SPREAD if any(name.endswith(_FLAT) for name in found) else _without_order(held)}"
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


def _beside(nearest: Fit, held: Held) -> list[str]:
    """Everything under the same prefix that the network has not, whether it keeps the rest from fitting or not."""
    used, known = nearest.parts, held.network.known
    names = [name for name in held.found if not nearest.prefix or name.startswith(f"{nearest.prefix}.")]
    return [name for name in names if not held.found[name].parts.keys() & used and not is_of_training(name, known)]


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


def _without_order(held: Held) -> str:
    if held.container.ordered:
        return ""
    return "; a safetensors file keeps no order by which other names could be matched: save with torch.save"
