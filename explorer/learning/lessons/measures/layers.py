"""Which layers lose a channel where one of a group leaves."""

from explorer.errors import ExplorerError
from explorer.learning.lessons.cuts import chosen
from explorer.learning.lessons.measuring import About, Measured, measure
from explorer.structure.types import Group


def makers_of(group: Group) -> list[str]:
    """The layers that make a group's channels, in the order of the network."""
    return list(dict.fromkeys(member.tensor.rpartition(".")[0] for member in group.of_role("producer")))


@measure(
    "layers",
    title="Layers that leave together",
    explanation="How many layers make the channels of a group, and so lose one where one leaves; their names as parts.",
    rank=80,
)
def layers(about: About) -> Measured:
    structure = about.bench.structure(about.model)
    if not about.measure.groups:
        raise ExplorerError(f'measure {about.measure.name!r} names no groups: say groups = ["conv1"]')
    names = chosen(structure, about.measure.groups)
    makers = [layer for name in names for layer in makers_of(structure.groups[name])]
    return about.measured(len(makers), "layers", parts=tuple((layer, 1.0) for layer in makers))


@measure(
    "channels",
    title="Channels that leave",
    explanation="How many channels of how many layers a cut takes away, each counted in the layer that makes it.",
    rank=90,
)
def channels(about: About) -> Measured:
    structure = about.bench.structure(about.model)
    found = [
        (layer, float(len(units) * structure.groups[name].unit))
        for name, units in about.plan.remove.items()
        for layer in makers_of(structure.groups[name])
    ]
    return about.measured(sum(count for _, count in found), "channels", parts=tuple(found))
