"""Channels that can leave only together with the width that their module reads.

``batch, tokens, width = x.shape`` and later ``out.reshape(batch, tokens, width)``: such an attention writes as many
channels as it reads, so a head can leave only where as many channels of its input do. Operators don't show that; it is
tried where channels could not be cut on their own.
"""

from collections import defaultdict
from collections.abc import Collection, Iterable
from dataclasses import dataclass

from explorer.structure.labels import Ids
from explorer.structure.ledger import Ledger
from explorer.structure.resolve import Resolution
from explorer.structure.types import inside


@dataclass(frozen=True)
class EqualWidths:
    """Channels that a module reads, and others in it: one of these leaves with each of those."""

    module: str
    read: tuple[Ids, ...]
    inner: Ids


def equal_widths(ledger: Ledger, resolution: Resolution, names: Iterable[str]) -> list[EqualWidths]:
    """For groups that can't be cut: the channels of the same number that the module around them reads."""
    found = []
    for group in (resolution.groups[name] for name in names):
        role = "consumer" if group.of_role("consumer") else "producer"  # nothing reads queries and keys
        own = [(member.tensor, member.axis) for member in group.of_role(role)]
        widest = max((len(ledger.axes[key]) for key in own), default=0)  # others may have an entry per head
        found += [_read_beside(ledger, key, own) for key in own if len(ledger.axes[key]) == widest]
    return [each for each in found if each is not None]


def equal_sections(ledger: Ledger, resolution: Resolution, names: Collection[str]) -> list[EqualWidths]:
    """For groups that can't be cut: channels that a module takes by the same number, as when it loops over heads."""
    alike: dict[tuple[str, int], dict[bytes, Ids]] = defaultdict(dict)
    concerned: set[tuple[str, int]] = set()
    for section in ledger.sections:
        if met := resolution.met_in(section.ids):
            key = section.module, len(section.ids)
            alike[key].setdefault(resolution.units.of[section.ids].tobytes(), section.ids)
            concerned |= {key} if met.keys() & set(names) else set()
    found = []
    for module, size in (key for key in alike if key in concerned):
        first, *others = alike[module, size].values()
        if others:
            found.append(EqualWidths(module, tuple(others), first))
    return found


def _read_beside(ledger: Ledger, own: tuple[str, int], group: Collection[tuple[str, int]]) -> EqualWidths | None:
    """What the module around a layer of a group reads, if that is as wide."""
    module = own[0].rpartition(".")[0].rpartition(".")[0]
    channels = ledger.axes[own]
    read = {
        each.tobytes(): each
        for key, each in ledger.axes.items()
        if "consumer" in ledger.roles[key] and key not in group and inside(key[0], [module])
        if module and len(each) == len(channels) and (each >= 0).all()
    }
    return EqualWidths(module, tuple(read.values()), channels) if read else None


def unite(ledger: Ledger, pairs: Iterable[EqualWidths]) -> None:
    """Let these leave together."""
    for pair in pairs:
        for read in pair.read:
            ledger.unite(read, pair.inner, "equal widths", pair.module)
