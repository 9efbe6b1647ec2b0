"""Which paths a browser may name."""

import os
from collections.abc import Collection
from pathlib import Path

from explorer.errors import ExplorerError
from explorer.sources import places
from explorer.sources.own_code import LISTED, code_places, is_listed
from explorer.sources.refs import resolved


def is_local(address: str | None) -> bool:
    """Whether a server bound to `address` can only be reached from its own machine."""
    return address in ("localhost", "127.0.0.1", "::1")


def allowed_roots(address: str | None, environment: str | None) -> list[Path] | None:
    """The folders that refs may point into; None where any path may be named.

    Args:
        address: what the server listens on; None means all interfaces.
        environment: the value of EXPLORER_ROOTS: folders joined by the system's path separator.

    Raises:
        ExplorerError: one of them can be no path.
    """
    if environment:
        return [resolved(root, "EXPLORER_ROOTS") for root in environment.split(os.pathsep) if root.strip()]
    return None if is_local(address) else []


def check_ref(ref: str, roots: Collection[Path] | None) -> str:
    """`ref` itself, if a browser may use it.

    What it names is read by the very functions that give it to the loaders, with links followed; links that lie in a
    folder that it names may not lead out either.

    Files of code may be named where the server's owner listed them, and nowhere else: naming one is running it.

    Args:
        roots: the folders that refs may point into, resolved; None where any path may be named.

    Raises:
        ExplorerError: the ref can't be read, or names a path outside the roots, or code that is not listed.
    """
    code = code_places(ref)
    if hidden := next((place for place in code if not is_listed(place.file)), None):
        raise ExplorerError(
            f"{hidden.file.name} is code, which a browser may not start: open it by python -m explorer app "
            f"{hidden.file.name}:{hidden.rest}, or list it in {LISTED} when the server starts"
        )
    paths = [place.path for place in places(ref) if place.path is not None and place not in code]
    if roots is None:
        return ref
    scheme = ref.partition(":")[0]
    if not all(_is_inside(path, roots) for path in paths):
        raise ExplorerError(
            f"{scheme}: paths outside the server's open folders are not readable from a browser: "
            "put the file under a folder of EXPLORER_ROOTS, or upload it"
        )
    for link in filter(None, (_link_out(path, roots) for path in paths)):
        raise ExplorerError(
            f"{scheme}: {link.name!r} is a link out of the server's open folders, which is not followed for a browser: "
            "put what it leads to under a folder of EXPLORER_ROOTS, or remove it"
        )
    return ref


def _is_inside(path: Path, roots: Collection[Path]) -> bool:
    return any(map(path.is_relative_to, roots))


def _link_out(path: Path, roots: Collection[Path]) -> Path | None:
    """The first link below a folder that leads out of the roots."""
    waiting, seen = [path], {path}
    while waiting:
        try:
            entries = list(os.scandir(waiting.pop()))
        except OSError:  # a file, or nothing that could be read later
            continue
        for entry in entries:
            if not entry.is_symlink():
                found = Path(entry.path) if entry.is_dir() else None
            elif (found := _target(Path(entry.path))) is None or not _is_inside(found, roots):
                return Path(entry.path)
            if found is not None and found not in seen:
                seen.add(found)
                waiting.append(found)
    return None


def _target(link: Path) -> Path | None:
    """Where a link leads; None where that is nowhere."""
    try:
        return link.resolve()
    except (OSError, RuntimeError):  # in a circle
        return None
