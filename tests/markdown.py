"""Markdown as a person reads it."""

import re


def as_read(markdown: str) -> str:
    """Markdown without the backslashes that keep its marks from being any."""
    return re.sub(r"\\([!-/:-@\[-`{-~])", r"\1", markdown).replace("\u2060", "")
