"""The number of outputs that a network would need for the weights of a file."""

from collections.abc import Mapping

from explorer.sources.weights.fitting import Fit

Shapes = Mapping[str, tuple[int, ...]]


def opened(shapes: Shapes, wider: Shapes) -> dict[str, tuple[int | None, ...]]:
    """The shapes of a network with None where its number of outputs decides.

    Args:
        wider: those of the same network with one output more.
    """
    return {
        name: tuple(size if size == other else None for size, other in zip(shape, wider.get(name, shape), strict=True))
        for name, shape in shapes.items()
    }


def outputs_of(fit: Fit, shapes: Shapes, wider: Shapes, outputs: int) -> int | None:
    """How many outputs the weights are for; None where their sizes don't agree on a number.

    Sizes are taken to grow evenly: a detector's head has a channel for every class and anchor.

    Args:
        shapes, wider, outputs: of the network that has `outputs`, and of that with one more.
    """
    asked = set()
    for name, source in fit.sources.items():
        for size, other, found in zip(shapes[name], wider[name], source.shape, strict=False):
            if size != other and len(source.shape) == len(shapes[name]):
                more, rest = divmod(found - size, other - size)
                asked.add(None if rest else outputs + more)
    (number,) = asked if len(asked) == 1 else (None,)
    return number if number is not None and number > 0 else None
