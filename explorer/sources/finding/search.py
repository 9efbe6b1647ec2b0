"""Refs for what a person typed, the likeliest first."""

import re
from dataclasses import replace

from explorer.errors import ExplorerError
from explorer.sources.finding.candidate import DATA, MODEL, Candidate
from explorer.sources.finding.names import by_words, known_names
from explorer.sources.finding.paths import Permitted, at_path
from explorer.sources.registries import DATA_SOURCES, MODEL_SOURCES, places

MOST = 12
_HUB_ID = re.compile(r"[A-Za-z0-9][\w.-]*/[\w.-]+")


def search(typed: str, *, permitted: Permitted = str, kind: str | None = None, most: int = MOST) -> list[Candidate]:
    """What may be meant by a name, words of one, a path, an id of the Hugging Face hub, or a ref.

    Names are those of all models and data that need no path, and of all networks of timm; nothing is opened, and
    nothing heavy imported. Whether a path exists is only told where it may be named.

    Args:
        permitted: ref → anything; raises an `ExplorerError` where it may not be opened here, which becomes the
            candidate's problem.
        kind: `MODEL` or `DATA`: only these.
        most: as many at most.
    """
    typed = " ".join(typed.split())
    if not typed:
        return []
    found = _written(typed) or at_path(typed, permitted) or _on_the_hub(typed)
    found += by_words(typed, most, kind)
    wanted = {
        (each.kind, each.ref): each for each in reversed(found) if kind in (None, each.kind)
    }  # of twins the first
    return [_checked(each, permitted) for each in list(reversed(wanted.values()))[:most]]


def _written(typed: str) -> list[Candidate]:
    """What is a ref already, as a model and as data."""
    scheme, colon, rest = typed.partition(":")
    name, found = typed.partition("?")[0], []
    models, data = MODEL_SOURCES.declared(), DATA_SOURCES.declared()
    if rest and scheme in models and (models[scheme].place or _is_known(scheme, rest)):
        found.append(Candidate(typed, rest, models[scheme].title, MODEL))
    source = data.get(scheme if colon else name)
    if source is None or bool(source.takes) != bool(rest):
        return found
    if source.entries is None or name in dict(source.entries()):
        found.append(Candidate(typed, rest or source.title, source.title if rest else "comes along", DATA))
    return found


def _is_known(family: str, rest: str) -> bool:
    return rest.partition("?")[0].partition("@")[0] in known_names(family, MODEL)


def _on_the_hub(typed: str) -> list[Candidate]:
    """An id of the Hugging Face hub, which may be a model's or that of a data set."""
    if not _HUB_ID.fullmatch(typed):
        return []
    of = "of the Hugging Face hub, downloaded at first use"
    return [
        Candidate(f"hf:{typed}", typed, f"a model {of}", MODEL),
        Candidate(f"hf:{typed}", typed, f"a data set {of}", DATA),
    ]


def _checked(candidate: Candidate, permitted: Permitted) -> Candidate:
    """The candidate with what keeps it from being opened here, as far as that is known without opening it."""
    try:
        permitted(candidate.ref)
        missing = [place for place in places(candidate.ref) if place.path is not None and not place.path.exists()]
    except ExplorerError as error:
        return replace(candidate, problem=str(error))
    if missing:
        return replace(candidate, problem=f"there is no {missing[0].name!r} on this server: check the path")
    return candidate
