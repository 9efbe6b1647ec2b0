"""Names of networks and data, found by a few words."""

import difflib
import re
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache

from explorer.sources.finding.candidate import DATA, MODEL, Candidate
from explorer.sources.listing import list_models, list_tasks
from explorer.sources.networks.timm_table import timm_table
from explorer.sources.networks.torchvision_table import UNTRAINED

_ATOMS = re.compile(r"[a-z]+|[0-9]+")
_SHORT = {"base": "b", "large": "l", "huge": "h", "small": "s", "tiny": "t", "giant": "g"}  # sizes, in names
_FAMILIES = ("demo", "", "torchvision")  # of equally good names, the one with less to fetch stands first
_TIMM = "timm:"  # of whose networks the list of models has a few
_EXACT, _WORDS, _WITHIN = range(3)  # how well a name is met


@dataclass(frozen=True)
class _Name:
    """A candidate, and what it is found by.

    Args:
        family: what stands before the colon.
        name: what stands behind it, without weights.
        weights: which of the published ones.
        published: how many sets of weights the network has; what is used most has most.
    """

    candidate: Candidate
    family: str
    name: str
    weights: str = ""
    published: int = 0

    @property
    def order(self) -> tuple[int, int, int, str, bool]:
        """Of names that are met equally well: what is used most and short names first, each before its weights."""
        family = _FAMILIES.index(self.family) if self.family in _FAMILIES else len(_FAMILIES)
        return family, -self.published, len(self.name), self.name, bool(self.weights)


def names(kind: str | None = None) -> list[_Name]:
    """Everything that has a name: models and data that need no path, and all networks of timm."""
    found = [*_models(), *_timm()] if kind != DATA else []
    return found + ([*_data()] if kind != MODEL else [])


def known_names(family: str, kind: str) -> set[str]:
    """The names of one family, without their weights."""
    return {each.name for each in names(kind) if each.family == family}


def by_words(typed: str, most: int, kind: str | None = None) -> list[Candidate]:
    """What a few words name, the likeliest first: a name, its words or their beginnings in any order, a part of it.

    Where none is met, the most similar ones.
    """
    if not (wanted := _flat(typed)):
        return []
    everything = names(kind)
    met = [(how, each) for each in everything if (how := _met(typed, wanted, each)) is not None]
    met.sort(key=lambda pair: (pair[0], pair[1].order))
    if not met:
        near = difflib.get_close_matches(
            _flat(typed.rpartition(":")[2]), {_flat(each.name) for each in everything}, n=3, cutoff=0.75
        )
        met = [(place, each) for place, flat in enumerate(near) for each in everything if _flat(each.name) == flat]
    return [each.candidate for _, each in met[:most]]


def _met(typed: str, wanted: str, name: _Name) -> int | None:
    """How well words meet a name; None where they don't."""
    flat = _flat(name.name)
    if wanted == flat or typed == name.candidate.ref:
        return _EXACT
    atoms = (*_atoms(name.name), *_atoms(name.weights), *_atoms(name.family), *_atoms(name.candidate.title))
    if flat.startswith(wanted) or all(_is_among(word, atoms) for word in _atoms(typed)):
        return _WORDS
    return _WITHIN if wanted in flat or wanted in _flat(name.candidate.title) else None


def _is_among(word: str, atoms: Sequence[str]) -> bool:
    """Whether a word begins one of a name's, or is its size; numbers must be the same."""
    if word.isdigit() or len(word) == 1 or _SHORT.get(word) in atoms:
        return word in atoms or _SHORT.get(word) in atoms
    return any(atom.startswith(word) for atom in atoms)


@lru_cache(maxsize=2**14)
def _atoms(text: str) -> tuple[str, ...]:
    """Its words and numbers, in small letters."""
    return tuple(_ATOMS.findall(text.lower()))


def _flat(text: str) -> str:
    return "".join(_atoms(text))


def _models() -> Iterator[_Name]:
    entries = [entry for entry in list_models() if not entry.ref.startswith(_TIMM)]
    published = Counter(entry.ref.partition("@")[0] for entry in entries if "@" in entry.ref)
    for entry in entries:
        bare, _, weights = entry.ref.partition("@")
        family, _, name = bare.partition(":")
        yield _Name(Candidate(entry.ref, entry.title, entry.note, MODEL), family, name, weights, published[bare])


def _timm() -> Iterator[_Name]:
    """Each untrained, and with its first weights."""
    for name, tags in timm_table().items():
        ref = f"{_TIMM}{name}"
        yield _Name(Candidate(ref, f"timm {name}", UNTRAINED, MODEL), "timm", name, "", len(tags))
        for tag in tags[:1]:
            why = f"weights {tag} of timm, downloaded at first use"
            yield _Name(Candidate(f"{ref}@{tag}", f"timm {name}, {tag}", why, MODEL), "timm", name, tag, len(tags))


def _data() -> Iterator[_Name]:
    for ref, title in list_tasks():
        family, colon, name = ref.rpartition(":")
        why = "downloaded at first use" if colon else "comes along"
        yield _Name(Candidate(ref, title, why, DATA), family, name)
