"""Groups as they are seen from a module that has a part of them."""

from dataclasses import replace

from explorer.structure.types import Group, Structure, inside


def concerns(group: Group, path: str) -> bool:
    """Whether a module has tensors of the group."""
    return not path or any(inside(member.tensor, [path]) for member in group.members)


def part_of(structure: Structure, path: str) -> Structure:
    """The groups that a module has tensors of, as they are seen from it; residual blocks are left out."""
    groups = {name: seen_from(group, path) for name, group in structure.groups.items() if concerns(group, path)}
    return replace(structure, groups=groups, blocked=(), blocks={})


def seen_from(group: Group, path: str) -> Group:
    """What of a group lies in a module, named from it."""
    if not path:
        return group
    own = len(path) + 1
    return replace(
        group,
        members=tuple(replace(m, tensor=m.tensor[own:]) for m in group.members if inside(m.tensor, [path])),
        unsaved=tuple(replace(m, tensor=m.tensor[own:]) for m in group.unsaved if inside(m.tensor, [path])),
        norms=tuple(replace(n, module=n.module[own:]) for n in group.norms if inside(n.module, [path])),
        lookups=tuple(replace(lk, tensor=lk.tensor[own:]) for lk in group.lookups if inside(lk.tensor, [path])),
        counters=tuple((module[own:], name) for module, name in group.counters if inside(module, [path])),
        stored=tuple(
            replace(stored, module=stored.module[own:], tensor=stored.tensor[own:])
            for stored in group.stored
            if inside(stored.module, [path])
        ),
        fitted=tuple(
            shape._replace(module=shape.module[own:]) for shape in group.fitted if inside(shape.module, [path])
        ),
        given=tuple(
            replace(each, axis=each.axis._replace(module=each.axis.module[own:]))
            for each in group.given
            if inside(each.axis.module, [path])
        ),
        taps=(),
    )
