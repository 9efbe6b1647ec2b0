"""Which paths a browser may name, and where its uploads go."""

import os
import secrets
from collections.abc import Collection
from pathlib import Path

from explorer.errors import ExplorerError
from explorer.sources import DATA_SOURCES, MODEL_SOURCES

UPLOAD_SUFFIXES = (".safetensors", ".pth", ".pt")
UPLOAD_BYTES = 200 * 2**20
UPLOADS_KEPT = 5


def is_local(address: str | None) -> bool:
    """Whether a server bound to `address` can only be reached from its own machine."""
    return address in ("localhost", "127.0.0.1", "::1")


def allowed_roots(address: str | None, environment: str | None) -> list[Path] | None:
    """The folders that refs may point into; None where any path may be named.

    Args:
        address: what the server listens on; None means all interfaces.
        environment: the value of EXPLORER_ROOTS: folders joined by the system's path separator.
    """
    if environment:
        return [Path(root).expanduser().resolve() for root in environment.split(os.pathsep) if root]
    return None if is_local(address) else []


def path_of(ref: str) -> Path | None:
    """The file or folder that a ref points to; None where it points to none."""
    scheme, colon, rest = ref.partition(":")
    sources = [registry.declared().get(scheme) for registry in (MODEL_SOURCES, DATA_SOURCES)] if colon else []
    named = (source.path(rest) for source in sources if source is not None and source.path is not None)
    return next((path for path in named if path is not None), None)


def check_ref(ref: str, roots: Collection[Path] | None) -> str:
    """`ref` itself, if a browser may use it.

    Symbolic links are followed before comparing, so neither ``..`` nor a link leads out of a root.

    Args:
        roots: the folders that refs may point into, resolved; None where any path may be named.

    Raises:
        ExplorerError: the ref names a path outside the roots.
    """
    named = path_of(ref)
    if named is None or roots is None:
        return ref
    path = named.resolve()
    if any(map(path.is_relative_to, roots)):
        return ref
    raise ExplorerError(
        f"{ref.partition(':')[0]}: paths outside the server's open folders are not readable from a browser: "
        "put the file under a folder of EXPLORER_ROOTS, or upload it"
    )


def save_upload(name: str, content: bytes, folder: Path) -> Path:
    """Writes an upload under a generated name, keeping only the suffix of `name`; the newest few are kept.

    Raises:
        ExplorerError: the suffix is not one of a state dict, or the file is empty or too large.
    """
    suffix = Path(name).suffix.lower()
    if suffix not in UPLOAD_SUFFIXES:
        raise ExplorerError(f"{suffix or 'a file without suffix'} is no state dict: upload .safetensors, .pth or .pt")
    if not 0 < len(content) <= UPLOAD_BYTES:
        raise ExplorerError(f"the upload has {len(content)} bytes: it must be between 1 byte and 200 MB")
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{secrets.token_hex(8)}{suffix}"
    path.write_bytes(content)
    for old in sorted(folder.iterdir(), key=lambda file: file.stat().st_mtime_ns)[:-UPLOADS_KEPT]:
        old.unlink()
    return path
