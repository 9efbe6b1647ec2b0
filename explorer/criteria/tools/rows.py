"""Units as points: the weights that they own, side by side, and the distances between them."""

import torch
from torch import Tensor

from explorer.criteria.tools.members import entries
from explorer.structure.types import Group, Member

UNEVEN = "its units own different numbers of a layer's weights, so that they have no distances"
_COLUMNS = 8192  # taken at once into float64


def distinct(members: list[Member]) -> list[Member]:
    """The members without those that name an axis of a tensor for the second time."""
    return list({(member.tensor, member.axis): member for member in reversed(members)}.values())[::-1]


def unit_rows(tensor: Tensor, member: Member, group: Group) -> Tensor | None:
    """All weights of a unit as one row, (units, weights of a unit); None where units own different numbers of them."""
    places = entries(member, group.units)
    if places is None:
        return None
    order = torch.from_numpy(places.ravel()).to(tensor.device)
    return tensor.detach().movedim(member.axis, 0)[order].reshape(group.units, -1)


def squared_distances(rows: Tensor) -> Tensor:
    """``‖r_i − r_j‖²`` between all rows, float64 of shape (rows, rows), from the Gram matrix of the centred rows."""
    gram = torch.zeros(len(rows), len(rows), dtype=torch.float64, device=rows.device)
    for columns in rows.split(_COLUMNS, dim=1):
        wide = columns.double()
        wide = wide - wide.mean(0)
        gram += wide @ wide.T
    lengths = gram.diagonal()
    distances = (lengths[:, None] + lengths - 2 * gram).clamp_(min=0)
    return distances.fill_diagonal_(0)
