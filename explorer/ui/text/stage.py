"""One stage of the comparison as the strip shows it."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Stage:
    """One stage of the comparison as the strip shows it.

    Args:
        name: of the stage, which its button is told by.
        label: what the network is called there.
        more: the rest of it, where there is room.
        value: what it reaches, as text; empty where that is not known.
        note: its interval, or why there is no value.
        about: how it was found, on hover.
        tone: "lost" or "recovered", where the number is either.
        fraction: how far the measurement is; None where none is under way.
        action: the words of a button that starts what is not done by itself.
    """

    name: str
    label: str
    more: str = ""
    value: str = ""
    note: str = ""
    about: str = ""
    tone: str = ""
    fraction: float | None = None
    action: str = ""
