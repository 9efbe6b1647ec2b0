"""What changes when the files behind a ref do."""

from explorer.errors import ExplorerError
from explorer.sources.own_code import code_places, stamp
from explorer.sources.registries import places


def stamp_of(ref: str) -> str:
    """Changes when a file behind a ref does, so that a cache never answers for an older one."""
    code = [place.file for place in code_places(ref)]
    paths = [place.path for place in places(ref) if place.path is not None and place.path not in code]
    try:
        told = [stamp(path) for path in code]
        parts = [part for path in paths for part in (sorted(path.iterdir()) if path.is_dir() else [path])]
        return " ".join([*told, *(f"{part.stat().st_mtime_ns}" for part in parts)])
    except (OSError, ExplorerError):
        return "missing"
