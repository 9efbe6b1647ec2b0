"""What a class is joined by: a code that is read from a board, and a nickname."""

import hashlib
import re
import secrets
import unicodedata

from explorer.errors import ExplorerError
from explorer.plain import visible

LETTERS = "BCDFGHJKMNPRSTVWXZ"
"""No vowels, so that no code is a word; none that is taken for another one on a board, as L, Q and Y are."""
LENGTH = 6
LONGEST = 24  # characters of a nickname
_NAMED = ("L", "N")  # Unicode's classes of letters and numbers, with which a nickname begins
_WITHIN = ("L", "M", "N")
_SIGNS = " -_.'"
_UNSEEN = frozenset(
    "\u034f\u115f\u1160\u17b4\u17b5\u180b\u180c\u180d\u180f\u3164\uffa0"
    + "".join(map(chr, (*range(0xFE00, 0xFE10), *range(0xE0100, 0xE01F0))))
)
"""Letters and marks that are drawn as nothing (Unicode's Default_Ignorable_Code_Point): two names could look alike."""
_KEY = re.compile(r"[A-Za-z0-9_-]{32}")


def new_code() -> str:
    """One of 34 million."""
    return "".join(secrets.choice(LETTERS) for _ in range(LENGTH))


def read_code(text: str) -> str:
    """A code as it was typed: blanks and dashes do not count, nor whether letters are small.

    Raises:
        ExplorerError: it can be none.
    """
    code = re.sub(r"[\s-]", "", text[:100]).upper()
    if len(code) != LENGTH or any(letter not in LETTERS for letter in code):
        raise ExplorerError(f"{visible(text[:20])!r} is no code: it has {LENGTH} letters, as they stand on the board")
    return code


def new_key() -> str:
    """What gives a teacher's right: 192 random bits, for a link that is told to nobody."""
    return secrets.token_urlsafe(24)


def is_key(text: str) -> bool:
    """Whether a text, which anybody may have put into a link, can be a key."""
    return _KEY.fullmatch(text) is not None


def digest(key: str) -> str:
    """What is kept of a key: who reads the server's file learns no right from it."""
    return hashlib.sha256(key.encode()).hexdigest()


def read_nickname(text: str) -> str:
    """A nickname as it will be shown.

    Raises:
        ExplorerError: it is empty, too long, or has characters that are neither letters nor numbers.
    """
    name = " ".join(unicodedata.normalize("NFC", text[:1000]).split())
    if not name:
        raise ExplorerError("a nickname is missing: type one")
    if len(name) > LONGEST:
        raise ExplorerError(f"the nickname has {len(name)} characters: {LONGEST} at most")
    wrong = {letter for letter in name if unicodedata.category(letter)[0] not in _WITHIN and letter not in _SIGNS}
    wrong |= _UNSEEN & set(name)
    if wrong or unicodedata.category(name[0])[0] not in _NAMED:
        raise ExplorerError("a nickname begins with a letter or number, and has letters, numbers, blanks and -_.' only")
    return name


def folded(nickname: str) -> str:
    """What tells two nicknames apart: neither small letters nor other ways to write a letter do."""
    return unicodedata.normalize("NFKC", nickname).casefold()
