"""Python's source as a tree, one at a time."""

import ast
import threading

_ONE_AT_A_TIME = threading.Lock()


def tree_of(source: str) -> ast.Module:
    """The parsed source.

    CPython before 3.12 counts the depth of a tree for all threads together, so two that parse at once fail with
    ``SystemError: AST constructor recursion depth mismatch``, and sessions are threads.

    Raises:
        SyntaxError: it is not Python.
        ValueError: it holds null characters.
    """
    with _ONE_AT_A_TIME:
        return ast.parse(source)
