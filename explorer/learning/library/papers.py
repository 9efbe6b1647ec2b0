"""Papers, each told in a paragraph of our own in ``assets/papers.json``: searched, and found by how they are cited."""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cache, lru_cache
from pathlib import Path
from typing import Any

from pydantic import Field

from explorer.documents import Document, Positive, Text, checked
from explorer.errors import unknown
from explorer.places import ASSETS
from explorer.reading import read_json

FILE = ASSETS / "papers.json"
TAGS: Mapping[str, str] = {
    "criteria": "which parts matter",
    "budgets": "how much goes where",
    "recovery": "giving accuracy back",
    "methods": "whole ways from a network to a smaller one",
    "single-weights": "single weights set to zero",
    "blocks": "whole layers or blocks",
    "tokens": "fewer tokens in transformers",
    "low-rank": "weights as products of smaller ones",
    "before-training": "pruning at initialisation",
    "no-data": "without any data",
    "no-training": "without training afterwards",
    "latency": "milliseconds instead of operations",
    "questions": "what is true of common beliefs",
    "evaluation": "what accuracy does not say",
    "explaining": "why a network answers as it does",
    "foundations": "where ideas, networks and data come from",
}
"""What a paper is about."""
NEEDS: Mapping[str, str] = {
    "inputs": "samples, without their labels",
    "labels": "labels of samples",
    "gradients": "passes backwards",
    "training": "training, not only passes over a few samples",
}
"""What a paper's method has to be given besides the network."""
_ARXIV = re.compile(r"arxiv(?:\.org/abs/|:\s*)(\d{4}\.\d{4,5})", re.IGNORECASE)


@dataclass(frozen=True)
class Paper:
    """A paper.

    Args:
        id: first author's family name, year, first telling word of the title, such as ``li2017pruning``.
        title: as printed.
        authors: all of them, in their order; empty where they are not known.
        year: of the venue.
        venue: where it was published.
        link: to arXiv, a DOI or the venue; empty where there is none.
        summary: what it says, in our own words.
        needs: some of `NEEDS`, in that order.
        tags: some of `TAGS`.
        named: how references in the registries name it, besides its number at arXiv.
        published: the methods whose rows in the table of published results are of it.
        pages: names of pages that show something of it, besides what the registries have.
        models: refs of networks that are of it.
        lacks: what of it is not here, or differs here; empty where nothing is to be said.
    """

    id: str
    title: str
    authors: tuple[str, ...]
    year: int
    venue: str
    link: str
    summary: str
    needs: tuple[str, ...]
    tags: tuple[str, ...]
    named: tuple[str, ...]
    published: tuple[str, ...]
    pages: tuple[str, ...]
    models: tuple[str, ...]
    lacks: str

    @property
    def short(self) -> str:
        """How it is cited in a line: ``Li et al. 2017``."""
        if not self.authors:
            return f"{self.title.rpartition('(')[2].rstrip(')')} {self.year}"
        names = [name.removesuffix(" Jr").split()[-1] for name in self.authors]
        who = f"{names[0]} et al." if len(names) > 2 else " and ".join(names)
        return f"{who} {self.year}"

    @property
    def text(self) -> str:
        """All that is looked through for words."""
        return " ".join((self.id, self.title, *self.authors, self.venue, self.summary, *self.tags)).lower()

    def to_json(self) -> dict[str, Any]:
        facts = {name: getattr(self, name) for name in ("id", "title", "year", "venue", "link", "summary", "lacks")}
        lists = ("authors", "needs", "tags", "published", "pages", "models")
        return facts | {name: list(getattr(self, name)) for name in lists}


class _Paper(Document):
    id: Text
    title: Text
    year: Positive
    venue: Text
    summary: Text
    tags: list[Text]
    authors: list[Text] = Field(default_factory=list)
    link: Text = ""
    needs: list[Text] = Field(default_factory=list)
    named: list[Text] = Field(default_factory=list)
    published: list[Text] = Field(default_factory=list)
    pages: list[Text] = Field(default_factory=list)
    models: list[Text] = Field(default_factory=list)
    lacks: Text = ""


class _Papers(Document):
    papers: list[_Paper]


def papers() -> Mapping[str, Paper]:
    """All papers by their ids, the oldest first.

    Raises:
        DamagedError: the file is not what it should be.
    """
    return read(FILE)


@cache
def read(file: Path) -> Mapping[str, Paper]:
    """The papers of a file, by their ids.

    Raises:
        DamagedError: it holds something else.
    """
    document = checked({"papers": read_json(file)}, _Papers, file)
    found = [_paper(_Paper.model_validate(entry)) for entry in document["papers"]]
    return {paper.id: paper for paper in sorted(found, key=lambda paper: (paper.year, paper.id))}


def _paper(read: _Paper) -> Paper:
    told = {name: getattr(read, name) for name in Paper.__dataclass_fields__}
    return Paper(**{name: tuple(value) if isinstance(value, list) else value for name, value in told.items()})


def paper(id: str) -> Paper:
    """The paper of an id.

    Raises:
        ExplorerError: there is none; the nearest ids are offered.
    """
    found = papers()
    if id not in found:
        raise unknown("paper", id, found)
    return found[id]


@lru_cache(maxsize=1000)
def cited(reference: str) -> tuple[Paper, ...]:
    """The papers that a reference names, by their numbers at arXiv or as they call it; each once, oldest first."""
    numbers = set(_ARXIV.findall(reference))
    return tuple(
        paper
        for paper in papers().values()
        if numbers & set(_ARXIV.findall(paper.link)) or any(_named(name, reference) for name in paper.named)
    )


def _named(name: str, reference: str) -> bool:
    """Whether a reference has a name as words of its own: IDAP is not IDAP++."""
    return re.search(rf"(?<!\w){re.escape(name)}(?![\w+])", reference) is not None


def search(
    words: str = "",
    *,
    tags: Iterable[str] = (),
    needs: Iterable[str] | None = None,
    years: tuple[int, int] | None = None,
) -> list[Paper]:
    """The papers that have all of the words and all of the tags, within the years, oldest first.

    Args:
        needs: what is there at most; None: anything.
        years: the first and the last one.

    Raises:
        ExplorerError: a tag or a need is unknown.
    """
    wanted, allowed = list(tags), None if needs is None else set(needs)
    for kind, names, known in (("tag", wanted, TAGS), ("need", allowed or (), NEEDS)):
        for name in names:
            if name not in known:
                raise unknown(kind, name, known)
    first, last = years or (0, 9999)
    return [
        paper
        for paper in papers().values()
        if all(word in paper.text for word in words.lower().split())
        and set(wanted) <= set(paper.tags)
        and (allowed is None or set(paper.needs) <= allowed)
        and first <= paper.year <= last
    ]
