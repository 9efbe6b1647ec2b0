"""The weights in a file that belong to a network, wherever they lie in it and whatever stands before their names.

A file may hold them inside other things, under names with prefixes, twice (averaged ones beside them), and beside much
else. No list of programs is asked: those tensors are taken that have the network's names and shapes, all under one
prefix. Parts within a name that no name of the network has (``features.module.0.weight``) are passed over. Where names
differ, tensors are matched by their order and shape.
"""

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial

from explorer.sources.weights.fits import Fit, Network, is_average, is_of_training
from explorer.sources.weights.ordering import Shape, agrees, in_order, one_by_one
from explorer.sources.weights.stored import Source

_WRAPPED = 8  # parts that are passed over in a name, beyond three for each of its own
_MOST_PLACES = 32  # under which the weights are looked for, those with most of the network's names
_BESIDE = re.compile(r"(criteri|loss|metric|\w+_(acc|accuracy|f1|auroc)$)", re.IGNORECASE)


@dataclass
class _Table:
    """The tensors of a file by what stands before their names, without those that only training needs.

    Args:
        sources: by full name.
        known: parts of the network's names.
        pair: matches tensors whose names differ, as far as the file's order can be trusted.
        below: the names under each prefix, in the file's order.
    """

    sources: Mapping[str, Source]
    known: set[str]
    pair: Callable[[Mapping[str, Shape], Mapping[str, tuple[int, ...]]], dict[str, str]]
    below: dict[str, list[str]] = field(default_factory=lambda: {"": []})

    def __post_init__(self) -> None:
        for name in self.sources:
            if not is_of_training(name, self.known):
                place = name
                while place:
                    place = place.rpartition(".")[0]
                    self.below.setdefault(place, []).append(name)


def find_fits(sources: Mapping[str, Source], network: Network, is_ordered: bool) -> list[Fit]:
    """All weights in a file that fit a network whole, the plain ones first; else the one that comes nearest, if any.

    Averages of the parameters alone are completed by the buffers of the plain weights.

    Args:
        is_ordered: whether the file has its tensors in their network's order.
    """
    table = _Table(sources, network.known, in_order if is_ordered else one_by_one)
    fits = _named(table, network)
    for further in (partial(_named, inside=True), _by_order):
        if not any(fit.is_whole for fit in fits):
            fits += further(table, network)
    whole = _distinct(sorted((fit for fit in fits if fit.is_whole), key=_preference))
    if not whole:
        return sorted(fits, key=lambda fit: (-fit.good, len(fit.unexpected), *_preference(fit)))[:1]
    return whole + _averaged_parameters(fits, whole, table, network)


def _preference(fit: Fit) -> tuple[bool, bool, int]:
    return fit.is_averaged, bool(fit.ordered), fit.prefix.count(".") + bool(fit.prefix)


def _distinct(fits: list[Fit]) -> list[Fit]:
    """One of those that take the same tensors: with the longest prefix, which says most of where they lie."""
    best: dict[frozenset[str], Fit] = {}
    for fit in fits:
        if fit.parts not in best or len(fit.prefix) > len(best[fit.parts].prefix):
            best[fit.parts] = fit
    return list(best.values())


def _named(table: _Table, network: Network, inside: bool = False) -> list[Fit]:
    """What has the network's names, under each prefix; see `_by_name`."""
    found = sorted(_by_name(table, network, inside).items(), key=lambda item: -len(item[1]))[:_MOST_PLACES]
    return [_judged(place, matched, table, network, dict(found)) for place, matched in found]


def _by_name(table: _Table, network: Network, inside: bool) -> dict[str, dict[str, str]]:
    """Prefix → the network's names → names in the file that are the same behind it.

    Args:
        inside: whether parts that differ from tensor to tensor, ``backbone.`` and ``head.``, are passed over as well.
    """
    own = len(network.own_prefix)
    wanted = {name[own:]: name for name in network.shapes}
    known = network.known
    longest = 3 * max((name.count(".") + 1 for name in wanted), default=1) + _WRAPPED
    exact: dict[str, dict[str, str]] = {}
    passed: dict[str, dict[str, str]] = {}
    for name in table.below[""]:
        parts = name.split(".")
        for start in range(max(0, len(parts) - longest), len(parts)):
            if parts[start] not in known and not inside:
                continue
            place, tail = ".".join(parts[:start]), parts[start:]
            short = ".".join([*(part for part in tail[:-1] if part in known), tail[-1]])
            for found, asked in ((exact, ".".join(tail)), (passed, short)):
                if asked in wanted:
                    found.setdefault(place, {}).setdefault(wanted[asked], name)
                    break
    return {place: passed.get(place, {}) | exact.get(place, {}) for place in [*exact, *passed]}


def _judged(
    place: str, matched: Mapping[str, str], table: _Table, network: Network, named: Mapping[str, Mapping[str, str]]
) -> Fit:
    """What is matched by name, the rest of both sides by order and shape where that leaves nothing open."""
    missing = [name for name in network.required if name not in matched]
    used = set(matched.values())
    half = len(network.required) / 2
    others = {name for other, names in named.items() if other != place and len(names) > half for name in names.values()}
    rest = [
        name
        for name in table.below[place]
        if name not in used and name not in others and not _is_beside(name, place, table, network)
    ]
    shapes = {name: table.sources[name].shape for name in rest}
    ordered = table.pair({name: network.shapes[name] for name in missing}, shapes) if missing else {}
    return _fit(place, {**matched, **ordered}, ordered, set(rest), table, network)


def _fit(
    place: str, names: Mapping[str, str], ordered: Mapping[str, str], rest: set[str], table: _Table, network: Network
) -> Fit:
    taken = {name: table.sources[names[name]] for name in network.shapes if name in names}
    return Fit(
        place,
        taken,
        frozenset(ordered),
        tuple(name for name in network.required if name not in taken),
        tuple(name for name in table.below[place] if name in rest - set(names.values())),
        tuple(name for name, source in taken.items() if not agrees(source.shape, network.shapes[name])),
    )


def _is_beside(name: str, place: str, table: _Table, network: Network) -> bool:
    """Whether a tensor that the network lacks says nothing of its layers: a count, part of a loss, an average."""
    rest = name[len(place) + 1 :] if place else name
    first, dot, _ = rest.partition(".")
    if table.sources[name].counts or rest.startswith(network.beside) or _BESIDE.match(first):
        return True
    return bool(dot) and first not in table.known and is_average(first)


def _by_order(table: _Table, network: Network) -> list[Fit]:
    """Places under which tensors stand as the network's do, all of them under other names."""
    asked = {name: network.shapes[name] for name in network.required}
    found = []
    for place, below in table.below.items():
        if names := _sequence(below, len(asked), table):
            shapes = {name: table.sources[name].shape for name in names}
            if pairs := table.pair(asked, shapes):
                found.append(_fit(place, pairs, pairs, set(), table, network))
    return found


def _sequence(names: Sequence[str], count: int, table: _Table) -> list[str]:
    """The tensors that can be weights, if there are `count` of them: with or without single numbers among them."""
    real = [name for name in names if all(part.dtype.is_floating_point for part in table.sources[name].parts.values())]
    several = [name for name in real if not table.sources[name].counts]
    return next((some for some in (real, several) if len(some) == count), [])


def _averaged_parameters(fits: Sequence[Fit], whole: Sequence[Fit], table: _Table, network: Network) -> list[Fit]:
    """Averages that were kept of the parameters alone, by name or as a list, with the buffers of the plain weights."""
    plain, buffers = whole[0], network.buffers
    found = [fit for fit in fits if set(fit.missing) <= buffers and not fit.misshapen and not fit.is_whole]
    parameters = replace(network, shapes={n: s for n, s in network.shapes.items() if n not in buffers})
    taken = frozenset[str]().union(*(fit.parts for fit in (*whole, *found)))
    found += [fit for fit in _by_order(table, parameters) if not fit.parts & taken]
    completed = [
        replace(fit, sources={**plain.sources, **fit.sources}, missing=(), unexpected=())
        for fit in found
        if fit.is_averaged and set(parameters.required) <= fit.sources.keys()
    ]
    return _distinct(sorted(completed, key=_preference))
