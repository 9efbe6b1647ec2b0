"""A person's own Python files: read, told apart by digest, and run where somebody has said that they may be.

Running one is running anything. So it happens only for a file that the person at this machine has named herself, or
that the owner of a server lists in ``EXPLORER_MODELS``; a saved run carries copies of its files, which run where files
of the very same content ran before. Everybody else is refused, with what to do.
"""

import ast
import hashlib
import importlib.util
import inspect
import itertools
import json
import os
import sys
import threading
from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any

from explorer import cache
from explorer.errors import ExplorerError, one_line
from explorer.sources.refs import Place, python_value, resolved
from explorer.sources.registries import places
from explorer.syntax import tree_of

SCHEME = "python"  # of refs that name such files, and the family of the networks that they make
LISTED = "EXPLORER_MODELS"  # paths of files that a browser may name, joined by the system's path separator
_MOST_FILES, _MOST_BYTES = 200, 2**22  # of one network's code
_MOST_LISTED = 10_000  # files of a folder
_PROGRAM = Path(__file__).parents[1]
_TRUSTED = "own-code"  # the folder of the cache with what may run
_LOCK = threading.RLock()


@dataclass(frozen=True)
class OwnCode:
    """The text of a file, and of those beside it that it imports, by their paths from its folder.

    Args:
        file: the name of the first one.
        sources: the texts, that of `file` among them.
    """

    file: str
    sources: Mapping[str, str]

    @property
    def digest(self) -> str:
        """Changes with every letter of it."""
        told = json.dumps([self.file, sorted(self.sources.items())])
        return hashlib.sha256(told.encode()).hexdigest()

    def to_json(self) -> dict[str, Any]:
        return {"file": self.file, "sources": dict(self.sources)}

    @classmethod
    def from_json(cls, document: Mapping[str, Any]) -> "OwnCode":
        """What a report holds.

        Raises:
            ValueError: it is no code, or its files lie elsewhere.
        """
        file, sources = document.get("file"), document.get("sources")
        if not isinstance(sources, dict) or not isinstance(file, str) or file not in sources:
            raise ValueError("it should hold a file and its source")
        for name, text in sources.items():
            parts = Path(name).parts
            if not isinstance(text, str) or not name.endswith(".py") or ".." in parts or Path(name).is_absolute():
                raise ValueError(f"{name!r} is no Python file beside the others")
        _check_size(sources)
        return cls(file, sources)


def code_at(path: Path) -> OwnCode:
    """The file, and what it and those that it imports import of its folder.

    Raises:
        ExplorerError: it is none, one of them can't be read, or they are too large.
    """
    if not path.is_file():
        raise ExplorerError(f"there is no file {str(path)!r}: check the path")
    sources: dict[str, str] = {}
    waiting = [path]
    while waiting:
        file = waiting.pop()
        name = file.relative_to(path.parent).as_posix()
        if name not in sources:
            sources[name] = _text(file)
            waiting += _imports(sources[name], file, path.parent)
            _check_size(sources)
    return OwnCode(path.name, sources)


def trust(code: OwnCode, path: Path | None = None) -> None:
    """From now on this code may run here: copies of it, and with a path also where it lies.

    Raises:
        ExplorerError: the cache can't be written.
    """
    _entry(code).write({"file": code.file})
    if path is not None:
        _entry(code, path).write({"file": code.file})


def is_trusted(code: OwnCode, path: Path | None = None) -> bool:
    """Whether code of this content may run here, from copies or where it lies."""
    return bool(_entry(code, path).read())


def is_listed(path: Path) -> bool:
    """Whether the server's owner lets browsers name the file."""
    listed = [name for name in os.environ.get(LISTED, "").split(os.pathsep) if name.strip()]
    return any(resolved(name, LISTED) == path for name in listed)


def _entry(code: OwnCode, path: Path | None = None) -> cache.Entry:
    return cache.Entry(_TRUSTED, {"digest": code.digest} | ({} if path is None else {"path": str(path)}))


def code_places(ref: str) -> list[Place]:
    """The files of code that a ref of a model or of data names, also behind a ``#``.

    Raises:
        ExplorerError: the ref can't be read.
    """
    return [place for place in places(ref) if place.ref.startswith(f"{SCHEME}:")]


@dataclass(frozen=True, eq=False)
class Made:
    """What a function of a person's file gave.

    Args:
        result: whatever it was.
        code: that it took.
        options: what the function was given.
        rest: options that it has no parameters for, as they are written.
    """

    result: Any
    code: OwnCode
    options: dict[str, Any]
    rest: dict[str, str]


def made_by(path: Path, factory: str, options: Mapping[str, str], common: Collection[str] = ()) -> Made:
    """What a function of the file gives.

    Args:
        options: as they are written; those that the function has parameters for are its own.
        common: options that mean something else where it has none.

    Raises:
        ExplorerError: the file may not run here, fails, or has no such function.
    """
    code = code_at(path)
    if not is_listed(path) and not is_trusted(code, path):
        if not is_trusted(code):
            raise ExplorerError(
                f"{path.name} is code, which nobody here has allowed to run: name it on the command line, as "
                f"python -m explorer app {path.name}:{factory}, or list it in {LISTED}"
            )
        path = _copied(code)  # what lies beside it may be anybody's
    trust(code)  # also of a file that is listed: a run of it is opened without asking
    key = (str(path), code.digest, _times(path.parent), factory, *sorted(options.items()))
    with _LOCK:
        if key in _PROBLEMS:
            return _PROBLEMS[key]
        with _running(path, code) as module:
            function = _function(module, code, factory)
            own, rest = _shared_out(function, options, common)
            made = Made(_called(function, path.name, own), code, own, rest)
        if not callable(made.result) and not isinstance(made.result, tuple):
            _PROBLEMS.clear()  # one is kept, since it is both model and data, and may have read a data set or trained
            _PROBLEMS[key] = made
    return made


_PROBLEMS: dict[tuple, Made] = {}


def made_again(code: OwnCode, factory: str, options: Mapping[str, Any]) -> Any:
    """What a function of saved code gives, which is run from copies in the cache.

    Raises:
        ExplorerError: code of this content never ran here, or it fails.
    """
    if not is_trusted(code):
        raise ExplorerError(
            f"this network is built by code of its own ({code.file}, digest {code.digest[:12]}), which never ran here: "
            "read it, then allow it with --trust on the command line"
        )
    with _LOCK, _running(_copied(code), code) as module:
        return _called(_function(module, code, factory), code.file, options)


def stamp(path: Path) -> str:
    """Changes with the file, with what it imports of its folder, and with what else lies there."""
    return f"{code_at(path).digest} {_times(path.parent)}"


def _times(folder: Path) -> int:
    """When the latest of the files in a folder was written: weights, for example, that a function reads."""
    files = [path for path in itertools.islice(folder.iterdir(), _MOST_LISTED) if path.is_file()]
    return max((path.stat().st_mtime_ns for path in files), default=0)


def _copied(code: OwnCode) -> Path:
    """The file in a folder of the cache that has the code and nothing else."""
    folder = cache.folder() / _TRUSTED / code.digest[:24]
    for name, text in code.sources.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        if not path.is_file() or _text(path) != text:
            path.write_text(text, encoding="utf-8")
    return folder / code.file


# How it runs ---------------------------------------------------------------------------------------------


def _function(module: ModuleType, code: OwnCode, name: str) -> Callable[..., Any]:
    """The function of that name, if it is the person's own: what her file imports from elsewhere is not meant.

    Raises:
        ExplorerError: there is none.
    """
    files = {Path(file).with_suffix("").as_posix().replace("/", ".") for file in code.sources} | {module.__name__}
    functions = {
        key: value
        for key, value in vars(module).items()
        if callable(value) and getattr(value, "__module__", None) in files and not key.startswith("_")
    }
    if name not in functions:
        raise ExplorerError(f"{code.file} has no function {name!r}: it has {', '.join(functions) or 'none'}")
    return functions[name]


def _shared_out(
    function: Callable[..., Any], options: Mapping[str, str], common: Collection[str]
) -> tuple[dict[str, Any], dict[str, str]]:
    """The options that are the function's arguments, and the others."""
    parameters = inspect.signature(function).parameters.values()
    named = {parameter.name for parameter in parameters}
    any_name = any(parameter.kind is parameter.VAR_KEYWORD for parameter in parameters)
    own = {key for key in options if key in named or (key not in common)} if any_name else named & options.keys()
    given = {key: python_value(options[key]) for key in own}
    return given, {key: text for key, text in options.items() if key not in own}


def _called(function: Callable[..., Any], file: str, options: Mapping[str, Any]) -> Any:
    try:
        return function(**options)
    except ExplorerError:
        raise
    except (Exception, SystemExit) as error:  # whatever a person's code runs into
        name = getattr(function, "__name__", "the function")
        raise ExplorerError(f"{name} of {file} fails{_where(error, file)}: {one_line(error)}") from error


def _imported(path: Path) -> ModuleType:
    """The file as a module, run anew."""
    name = f"own_{hashlib.sha256(str(path).encode()).hexdigest()[:12]}_{path.stem}"
    spec = importlib.util.spec_from_file_location(name, path)
    if spec is None or spec.loader is None:
        raise ExplorerError(f"{path.name} is no Python file: name one that ends with .py")
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module  # as dataclasses and others look their module up by name
    try:
        spec.loader.exec_module(module)
    except (Exception, SystemExit) as error:
        del sys.modules[name]
        raise ExplorerError(f"{path.name} fails as it is read{_where(error, path.name)}: {one_line(error)}") from None
    return module


def _where(error: BaseException, file: str) -> str:
    """The last line of the file that was running, for a message; empty: none was."""
    line, trace = error.lineno if isinstance(error, SyntaxError) else 0, error.__traceback__
    while trace is not None:
        if Path(trace.tb_frame.f_code.co_filename).name == file:
            line = trace.tb_lineno
        trace = trace.tb_next
    return f" in line {line}" if line else ""


@contextmanager
def _running(path: Path, code: OwnCode) -> Iterator[ModuleType]:
    """The file as a module, run anew, as are those that it imports; random numbers begin at the same ones."""
    folder = path.parent
    for name in _IMPORTED:
        sys.modules.pop(name, None)
    _IMPORTED.clear()
    compiled, sys.dont_write_bytecode = sys.dont_write_bytecode, True
    sys.path.insert(0, str(folder))
    importlib.invalidate_caches()
    try:
        with _seeded():
            yield _imported(path)
    finally:
        sys.dont_write_bytecode = compiled
        sys.path.remove(str(folder))
        if str(folder) not in sys.path:
            sys.path.append(str(folder))  # for what its functions import when they are called
        files = {str(folder / name) for name in code.sources}
        own = [name for name, module in list(sys.modules.items()) if getattr(module, "__file__", None) in files]
        _IMPORTED.update(name for name in own if name != "__main__")


@contextmanager
def _seeded() -> Iterator[None]:
    """Random numbers of Python, numpy and torch from fixed seeds; afterwards they go on as before."""
    import random

    import numpy as np
    import torch

    states = random.getstate(), np.random.get_state()
    try:
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(0)
            random.seed(0)
            np.random.seed(0)
            yield
    finally:
        random.setstate(states[0])
        np.random.set_state(states[1])


_IMPORTED: set[str] = set()  # names of modules that were imported for the last file: another may have ones called alike


def _imports(text: str, file: Path, folder: Path) -> list[Path]:
    """The files below a folder that one of them imports, by what is written in it."""
    try:
        statements = list(ast.walk(tree_of(text)))
    except SyntaxError:
        return []  # which is told when it is run
    names: list[tuple[Path, str]] = []
    for node in statements:
        if isinstance(node, ast.Import):
            names += [(folder, alias.name) for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            root = file.parents[node.level - 1] if node.level else folder
            names += [(root, ".".join(filter(None, (node.module, alias.name)))) for alias in node.names]
    found = [path for root, name in names for path in _files(root, name)]
    return [path for path in found if path.is_relative_to(folder) and not path.is_relative_to(_PROGRAM)]


def _files(root: Path, name: str) -> Iterator[Path]:
    """The files that importing a dotted name runs, packages first."""
    place = root
    for part in name.split("."):
        place /= part
        yield from (path for path in (place / "__init__.py", place.with_name(f"{part}.py")) if path.is_file())


def _text(path: Path) -> str:
    try:
        if path.stat().st_size > _MOST_BYTES:
            raise ExplorerError(f"{path.name} is larger than {_MOST_BYTES:,} bytes: it is no code")
        return path.read_text(encoding="utf-8")
    except OSError as error:
        raise ExplorerError(f"can't read {str(path)!r}: {error.strerror or one_line(error)}") from None
    except ValueError:
        raise ExplorerError(f"{path.name} is no text in UTF-8: name a Python file") from None


def _check_size(sources: Mapping[str, str]) -> None:
    if len(sources) > _MOST_FILES or sum(map(len, sources.values())) > _MOST_BYTES:
        raise ExplorerError(
            f"the network's code imports more than {_MOST_FILES} files, or {_MOST_BYTES:,} letters, of its own folder: "
            "put what it needs into a folder of its own"
        )
