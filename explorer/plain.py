"""Text that somebody else wrote, shown as it is written: nothing of it is obeyed.

Names of files, classes and layers, refs, links, reports and error messages are text. `plain` is for places that read
Markdown (pages, model cards), `visible` for all others (terminals, metadata, names of files).
"""

import re
import unicodedata

MOST = 2000  # characters of one text on a page or in a card
_STEERING = ("Cc", "Cf", "Cs")  # Unicode's categories of what is not seen but obeyed, or can't be written
_JOINERS = "\u200c\u200d"  # between letters of many scripts, and within emoji
_MARKS = re.compile(r"[\\`*_\[\]<>&~$|{}#]|:(?!\s)|^[-+](?![\d.])|^=")
_NUMBERED = re.compile(r"^(\d+)([.)])(?=\s|$)")
_FOUND = re.compile(
    r"(?:https?|ftp|www)(?=[.:]|$)|@(?=[-\w]+\.\w)"  # addresses
    r"|:(?=material/|[-+\w]+:)"  # icons and emoji
    r"|(?<!\S)[-<>~](?=(?:->|[->=])(?!\S))",  # arrows and the like
    re.IGNORECASE,
)
_NOTHING = "\u2060"  # a word joiner: no width, and no line break at it


def visible(text: object, keep: str = "") -> str:
    """The text with every character that is not seen spelled out, such as ``\\x1b`` or ``\\u202e``.

    What steers a terminal or turns the direction of writing is shown instead of obeyed, and what is no Unicode (of a
    file's name in another encoding) can be printed. White space, line breaks too, becomes a space each.

    Args:
        keep: characters that stay as they are, such as the line breaks of a table.
    """
    return "".join(character if character in keep else _visible(character) for character in str(text))


def _visible(character: str) -> str:
    if character.isprintable() or character in _JOINERS:
        return character
    if character.isspace():
        return " "
    steering = unicodedata.category(character) in _STEERING
    return character.encode("unicode_escape").decode("ascii") if steering else character


def plain(text: object) -> str:
    """Markdown that reads as the text is written, on one line: no link, image, formula, icon or tag comes of it.

    Marks get a backslash. Addresses (``www.…``, ``a@b.c``), emoji (``:name:``) and arrows (``->``) are looked for in
    what is left when backslashes have been read, so only a character without width in their midst keeps them as they
    are. Texts longer than `MOST` end in an ellipsis.
    """
    line = " ".join(visible(text).split())
    if len(line) > MOST:
        line = line[: MOST - 1] + "…"
    marked = _MARKS.sub(r"\\\g<0>", _FOUND.sub(rf"\g<0>{_NOTHING}", line))
    return _NUMBERED.sub(r"\1\\\2", marked)


def named(text: object) -> str:
    """A name in the midst of a sentence, so that it stands out."""
    line = " ".join(visible(text).split())
    return f"**{plain(line)}**" if line and line[0].isalnum() and line[-1].isalnum() else plain(line)


def code(text: object) -> str:
    """The same as a piece of code, where Markdown can say so: a text with marks of its own stays `plain`."""
    line = " ".join(visible(text).split())
    return plain(line) if not line or len(line) > MOST or re.search(r"[`|]|:material/", line) else f"`{line}`"
