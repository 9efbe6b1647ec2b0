"""The two ways in which work ends early without being a defect of the program."""

import difflib
from collections.abc import Iterable
from typing import TypeGuard


class ExplorerError(Exception):
    """Bad input or an impossible request.

    The message is one line for a person: what happened, why, and what to do.
    The command line prints it and exits with 2; the pages show it as it is.
    """


class ResourceError(ExplorerError):
    """The machine ran out of memory or of room: nothing is wrong with the request, and finished steps are kept."""


class Cancelled(Exception):  # noqa: N818 - nothing went wrong
    """Raised inside long work, at the next report, when a person asked to stop."""


def unknown(kind: str, name: object, choices: Iterable[str], few: int = 12) -> ExplorerError:
    """The error for a name that isn't one of `choices`: it offers the nearest ones, else all when they are few."""
    choices = list(choices)
    close = difflib.get_close_matches(str(name), choices, n=3, cutoff=0.6)
    if close:
        advice = f"did you mean {' or '.join(close)}?"
    elif len(choices) <= few:
        advice = f"known are {', '.join(choices)}" if choices else "there is none"
    else:
        advice = f"there are {len(choices)}, such as {', '.join(choices[:5])}"
    return ExplorerError(f"unknown {kind} {str(name)!r}: {advice}")


def one_line(error: BaseException) -> str:
    """An exception's message, shortened to one line."""
    text = " ".join(str(error).split()) or type(error).__name__
    return text if len(text) <= 200 else text[:197] + "…"


def lacks_package(error: BaseException) -> TypeGuard[ImportError]:
    """Whether an error says that a package is absent or broken; a part of this program that is, is its own fault."""
    return isinstance(error, ImportError) and (error.name or "").partition(".")[0] != "explorer"


def missing_package(error: ImportError) -> str:
    """The line about a package that is absent, or there but not whole."""
    package = (error.name or "").partition(".")[0]
    if isinstance(error, ModuleNotFoundError) and package:
        return f"the package {package} is missing: install it with `pip install -r requirements.txt`"
    return f"{package or 'a package'} can't be imported ({one_line(error)}): install it again"
