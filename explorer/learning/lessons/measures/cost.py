"""What a cut leaves of the network's cost."""

from explorer.learning.lessons.measuring import About, Measured, measure


@measure("macs", title="MACs left", explanation="The share of the whole network's MACs that is left.", rank=50)
def macs(about: About) -> Measured:
    structure = about.bench.structure(about.model)
    now, whole = about.plan.cost(structure).macs, structure.cost().macs
    return about.measured(100 * now / max(whole, 1), "%", about=f"{now / 1e6:.1f} of {whole / 1e6:.1f} M MACs")


@measure(
    "params", title="Parameters left", explanation="The share of the whole network's parameters that is left.", rank=60
)
def params(about: About) -> Measured:
    structure = about.bench.structure(about.model)
    now, whole = about.plan.cost(structure).params, structure.cost().params
    return about.measured(100 * now / max(whole, 1), "%", about=f"{now:,} of {whole:,} parameters")
