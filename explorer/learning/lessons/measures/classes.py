"""What single classes lose."""

import numpy as np

from explorer.evaluation import who_pays
from explorer.learning.lessons.measures.turned import answers_of
from explorer.learning.lessons.measuring import About, Measured, measure


@measure(
    "worst_class",
    title="The class that loses most",
    explanation="How many points of right answers the class that loses most loses; every class's change as parts.",
    rank=40,
)
def worst_class(about: About) -> Measured:
    before, after, labels = answers_of(about)
    names = about.bench.classes(about.model, about.data)
    found = who_pays(before, after, labels, len(names))
    change = 100 * found.change
    parts = tuple((name, float(points)) for name, points in zip(names, change, strict=True) if not np.isnan(points))
    if found.worst is None:
        return about.measured(0.0, "points", about="no class loses", parts=parts)
    return about.measured(-change[found.worst], "points", about=f"lost by {names[found.worst]}", parts=parts)
