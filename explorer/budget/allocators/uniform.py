"""Every group loses the same fraction of its units."""

from explorer.budget.allocating import Case, Times, allocator, middles


@allocator(
    "uniform",
    title="Same ratio everywhere",
    explanation="Every group loses the same fraction of its units, the lowest scored first. Only the order within a "
    "group matters, so the normaliser hardly does.",
    rank=10,
)
def uniform(case: Case) -> Times:
    """A group of n units loses its k-th one when the common ratio, rounded to whole units, reaches it: (k − ½)/n."""
    return {name: middles(len(scores)) for name, scores in case.ranked.items()}
