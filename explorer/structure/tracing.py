"""What is known while a network runs: which channels activations have, which entries of parameters views show."""

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from functools import partial
from math import prod
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils._pytree import tree_leaves

from explorer.structure.labels import Ids, OfTensors, along, flat, ids_in, on_axis, restrict, varying
from explorer.structure.ledger import Blur, Ledger
from explorer.structure.views import Received, View, Views

POSITIONS = "they are positions, not channels, of what is computed"


class Tracing:
    """Labels of activations and views of parameters while a module runs, and the ledger that rules write into.

    Args:
        module: what runs.
        ledger: is written into.
        costs: whether contractions are written down, too.
    """

    def __init__(self, module: nn.Module, ledger: Ledger, *, costs: bool) -> None:
        self.module = module
        self.ledger = ledger
        self.costs = costs
        self.path: list[str] = [""]  # of the modules that are running, the innermost last
        saved = module.state_dict(keep_vars=True)
        buffers = dict(module.named_buffers(remove_duplicate=False))
        ledger.unsaved = buffers.keys() - saved.keys()
        computed = {name for name in ledger.unsaved if buffers[name].is_floating_point()}  # numbers choose for good
        self.names: dict[int, str] = {}
        for name, tensor in (*saved.items(), *((name, buffers[name]) for name in buffers if name in computed)):
            self.names.setdefault(id(tensor), name)  # of several names, the first one
        tensors = {**buffers, **saved}
        self.views = Views((name, tensors[name], name in computed) for name in self.names.values())
        self.labels: OfTensors[Tensor] = OfTensors()
        self.noise: OfTensors[bool] = OfTensors()  # tensors that are drawn anew for every width
        self.given: OfTensors[tuple[Received, ...]] = OfTensors()  # what modules get that has no channels of its own
        for name in computed:
            self.given[buffers[name]] = (Received("", None, View.whole(name, buffers[name])),)
        self.unwritten: OfTensors[range] = OfTensors()  # channels that stand for what nothing was written into yet
        self.mixed: OfTensors[Tensor] = OfTensors()  # of positions that a weight makes, along axes without channels
        self.chosen: OfTensors[Ids] = OfTensors()  # tensors of numbers: of which channels
        self._unread: OfTensors[Callable[[], None]] = OfTensors()  # statistics over channels: what reading them means

    @property
    def here(self) -> str:
        """The innermost module that is running, for a person."""
        return self.path[-1] or "the model"

    def label(self, tensor: Any, like: Tensor | None = None) -> Tensor | None:
        """Channels of a tensor's entries; None where none are known.

        A parameter that is used as an activation (positions, class token, layer scale, a gate) produces channels along
        its last axis, or, where it meets the label `like`, along the last that runs where that one varies: it has none
        if all channels meet the same entries. A buffer that is not saved has some only where it meets a label.
        """
        if not isinstance(tensor, Tensor):
            return None
        if tensor in self.labels:
            return self.labels[tensor]
        view = self.views.get(tensor)
        if view is None or (like is None and view.name in self.ledger.unsaved):
            return None
        return self._label_of(view, like)

    def _label_of(self, view: View, like: Tensor | None) -> Tensor | None:
        """See `label`; what it is computed from besides has the same channels."""
        axis = view.met_by(like)
        if axis is None:
            return None
        ids = self.ledger.produce(view.name, axis, view.shape[axis], role="affine")
        index = view.indices[axis]
        label = torch.from_numpy(ids)[restrict(index, varying(index))].expand(index.shape)
        for part in view.beside:
            if (other := self._label_of(part, label)) is not None:
                self.unite(label, other, "")
        return label

    def read_along(self, tensor: Tensor, axis: int) -> Tensor | None:
        """The label of a tensor that is read along an axis; zeros (a first state) may be those of any channels."""
        label = self.label(tensor)
        if label is None and tensor.shape[axis] > 1 and not tensor.any():
            return on_axis(self.ledger.blank(tensor.shape[axis]), axis % tensor.dim(), tensor.shape)
        return label

    def assign(self, tensor: Any, label: Tensor | None) -> None:
        """The tensor has these channels."""
        if isinstance(tensor, Tensor) and label is not None:
            self.labels[tensor] = label
            self.views.pop(tensor, None)

    def forget(self, tensor: Any) -> None:
        """Nothing is known of the channels of this tensor."""
        if isinstance(tensor, Tensor):
            self.labels.pop(tensor, None)

    def freeze(self, label: Tensor | None, reason: str) -> None:
        """The channels can't leave, for what happens in the module that is running."""
        if label is not None:
            self.ledger.freeze(ids_in(label), f"{reason} in {self.here}")

    def fix(self, label: Tensor, axes: Collection[int], reason: str) -> Ids:
        """Places along these axes can't leave; what the label varies along besides (heads) may, as a whole.

        Returns:
            The channels of shape (rows, places).
        """
        varied = varying(label)
        rows = [d for d in varied if d not in axes]
        places = [d for d in varied if d in axes]
        grid = restrict(label, varied).permute([*rows, *(d for d in range(label.dim()) if d not in varied), *places])
        ids = grid.reshape(prod(label.shape[d] for d in rows), -1).numpy()
        self.ledger.fix(ids, f"{reason} in {self.here}")
        return ids

    def freeze_all(self, values: Iterable[Any], reason: str) -> None:
        """See `freeze`: all channels of tensors among the values, however nested."""
        for tensor in tree_leaves(values):
            self.freeze(self.label(tensor), reason)
            self.freeze(self.mixed.get(tensor), reason)

    def unite(self, a: Tensor, b: Tensor, what: str) -> None:
        """Two labels of one shape leave together, entry by entry."""
        axes = {*varying(a), *varying(b)}
        self.ledger.unite(flat(a, axes), flat(b, axes), what=what, module=self.here)

    def unite_rows(self, rows: Ids, what: str) -> None:
        """The same places of all rows leave together."""
        for row in rows[1:]:
            self.ledger.unite(rows[0], row, what, self.here)

    def unmix(self, label: Tensor, mixed: set[int], reason: str) -> Tensor | None:
        """A label without the axes whose entries an operator mixes: those of one channel are tied.

        None, and all frozen, where the channels lie along these axes only.
        """
        axes = set(varying(label))
        if not axes & mixed:
            return label
        if axes <= mixed:
            self.freeze(label, reason)
            return None
        channels, spread = restrict(label, axes - mixed), restrict(label, axes)
        self.unite(channels.expand(spread.shape), spread, "spread over positions")
        return channels.expand(label.shape)

    def attach_beside(self, view: View, channels: Mapping[int, Ids]) -> None:
        """What a view is computed from besides belongs to the channels along its axes, too."""
        for part in view.beside:
            for dim, ids in channels.items():
                axis = part.axis_along(dim)
                if axis is not None and (size := part.shape[axis.number]) > 1:
                    self.ledger.record(part.name, axis.number, axis.index, ids, size=size, role="affine")

    def bundle(self, label: Tensor, rows: Collection[int], reason: str) -> Tensor:
        """The label of rows (heads): all channels of a row leave together, since an operator mixes them."""
        row, spread = restrict(label, rows), restrict(label, varying(label))
        if places := {*varying(label)} - set(rows):
            self.unite(row.expand(spread.shape), spread, "attention head")
            self.ledger.heads.append(self.fix(label, places, reason))
        return row.expand(label.shape)

    def blur_if_read(self, statistics: Iterable[Tensor], blur: Blur) -> None:
        """See `Ledger.blur`: attention averages its weights over heads even if nobody asks for them."""
        for tensor in statistics:
            self._unread[tensor] = partial(self.ledger.blur, blur.ids, blur.reason, blur.path)

    def choose(self, numbers: Tensor, ids: Ids, least: int, reason: str) -> None:
        """See `Ledger.choose`: these are the numbers."""
        self.chosen[numbers] = ids
        self.ledger.choose(ids, least, reason)

    def freeze_if_read(self, numbers: Iterable[Tensor], ids: Ids, reason: str) -> None:
        """See `Ledger.freeze` and `choose_if_read`."""
        for tensor in numbers:
            self._unread[tensor] = partial(self.ledger.freeze, ids, reason)

    def choose_if_read(self, numbers: Iterable[Tensor], ids: Ids, reason: str) -> None:
        """See `choose`: a maximum over channels comes with the number of the channel, even if nobody asks."""
        for tensor in numbers:
            self.chosen[tensor] = ids
            self._unread[tensor] = partial(self.ledger.choose, ids, 1, reason)

    def note_statistics(self, module: str, outputs: Sequence[Tensor]) -> None:
        """Outputs of a module that are statistics over channels differ after a cut, which matters if they are read."""
        if module:
            self.ledger.statistics.update((module, place) for place, x in enumerate(outputs) if x in self._unread)

    def read(self, tensors: Iterable[Tensor]) -> None:
        """An operator gets these, or the model returns them."""
        for tensor in tensors:
            if (happen := self._unread.pop(tensor, None)) is not None:
                happen()

    def attach(self, vector: Any, ids: Ids) -> None:
        """A vector with an entry per channel (bias, scale, statistics) belongs to these channels."""
        if not isinstance(vector, Tensor):
            return
        view = self.views.get(vector)
        axis = None if view is None else view.axis_along(0)
        if axis is not None:
            self.attach_beside(view, {0: ids})
            size = view.shape[axis.number]
            self.ledger.record(view.name, axis.number, axis.index, ids, size=size, role="affine")
        elif (label := self.label(vector)) is not None:
            self.ledger.unite(along(label, 0), ids)
        elif (vector != vector[:1]).any():
            self.ledger.freeze(ids, f"a computed vector is added per channel in {self.here}")
