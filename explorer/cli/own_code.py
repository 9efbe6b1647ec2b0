"""Code of a person's own on the command line: naming it there is the word that it may run."""

import os
import sys
from pathlib import Path

from explorer.cli.options import Options
from explorer.errors import ExplorerError
from explorer.plain import visible
from explorer.reading import read_object
from explorer.sources.own_code import LISTED, SCHEME, OwnCode, code_at, code_places, is_trusted, trust
from explorer.sources.registries import places


def allow(ref: str, *, saved: bool = False) -> None:
    """Lets the Python files run that a ref names, and says so the first time.

    Args:
        saved: whether code that a saved run carries may run, too.

    Raises:
        ExplorerError: the ref or a file can't be read.
    """
    for place in code_places(ref):
        _allow(code_at(place.file), place.file)
    for place in places(ref) if saved else ():
        if place.ref.startswith("run:"):
            try:
                architecture = read_object(place.file / "report.json")["architecture"]
                if architecture["family"] == SCHEME:
                    _allow(OwnCode.from_json(architecture["arguments"]["code"]))
            except (ValueError, LookupError, TypeError, AttributeError) as error:
                raise ExplorerError(f"the code in {place.name!r} is damaged: {error}") from None


def listed(ref: str) -> None:
    """Lets browsers of this server name the Python files that a ref names."""
    files = [str(place.file) for place in code_places(ref)]
    known = [name for name in os.environ.get(LISTED, "").split(os.pathsep) if name]
    os.environ[LISTED] = os.pathsep.join(dict.fromkeys([*known, *files]))


def allow_named(options: Options) -> None:
    """See `allow`: for the model and the data that a command names.

    Raises:
        ExplorerError: see `allow`.
    """
    for ref in (getattr(options, name, None) for name in ("model", "data")):
        if isinstance(ref, str):
            allow(ref, saved=getattr(options, "trust", False))


def _allow(code: OwnCode, path: Path | None = None) -> None:
    if not is_trusted(code, path):
        files = ", ".join(map(visible, code.sources))
        print(f"running your own code: {files} (digest {code.digest[:12]})", file=sys.stderr)
        trust(code, path)
