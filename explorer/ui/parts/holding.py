"""Who may withhold a card of a lesson: a class whose teacher opens it for all at once."""

from collections.abc import Callable

from explorer.learning.lessons.lesson import Lesson
from explorer.ui.state.workspace import Workspace

HOLDS: list[Callable[[Workspace, Lesson, int], str]] = []
"""Each says in a sentence why a workspace may not see a card yet, by the place of the card; empty: it may."""


def held(workspace: Workspace, lesson: Lesson, card: int) -> str:
    """Why a card is withheld; empty where it is not."""
    return next(filter(None, (hold(workspace, lesson, card) for hold in HOLDS)), "")
