"""The words of the pages, each in one sentence of ``assets/glossary.json``, from which all places take it."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from pydantic import Field

from explorer.documents import Document, Text, checked
from explorer.errors import unknown
from explorer.places import ASSETS
from explorer.reading import read_json

FILE = ASSETS / "glossary.json"


@dataclass(frozen=True)
class Term:
    """A word.

    Args:
        name: as the pages write it.
        meaning: one sentence.
        topic: under which it stands.
        also: other words for it, and other forms of it.
        see: names of terms that are near it.
        page: the name of the page on which it is met; empty: on several.
    """

    name: str
    meaning: str
    topic: str
    also: tuple[str, ...] = ()
    see: tuple[str, ...] = ()
    page: str = ""

    @property
    def synonyms(self) -> tuple[str, ...]:
        """Other words for it, without mere forms of its name such as a plural."""
        return tuple(word for word in self.also if not word.lower().startswith(self.name.lower()[:-1]))

    @property
    def text(self) -> str:
        """All that is looked through for words."""
        return " ".join((self.name, *self.also, self.meaning)).lower()

    def to_json(self) -> dict[str, Any]:
        lists = {"also": list(self.also), "see": list(self.see)}
        return {"name": self.name, "meaning": self.meaning, "topic": self.topic, "page": self.page, **lists}


class _Term(Document):
    name: Text
    meaning: Text
    topic: Text
    also: list[Text] = Field(default_factory=list)
    see: list[Text] = Field(default_factory=list)
    page: Text = ""


class _Terms(Document):
    terms: list[_Term]


@cache
def terms(file: Path = FILE) -> Mapping[str, Term]:
    """All terms by their names, in the order of a first reading.

    Raises:
        DamagedError: the file is not what it should be.
    """
    document = checked({"terms": read_json(file)}, _Terms, file)
    found = [_Term.model_validate(entry) for entry in document["terms"]]
    return {
        read.name: Term(read.name, read.meaning, read.topic, tuple(read.also), tuple(read.see), read.page)
        for read in found
    }


@cache
def _by_words() -> Mapping[str, Term]:
    return {word.lower(): term for term in terms().values() for word in (term.name, *term.also)}


def term(word: str) -> Term:
    """The term that a word means, whatever its case and form.

    Raises:
        ExplorerError: the glossary does not have it; the nearest words are offered.
    """
    known = _by_words()
    if word.lower() not in known:
        raise unknown("term", word, [name for each in terms().values() for name in (each.name, *each.also)])
    return known[word.lower()]


def meaning(word: str) -> str:
    """What a word means, in one sentence.

    Raises:
        ExplorerError: see `term`.
    """
    return term(word).meaning


def about(label: str) -> str:
    """What the label of a number or a column means; empty where the glossary does not have it."""
    known = _by_words().get(label.lower())
    return known.meaning if known else ""


def search(words: str) -> list[Term]:
    """The terms that have all of the words, in their order; those whose own name begins with them come first."""
    wanted = words.lower().split()
    found = [each for each in terms().values() if all(word in each.text for word in wanted)]
    return sorted(found, key=lambda each: not each.name.lower().startswith(words.strip().lower()))
