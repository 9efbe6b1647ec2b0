"""A standard output that carries nothing but answers."""

import contextlib
import os
import sys
from collections.abc import Iterator
from typing import TextIO


@contextlib.contextmanager
def reserved_stdout() -> Iterator[TextIO]:
    """The real standard output, while everything that prints by itself goes to standard error.

    Libraries print from Python and from C; both are turned away, the second by descriptor.
    """
    with contextlib.ExitStack() as stack:
        try:
            sys.stdout.flush()
            number = sys.stdout.fileno()
        except (OSError, ValueError, AttributeError):  # captured by a test or a notebook: no descriptor
            answers = sys.stdout
        else:
            answers = stack.enter_context(os.fdopen(os.dup(number), "w", encoding="utf-8", errors="backslashreplace"))
            saved = os.dup(number)
            os.dup2(sys.stderr.fileno(), number)
            stack.callback(_restore, saved, number)
        stack.enter_context(contextlib.redirect_stdout(sys.stderr))
        yield answers


def _restore(saved: int, number: int) -> None:
    os.dup2(saved, number)
    os.close(saved)
