"""All units stand in one list."""

from explorer.budget.allocating import Case, Times, allocator


@allocator(
    "global",
    title="Global ranking",
    explanation="All units of all groups stand in one list and the lowest scored leave, wherever they are. The scores"
    " must be comparable between groups: that is the normaliser's work.",
    rank=15,
)
def ranking(case: Case) -> Times:
    return dict(case.ranked)
