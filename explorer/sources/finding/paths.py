"""What may lie at a path that a person typed: weights, code, a folder, a table."""

import ast
import re
from collections.abc import Callable, Iterator
from pathlib import Path

from explorer.errors import ExplorerError
from explorer.sources.finding.candidate import DATA, MODEL, Candidate
from explorer.sources.finding.names import by_words
from explorer.sources.refs import resolved
from explorer.sources.registries import MODEL_SOURCES
from explorer.sources.suffixes import TABLES, WEIGHTS
from explorer.syntax import tree_of

Permitted = Callable[[str], object]
_BEGINNINGS = ("/", "~", "./", "../")  # of what can be nothing but a path
_ENDINGS = "|".join(map(re.escape, sorted(WEIGHTS, key=len, reverse=True)))
_WITH_NETWORK = re.compile(rf"(.+?(?:{_ENDINGS}))(?:\s*#\s*|\s+)(\S.*)", re.IGNORECASE)
_CODE = re.compile(r"(.+\.py)(?::(.*))?")
_FEW = 3  # networks that a file's weights may belong to
_MOST_CODE = 2**20  # characters of a file whose functions are listed


def at_path(typed: str, permitted: Permitted) -> list[Candidate]:
    """The refs of what a typed path may be; none where it does not look like one and there is no such file or folder.

    Nothing is told of a path, not even whether it exists, that may not be named here.
    """
    if code := _CODE.fullmatch(typed):
        return list(_code(code[1], code[2] or "", permitted))
    if named := _WITH_NETWORK.fullmatch(typed):
        return list(_weights(named[1], named[2]))
    if typed.lower().endswith(WEIGHTS):
        return list(_weights(typed, ""))
    looks_so = typed.startswith(_BEGINNINGS) or typed.lower().endswith(TABLES)
    if not looks_so and not _exists(f"folder:{typed}", typed, permitted):
        return []
    return list(_folder(typed, permitted))


def _weights(path: str, network: str) -> Iterator[Candidate]:
    """Weights in a file, for each network that the words may mean; without any, a ref that lacks it."""
    name = Path(path).name
    scheme = network.partition(":")[0]
    if not network:
        yield Candidate(f"file:{path}#", name, "weights: say which network they belong to", MODEL)
    elif ":" in network and scheme in MODEL_SOURCES.declared():
        yield Candidate(f"file:{path}#{network}", f"{name} for {network}", "weights in a file", MODEL)
    else:
        untrained = [each for each in by_words(network, 4 * _FEW, MODEL) if "@" not in each.ref]
        for each in untrained[:_FEW]:
            yield Candidate(f"file:{path}#{each.ref}", f"{name} for {each.title}", "weights in a file", MODEL)


def _code(path: str, function: str, permitted: Permitted) -> Iterator[Candidate]:
    """A function of a Python file; where none is named, each that the file has."""
    wanted = [function] if function else _functions(path, permitted)
    for name in wanted:
        why = "your own code: the function is called"
        yield Candidate(f"python:{path}:{name}", f"{name} of {Path(path).name}", why, MODEL)


def _functions(path: str, permitted: Permitted) -> list[str]:
    """The names of a file's functions that may be called with nothing, if it may be read; else a name that stands for
    them."""
    if not _exists(f"python:{path}:build", path, permitted):
        return ["build"]
    try:
        tree = tree_of(Path(path).expanduser().read_text(encoding="utf-8")[:_MOST_CODE])
    except (OSError, ValueError, SyntaxError):
        return ["build"]
    public = [node for node in tree.body if isinstance(node, ast.FunctionDef) and not node.name.startswith("_")]
    return [node.name for node in public if len(node.args.args) == len(node.args.defaults)] or ["build"]


def _folder(path: str, permitted: Permitted) -> Iterator[Candidate]:
    """A folder or a table: a saved run, a model or data in the formats of Hugging Face, pictures or texts."""
    name = Path(path).name or path
    inside = Path(path).expanduser() if _exists(f"folder:{path}", path, permitted) else None
    if inside is not None and (inside / "report.json").is_file():
        yield Candidate(f"run:{path}", name, "a saved run", MODEL)
    elif inside is not None and (inside / "config.json").is_file():
        yield Candidate(f"hf:{path}", name, "a model in the format of Hugging Face", MODEL)
    what = "a table" if path.lower().endswith(TABLES) else "a folder of pictures or texts"
    yield Candidate(f"folder:{path}", name, what, DATA)


def _exists(ref: str, path: str, permitted: Permitted) -> bool:
    """Whether there is something at a path that may be named here."""
    try:
        permitted(ref)
        return resolved(path, ref).exists()
    except (ExplorerError, OSError):
        return False
