"""What is kept of a group follows from the shapes of its layers."""

import numpy as np

from explorer.budget.allocating import Case, Times, allocator, middles, needed


@allocator(
    "erk",
    title="Erdős–Rényi kernel",
    explanation="Wide layers lose more than narrow ones, by their shapes alone: what is kept of a group is "
    "proportional to the sum of its layers' dimensions over their product, at most all.",
    reference="Evci et al., ICML 2020",
    needs=("shapes",),
    rank=20,
)
def erk(case: Case) -> Times:
    """Density ``ε·Σ(c_out + c_in + k_h + k_w) / Σ c_out·c_in·k_h·k_w`` over the layers that make the group's channels.

    A group at density 1 is whole and ε grows for the others, so units leave in the order in which a falling ε
    reaches them.
    """
    shapes = needed(case.shapes, "shapes")
    times: Times = {}
    for name, scores in case.ranked.items():
        group = case.structure.groups[name]
        made = [shapes[member.tensor] for member in group.of_role("producer")]
        made = [shape for shape in made if len(shape) > 1] or [(group.size, 1)]
        density = sum(map(sum, made)) / sum(float(np.prod(shape)) for shape in made)
        times[name] = (middles(len(scores)) - 1) / density
    return times
