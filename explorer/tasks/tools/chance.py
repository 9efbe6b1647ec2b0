"""Whether a network knows more of its task than who always gives the same answer."""

from explorer.tasks.tools.census import census
from explorer.tasks.tools.headline import Headline
from explorer.tasks.tools.task import Task


def by_chance(found: Headline, task: Task) -> str | None:
    """The clause that a metric is no better than always answering the largest class; None where it is, or can't tell.

    It is no better where that answer's share of the test part is not below the metric's 95 % interval.

    Args:
        found: the metric on the task's test part.
        task: what it was measured on.
    """
    majority = census(task).majority()
    if majority is None or found.low is None or found.low > majority[1]:
        return None
    answer, share = majority
    return f"{found.text()} on test data is no better than always answering {answer}, {found.metric.text(share)}"
