"""How names and numbers read on screen: stages, units, sentences."""

from collections.abc import Sequence
from itertools import takewhile
from math import ceil

from explorer.board.naming import noun as noun
from explorer.board.naming import stages as stages
from explorer.tasks import TASK_KINDS, Task


def count(value: float) -> str:
    """A count with three significant digits: ``272 k``, ``41.0 M``, ``17.6 G``."""
    for factor, prefix in ((1e12, "T"), (1e9, "G"), (1e6, "M"), (1e3, "k")):
        if abs(value) >= 0.9995 * factor:
            return f"{three(value / factor)} {prefix}"
    return f"{value:.0f}"


def three(value: float) -> str:
    """Three significant digits without an exponent, for values from 1 to 999."""
    digits = 2 if abs(value) < 9.995 else 1 if abs(value) < 99.95 else 0
    return f"{value:.{digits}f}"


def size(bytes_: float) -> str:
    """Bytes in decimal units: ``1.09 MB``."""
    return f"{count(bytes_)}B" if bytes_ >= 999.5 else f"{bytes_:.0f} B"


def duration(seconds: float) -> str:
    """A length of time as one would say it: ``40 s``, ``3 min``, ``1 h 20 min``."""
    if seconds < 55:
        return f"{max(5, 5 * round(seconds / 5))} s"
    minutes = round(seconds / 60)
    return f"{minutes} min" if minutes < 60 else f"{minutes // 60} h {minutes % 60} min"


def bound(seconds: float) -> str:
    """A length of time that nothing takes longer than: rounded up, to ten seconds, or to whole minutes."""
    if seconds <= 90:
        return f"{max(10, 10 * ceil(seconds / 10))} s"
    return f"{ceil(seconds / 60)} min"


def percent(fraction: float, digits: int = 1) -> str:
    return f"{fraction:.{digits}%}"


def samples(task: Task) -> str:
    """What a task's samples are called."""
    return TASK_KINDS[task.kind].samples


def input_help(input_shape: Sequence[int]) -> str:
    return "Channels × height × width of one image" if len(input_shape) == 3 else "Tokens of one text, padded"


def shape(input_shape: Sequence[int]) -> str:
    """An input's shape: ``3 × 224 × 224``, ``32 tokens``."""
    return " × ".join(map(str, input_shape)) + (" tokens" if len(input_shape) == 1 else "")


def change(before: float, after: float) -> str:
    """A relative change: ``−49.8%``."""
    if not before:
        return "–"
    relative = 100 * (after / before - 1)
    return "±0%" if abs(relative) < 0.05 else f"{'+' if relative > 0 else '−'}{abs(relative):.1f}%"


def shared_prefix(names: Sequence[str]) -> str:
    """The parts with which every name begins, and with which none ends: ``model.bert.`` of two layers of a BERT."""
    levels = zip(*(name.split(".")[:-1] for name in names), strict=False)
    return "".join(f"{parts[0]}." for parts in takewhile(lambda parts: len(set(parts)) == 1, levels))


def sentence(text: str) -> str:
    """`text` with a capital and a full stop."""
    text = text.strip()
    return text[:1].upper() + text[1:] + ("" if text.endswith((".", "?", "!")) else ".")


def middle(text: str, length: int = 30) -> str:
    """`text` shortened in its middle, where layer names differ least."""
    if len(text) <= length:
        return text
    head = (length - 1) // 2
    return f"{text[:head]}…{text[len(text) - (length - 1 - head) :]}"
