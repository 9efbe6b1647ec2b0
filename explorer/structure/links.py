"""Who reads whom: the layers that carry one group's channels into the making of another's."""

from collections import defaultdict
from dataclasses import dataclass

from explorer.structure.types import Structure


@dataclass(frozen=True)
class Link:
    """A layer that reads the channels of group `source` and makes channels of group `target`.

    `source` is None where the layer makes channels out of nothing that can be cut (the network's input), `target`
    where nothing that can be cut comes out of it (the network's output). A layer inside a residual block of one
    width reads and makes the same group.
    """

    source: str | None
    target: str | None
    layer: str


def links(structure: Structure) -> tuple[Link, ...]:
    """All links, one per layer and pair of groups, group after group.

    A depthwise convolution makes the channels that it reads, so it links nothing; nor does a normalisation.
    """
    readers: dict[str, dict[str, None]] = defaultdict(dict)
    makers: dict[str, dict[str, None]] = defaultdict(dict)
    roots: set[tuple[str | None, str]] = set()
    order: dict[str, None] = {}
    for name, group in structure.groups.items():
        made = group.of_role("producer")
        roots.update((name, _layer(member.tensor)) for member in made[:1])
        for kind, members in ((makers, made), (readers, group.of_role("consumer"))):
            for member in members:
                kind[_layer(member.tensor)][name] = None
                order[_layer(member.tensor)] = None
    result: list[Link] = []
    for layer in order:
        sources: list[str | None] = [*readers[layer]] or [None]
        targets: list[str | None] = [*makers[layer]] or [None]
        result += [
            Link(source, target, layer)
            for source in sources
            for target in targets
            # Only a group's first maker can read the input: a later one without a source is depthwise.
            if source is not None or (target, layer) in roots
        ]
    return tuple(result)


def _layer(tensor: str) -> str:
    return tensor.rpartition(".")[0] or tensor
