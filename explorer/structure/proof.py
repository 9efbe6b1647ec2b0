"""Proves on the model itself that its groups can be cut, and finds the attributes that have to follow a cut.

A few units of every group are cut, and masked. The cut model must run, multiply to the unit what the polynomials say,
and return what the masked one returns, in every part of it that both have, but for the noise of float32, which is
measured on the model. Where that fails, groups are tried in the smallest module that encloses them, on what that module
was called with, so that a trial costs a part of a forward pass; what is counted and limited is work, not seconds.
"""

from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from itertools import combinations

import numpy as np
from torch import Tensor, nn

from explorer.errors import one_line
from explorer.structure.adapt import keeps_width
from explorer.structure.agreement import agree, drowns, noise_between
from explorer.structure.generic import awake, doubled
from explorer.structure.ledger import Ledger
from explorer.structure.parts import concerns, seen_from
from explorer.structure.passes import Call, Pass, calls_of, run
from explorer.structure.reordering import reordered
from explorer.structure.resolve import Resolution
from explorer.structure.running import Inputs, as_tuple, undisturbed
from explorer.structure.stored_widths import Read, candidates, likely, named_numbers, reading
from explorer.structure.surgery import cut_module, mask_module
from explorer.structure.trials import Removal, Signature, Trials, removals, signature
from explorer.structure.types import Cost, FittedShape, Group, StoredWidth, Structure, inside

MOST_FORWARDS = 45.0  # of the whole model, for finding out which groups can't be cut
MOST_CHOICES = 24  # of attributes, that are tried for one group
MISFITS = ("is invalid for input of size", "divisible by 2")  # how PyTorch says that a shape, or a stride, does not fit
WAYS = (0, 1)  # of choosing the units that leave


@dataclass
class _Place:
    """A module in which groups are tried on their own: the smallest one around them that is called once."""

    path: str
    call: Call
    share: float  # of a forward pass


class Proof:
    """Trials on one model, whose results are kept from one resolution to the next.

    Args:
        module: is left as it was.
        example: one input, of shape (1, …); a tuple for several inputs.
        attributes: patterns of paths of attributes that may repeat a width, beside those that are read.
    """

    def __init__(self, module: nn.Module, example: Inputs, ledger: Ledger, attributes: Sequence[str] = ()) -> None:
        self.ledger = ledger
        self.forwards = 0.0
        self._module = awake(module)
        self._call = Call(as_tuple(example))
        self._stored: dict[Signature, tuple[StoredWidth, ...]] = {}
        self._fitted: set[FittedShape] = set()  # shapes that do not fit a cut, and are made to
        self._reordered: set[Signature] = set()  # experts whose order means nothing
        self._good: set[Signature] = set()  # those that can be cut inside the module around them
        self._habits: dict[tuple, list[tuple]] = defaultdict(list)  # attributes that helped groups like this one
        self._places: dict[str, _Place] = {}
        self._counters: set[tuple[str, str]] = set()  # attributes that are known to count a group's units
        self._shapes = {name: tuple(tensor.shape) for name, tensor in module.state_dict().items()}
        with undisturbed(self._module):
            with reading(self._module) as self._reads:
                self._base = self._run(self._module, self._call, counting=True)
            self._noise = noise_between(self._base, self._run(self._module, self._call, noisy=True))
            if drowns(self._noise):
                self._compute_in_double()
            self._base.shown.clear()  # they may be large
            layers = dict(self._module.named_modules())
            self._reads += [read for read in named_numbers(self._module, attributes) if read not in self._reads]
            self._reads = [read for read in self._reads if not keeps_width(layers[read.module], read.attribute)]

    def _compute_in_double(self) -> None:
        """Go on in float64, where rounding would hide differences in float32; unless the model's code forbids it."""
        precise = Call(tuple(t.double() if t.is_floating_point() else t for t in self._call.args))
        module = doubled(self._module)
        base = self._run(module, precise, counting=True)
        if not base.error:
            self._module, self._call, self._base = module, precise, base
            self._noise = noise_between(base, self._run(module, precise, noisy=True))

    # What came out ---------------------------------------------------------------------------------------

    def counted(self) -> Cost:
        """What the whole model costs, by watching it."""
        return Cost(sum(p.numel() for p in self._module.parameters()), sum(self._base.macs.values()))

    def completed(self, structure: Structure) -> Structure:
        """The structure with the attributes that follow its groups."""
        return replace(structure, groups=self._completed(structure, structure.groups))

    def _completed(self, structure: Structure, names: Iterable[str]) -> dict[str, Group]:
        """Some groups with the attributes that follow them; what is as long as an axis follows all groups on it."""
        found = {name: self._stored.get(signature(group), ()) for name, group in structure.groups.items()}
        along: dict[tuple[str, int], list[StoredWidth]] = {
            (stored.tensor, stored.axis): [] for each in found.values() for stored in each if stored.tensor
        }
        for stored in (stored for each in found.values() for stored in each if stored.tensor):
            along[stored.tensor, stored.axis].append(stored)
        completed = {}
        for name in names:
            group = structure.groups[name]
            shared = [s for m in group.members for s in along.get((m.tensor, m.axis), ())]
            fitted = sorted(shape for shape in self._fitted if concerns(group, shape.module))
            follow = tuple(dict.fromkeys([*found[name], *shared]))
            completed[name] = replace(group, stored=follow, fitted=tuple(fitted))
        return completed

    def failures(self, resolution: Resolution, structure: Structure) -> dict[str, str]:
        """Groups that can't be cut, with the reason; empty when a cut of all of them together works.

        Not all need be found at once: what is left is to be resolved anew and tried again.
        """
        trials = Trials(resolution, structure, removals(structure))
        with undisturbed(self._module):
            whole = self._place("")
            names = list(trials.removals[0])
            self._guess(trials, names)
            if not names or not self._fails(trials, whole, names):
                return {}
            if failed := self._fail_inside(trials):
                return failed
            known = [name for name in names if self._enclosing(structure.groups[name])]
            failed = {}
            works: list[str] = []
            self._separate(trials, whole, known, works, failed)
            self._separate(trials, whole, [name for name in names if name not in known], works, failed)
            return failed

    # Where groups are tried ------------------------------------------------------------------------------

    def _fail_inside(self, trials: Trials) -> dict[str, str]:
        """Groups that can't be cut inside the smallest module around them."""
        by_path: dict[str, list[str]] = defaultdict(list)
        for name in trials.removals[0]:
            group = trials.structure.groups[name]
            if (path := self._enclosing(group)) and signature(group) not in self._good:
                by_path[path].append(name)
        missing = [path for path in by_path if path not in self._places]
        if missing and self._affordable():
            self.forwards += 1
            for path, call in calls_of(self._module, self._call, missing).items():
                share = self._base.operators[path] / max(self._base.operators[""], 1)
                self._places[path] = _Place(path, call, share)
        failed: dict[str, str] = {}
        for path in sorted(by_path, key=lambda path: (-path.count("."), list(by_path).index(path))):
            works: list[str] = []
            if path in self._places:
                self._separate(trials, self._places[path], by_path[path], works, failed)
            self._good |= {signature(trials.structure.groups[name]) for name in works}
        return failed

    def _enclosing(self, group: Group) -> str:
        """The path of the smallest module around all of a group that is called once; empty: the model itself."""
        parts = [member.tensor.split(".")[:-1] for member in group.members]
        parts += [norm.module.split(".") for norm in group.norms] + [c[0].split(".") for c in group.counters]
        parts += [each.axis.module.split(".") for each in group.given]
        common = []
        for level in zip(*parts, strict=False):
            if len(set(level)) > 1:
                break
            common.append(level[0])
        while common and (self._base.calls[".".join(common)] != 1 or ".".join(common) not in self._base.returning):
            common.pop()
        return ".".join(common)

    def _borrows(self, path: str) -> bool:
        """Whether a module uses parts that are named after other modules, which have them, too."""
        return bool(path) and self._base.macs_inside[path] != self._own_macs[path]

    @cached_property
    def _own_macs(self) -> Counter[str]:
        """The multiply-accumulates of every module's parts, by their names."""
        own: Counter[str] = Counter()
        for path, macs in self._base.macs.items():
            while path:
                own[path] += macs
                path = path.rpartition(".")[0]
        return own

    def _place(self, path: str) -> _Place:
        return self._places.setdefault(path, _Place(path, self._call, 1.0))

    def _affordable(self) -> bool:
        return self.forwards < MOST_FORWARDS

    # Trials ----------------------------------------------------------------------------------------------

    def _separate(
        self, trials: Trials, place: _Place, names: list[str], works: list[str], failed: dict[str, str]
    ) -> None:
        """Add those of the groups that can be cut to `works`, the others to `failed`."""
        if not names:
            return
        if not self._affordable():
            reason = f"checking that it can be cut took more than {MOST_FORWARDS:g} forward passes"
            failed.update(dict.fromkeys(names, reason))
        elif not (reason := self._fails(trials, place, [*works, *names])):
            works.extend(names)
        elif len(names) > 1:
            self._separate(trials, place, names[: len(names) // 2], works, failed)
            self._separate(trials, place, names[len(names) // 2 :], works, failed)
        elif self._find_stored(trials, place, works, names[0]):
            works.extend(names)
        else:
            failed[names[0]] = reason

    def _fails(self, trials: Trials, place: _Place, names: Sequence[str]) -> str:
        """Why these groups can't be cut together in a module; empty if they can."""
        fitted: set[FittedShape] = set()
        if reason := self._fails_reordered(trials, place, names):
            return reason
        for way in WAYS:
            stay = trials.staying(names) if way else ()
            removal = {name: trials.removals[way][name] for name in names if name not in stay}
            exact = {name: units for name, units in removal.items() if trials.structure.groups[name].exact}
            inexact = len(exact) < len(removal)
            if inexact and way == 0 and (reason := self._fails_once(trials, place, removal, fitted, compare=False)):
                return reason
            if exact and (reason := self._fails_once(trials, place, exact, fitted, compare=True)):
                return reason
        for shape in fitted:
            self._fitted.add(shape._replace(module=".".join(filter(None, (place.path, shape.module)))))
        return ""

    def _fails_reordered(self, trials: Trials, place: _Place, names: Sequence[str]) -> str:
        """Why these groups can't be cut, since experts among them are not what their router chooses; empty if they are.

        A mask runs their module on what stays, as a cut does, so that only this tells whether it is the right one.
        """
        groups = [group for name in names if (group := trials.structure.groups[name]).kind == "experts"]
        new = [group for group in groups if signature(group) not in self._reordered]
        if not new:
            return ""
        module = self._module.get_submodule(place.path)
        here = [seen_from(group, place.path) for group in new]
        base = self._run(module, place.call, share=place.share) if place.path else self._base
        other = self._run(reordered(module, here), place.call, share=place.share)
        noise = {"": self._noise.get(place.path, 0.0)}
        if other.error or not agree(replace(base, shown={}), other, noise, lambda path, output: output):
            return "in another order they compute something else, so they are not what is chosen by number"
        self._reordered |= {signature(group) for group in new}
        return ""

    def _fails_once(
        self, trials: Trials, place: _Place, removal: Removal, fitted: set[FittedShape], *, compare: bool
    ) -> str:
        module = self._module.get_submodule(place.path)
        part = self._part(trials.structure, removal, place.path)
        try:
            smaller, _ = cut_module(module, part, removal, shared=True)
        except Exception as error:  # what an attribute holds may not be what it seems
            return f"the cut fails: {one_line(error)}"
        masked = mask_module(module, part, removal) if compare else None
        known = any(not place.path or inside(shape.module, [place.path]) for shape in self._fitted)
        cut = self._run(smaller, place.call, share=place.share, counting=True, fit=known)
        reason = self._differs(trials, place, removal, cut, masked)
        if reason and not known and any(misfit in cut.error for misfit in MISFITS):
            cut = self._run(smaller, place.call, share=place.share, counting=True, fit=True)
            reason = self._differs(trials, place, removal, cut, masked) and reason
        if not reason:
            fitted |= cut.fitted
        return reason

    def _differs(self, trials: Trials, place: _Place, removal: Removal, cut: Pass, masked: nn.Module | None) -> str:
        """What is wrong with a cut model; empty: nothing."""
        if cut.error:
            return f"the cut model does not run: {cut.error}"
        kept = {name: trials.structure.groups[name].units - len(units) for name, units in removal.items()}
        if not self._borrows(place.path) and sum(cut.macs.values()) != trials.macs(place.path, kept):
            return "the cut model does not cost what its widths say"
        if masked is None:
            return ""
        if not self._agree(trials, place, removal, cut, masked):
            return "the cut model computes something else than the masked one"
        return ""

    def _run(
        self,
        module: nn.Module,
        call: Call,
        *,
        share: float = 1.0,
        counting: bool = False,
        noisy: bool = False,
        fit: bool = False,
    ) -> Pass:
        self.forwards += share
        return run(module, call, counting=counting, noisy=noisy, fit=fit)

    def _part(self, structure: Structure, names: Mapping[str, object], path: str) -> Structure:
        """Some groups, as they are seen from a module."""
        completed = self._completed(structure, names)
        groups = {name: seen_from(group, path) for name, group in completed.items()}
        return replace(structure, groups=groups, blocks={})

    # Agreement -------------------------------------------------------------------------------------------

    def _agree(self, trials: Trials, place: _Place, removal: Removal, cut: Pass, masked: nn.Module) -> bool:
        """Whether the masked module returns what the cut one returned, within the noise of the whole network.

        Where it does not, the noise is measured on the masked one, too, since less may be left to drown it.
        """
        quiet = self._run(masked, place.call, share=place.share)
        if quiet.error:
            return False
        self._drop_statistics(place, quiet, cut)
        gone = trials.resolution.leaving(removal)

        def kept(path: str, output: Tensor) -> Tensor:
            label = self.ledger.shown.get(".".join(filter(None, (place.path, path))))
            return output if label is None else trials.kept_of(label, output, gone)

        self._narrow_outputs(trials, place, gone, quiet, cut)
        prefix = f"{place.path}." if place.path else ""
        noise = {path[len(prefix) :]: noise for path, noise in self._noise.items() if path.startswith(prefix)}
        noise[""] = self._noise.get(place.path, 0.0)
        if agree(quiet, cut, noise, kept):
            return True
        noisy = self._run(masked, place.call, share=place.share, noisy=True)
        self._drop_statistics(place, noisy)
        return agree(quiet, cut, noise | noise_between(quiet, noisy), kept)

    def _drop_statistics(self, place: _Place, *passes: Pass) -> None:
        """Take statistics over channels, which nobody reads, from what parts returned."""
        for path, number in self.ledger.statistics:
            if place.path and not inside(path, [place.path]):
                continue
            own = path[len(place.path) :].lstrip(".")
            for seen in passes:
                for tensors in (seen.shown.get(own, []), seen.outputs if not own else []):
                    tensors[number : number + 1] = [tensor.new_zeros(()) for tensor in tensors[number : number + 1]]

    def _narrow_outputs(self, trials: Trials, place: _Place, gone: np.ndarray, masked: Pass, cut: Pass) -> None:
        """Take channels that leave from outputs that may lose some.

        These are a model's that may be narrowed, and those that a part returns although nobody outside reads them.
        """
        if place.path or not self.ledger.keep_outputs:
            first = [self.ledger.shown.get(place.path)]
            labels = [*(first if place.path else self.ledger.outputs), *[None] * len(masked.outputs)]
            masked.outputs = [
                whole if label is None else trials.kept_of(label, whole, gone)
                for whole, label in zip(masked.outputs, labels, strict=False)
            ]
        pairs = list(zip(masked.outputs, cut.outputs, strict=False))
        if place.path and len(masked.outputs) == len(cut.outputs):
            same = [(a, b) for a, b in pairs if a.shape == b.shape] or pairs
            masked.outputs, cut.outputs = [a for a, _ in same], [b for _, b in same]

    # Attributes ------------------------------------------------------------------------------------------

    def _guess(self, trials: Trials, names: Collection[str]) -> None:
        """Let attributes that may be a group's width follow it: of several groups, the one in the smallest module."""
        structure = trials.structure
        self._counters = {counter for group in structure.groups.values() for counter in group.counters}
        shown = trials.resolution.shown_by(self.ledger.shown)
        claims: dict[tuple, list[tuple[str, StoredWidth]]] = self._claimed_by_sections(trials.resolution, names)
        by_depth = sorted(names, key=lambda name: -self._enclosing(structure.groups[name]).count("."))
        for name in sorted(by_depth, key=lambda name: not self._enclosing(structure.groups[name])):
            group = structure.groups[name]
            found = candidates(group, self._read_around(group, shown.get(name, ())), self._shapes)
            for stored in _likely(group, found):
                claims.setdefault((stored.module, stored.attribute, stored.place), [(name, stored)])
        for name in names:
            own = tuple(stored for each in claims.values() for owner, stored in each if owner == name)
            self._stored.setdefault(signature(structure.groups[name]), own)

    def _claimed_by_sections(
        self, resolution: Resolution, names: Collection[str]
    ) -> dict[tuple, list[tuple[str, StoredWidth]]]:
        """The attributes by whose numbers channels are seen to be taken, with all groups that these belong to.

        Not those by which different channels of one number are taken, since these would all have to leave together.
        """
        taken: dict[tuple[str, int], dict[bytes, dict[str, int]]] = defaultdict(dict)
        for section in self.ledger.sections:
            met = {name: step for name, step in resolution.met_in(section.ids).items() if name in names}
            if met:
                taken[section.module, len(section.ids)][resolution.units.of[section.ids].tobytes()] = met
        claims = {}
        for read in self._read_inside(""):
            place = (read.module, read.attribute, read.place)
            sections = list(taken.get((read.module, read.value), {}).values())
            if len(sections) == 1 and likely(StoredWidth(*place)):
                claims[place] = [(name, StoredWidth(*place, step=step)) for name, step in sections[0].items()]
        return claims

    def _read_around(self, group: Group, shown: Iterable[str]) -> list[Read]:
        """What was read by the modules that have the group's tensors or return its channels, and around these."""
        whole = self._enclosing(group)
        around = {whole}
        for path in (*(member.tensor.rpartition(".")[0] for member in group.members), *shown):
            while path and path not in around:
                around.add(path)
                path = path.rpartition(".")[0]
        return [read for read in self._read_inside(whole) if read.module in around]

    def _read_inside(self, path: str) -> list[Read]:
        """What was read by a module and its parts, but for what is known to count units."""
        reads = [read for read in self._reads if not path or inside(read.module, [path])]
        return [read for read in reads if (read.module, read.attribute) not in self._counters]

    def _find_stored(self, trials: Trials, place: _Place, works: list[str], name: str) -> bool:
        """Whether the group can be cut when attributes follow, which are then remembered."""
        group = trials.structure.groups[name]
        habit = self._habit(place, group)
        for choice in self._choices(place, group):
            if not self._affordable():
                break
            self._stored[signature(group)] = choice
            if not self._fails(trials, place, [*works, name]):
                known = self._habits[habit]
                known.insert(0, tuple((stored.module.removeprefix(place.path), stored.attribute) for stored in choice))
                return True
        self._stored[signature(group)] = ()
        self._habits[habit].append(())
        return False

    def _habit(self, place: _Place, group: Group) -> tuple:
        """What groups of the same layers in another module of the same class share."""
        tensors = (member.tensor.removeprefix(place.path) for member in group.members)
        return type(self._module.get_submodule(place.path)), group.kind, tuple(sorted(set(tensors)))

    def _choices(self, place: _Place, group: Group) -> Iterator[tuple[StoredWidth, ...]]:
        """Sets of attributes that may have to follow: those that helped before, all that the code reads, then fewer."""
        found = candidates(group, self._read_inside(place.path), self._shapes)
        if self._stored.get(signature(group)):
            yield ()
        known = self._habits[self._habit(place, group)]
        for habit in dict.fromkeys(known):
            if habit:
                by_name = {(stored.module.removeprefix(place.path), stored.attribute): stored for stored in found}
                if all(key in by_name for key in habit):
                    yield tuple(by_name[key] for key in habit)
        if not found or known.count(()) > 1:  # it did not help others like this one
            return
        probable = _likely(group, found)
        sets = [probable, found, *([x for x in found if x is not left] for left in found if len(found) > 2)]
        sets += [[x] for x in found if len(found) > 1] + [
            list(pair) for pair in combinations(found, 2) if len(found) > 3
        ]
        yield from map(tuple, sets[: min(MOST_CHOICES, 2 + round(4 / place.share))])


def _likely(group: Group, found: Iterable[StoredWidth]) -> list[StoredWidth]:
    """Attributes that are likely to follow: entries of lists, which hold all kinds of numbers, only beside a layer."""
    beside = {member.tensor.rpartition(".")[0].rpartition(".")[0] for member in group.members}
    return [stored for stored in found if likely(stored) and (stored.place is None or stored.module in beside)]
