"""Heads that can leave only together with the width that their module reads.

``batch, tokens, width = x.shape`` and later ``out.reshape(batch, tokens, width)``: such an attention writes as many
channels as it reads, so a head can leave only where as many channels of its input do. Operators don't show that; it is
tried where heads could not be cut on their own.
"""

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from explorer.structure.labels import Ids
from explorer.structure.ledger import Ledger
from explorer.structure.resolve import Resolution
from explorer.structure.types import Group, inside


@dataclass(frozen=True)
class EqualWidths:
    """Channels that a module reads, and those of its heads: one of these leaves with each of those."""

    module: str
    read: Ids
    heads: Ids


def equal_widths(ledger: Ledger, resolution: Resolution, names: Iterable[str]) -> list[EqualWidths]:
    """For groups of heads that can't be cut: the channels of the same number that their module reads."""
    groups = [resolution.groups[name] for name in names]
    found = [_read_beside(ledger, group) for group in groups if group.kind == "heads"]
    return [each for each in found if each is not None]


def _read_beside(ledger: Ledger, group: Group) -> EqualWidths | None:
    module = _around(group)
    own = [(member.tensor, member.axis) for member in group.of_role("consumer")]
    if not own:
        return None
    heads = ledger.axes[max(own, key=lambda key: len(ledger.axes[key]))]  # others may have an entry per head
    for key, read in ledger.axes.items():
        consumed = "consumer" in ledger.roles[key] and key not in own and inside(key[0], [module])
        if consumed and len(read) == len(heads) and (read >= 0).all() and not np.array_equal(read, heads):
            return EqualWidths(module, read, heads)
    return None


def _around(group: Group) -> str:
    """The module around all tensors of a group."""
    paths = [member.tensor.split(".")[:-1] for member in group.members]
    common = [parts[0] for parts in zip(*paths, strict=False) if len(set(parts)) == 1]
    return ".".join(common[: min(map(len, paths))])


def unite(ledger: Ledger, pairs: Iterable[EqualWidths]) -> None:
    """Let these leave together."""
    for pair in pairs:
        ledger.unite(pair.read, pair.heads, "equal widths", pair.module)
