"""One registry for everything that grows: criteria, recoveries, methods, sources, tasks, formats, verbs.

What is registered is a frozen record: a name, a title, an explanation, what it needs and costs, and its settings.
Command line help, the pages' choices, the tables of the documentation and parametrised tests are made from these
records.
"""

import ast
import importlib
import importlib.util
import inspect
import pkgutil
import threading
from collections.abc import Callable, Collection, ItemsView, Iterator, KeysView, Mapping, ValuesView
from dataclasses import dataclass, field, fields
from functools import cache
from pathlib import Path
from types import MappingProxyType
from typing import Any, Generic, TypeVar

from explorer.errors import ExplorerError, unknown
from explorer.syntax import tree_of


@dataclass(frozen=True)
class Choice:
    """A setting that is one of several words."""

    default: str
    allowed: tuple[str, ...]
    meaning: str

    def read(self, name: str, text: str) -> str:
        """The value of the setting `name` that a text gives.

        Raises:
            ExplorerError: it is none of the words.
        """
        if text not in self.allowed:
            raise unknown(f"value of {name}", text, self.allowed)
        return text

    def range(self) -> str:
        """What it may be, for a person."""
        return ", ".join(self.allowed)


@dataclass(frozen=True)
class Number:
    """A setting that is a number from `low` to `high`; a `whole` one has no fraction.

    `default` None: the record that has the setting says what happens then.
    """

    default: float | None
    low: float
    high: float
    meaning: str
    whole: bool = False

    def read(self, name: str, text: str) -> float:
        """The value of the setting `name` that a text gives.

        Raises:
            ExplorerError: it is no number, or out of range.
        """
        try:
            value = int(text) if self.whole else float(text)
        except ValueError:
            raise ExplorerError(f"{name} is {text!r}: give a {'whole ' if self.whole else ''}number") from None
        if not self.low <= value <= self.high:
            raise ExplorerError(f"{name} is {text}: it must be from {self.low:g} to {self.high:g}")
        return value

    def range(self) -> str:
        """What it may be, for a person."""
        return f"{self.low:g} to {self.high:g}"


Setting = Choice | Number


@dataclass(frozen=True, kw_only=True)
class Entry:
    """What every registered thing says of itself; records of a registry have more fields.

    Args:
        name: by which it is asked for, in every place.
        title: on the pages.
        explanation: one sentence or two for a person who has not met it before.
        function: what it does; its arguments are described by the record that adds them.
        reference: the paper or site that it comes from.
        needs: what has to be there, in words of the registry.
        cost: what it takes, for a person.
        settings: what it can be told, each with type, default, range and meaning.
        rank: its place in lists; those of one rank stand in the order of their modules and lines.
    """

    name: str
    title: str
    explanation: str
    function: Callable[..., Any] = field(repr=False)
    reference: str = ""
    needs: frozenset[str] = frozenset()
    cost: str = ""
    settings: Mapping[str, Setting] = field(default_factory=dict)
    rank: int = 50

    def read(self, given: Mapping[str, str]) -> dict[str, Any]:
        """All settings, read from texts; those not given at their defaults.

        Raises:
            ExplorerError: one is unknown, or its value can't be.
        """
        for name in given:
            if name not in self.settings:
                raise unknown(f"setting of {self.name}", name, self.settings)
        return {
            name: setting.read(f"setting {name} of {self.name}", given[name]) if name in given else setting.default
            for name, setting in self.settings.items()
        }


Record = TypeVar("Record", bound=Entry)


class Registry(Generic[Record]):
    """Records by name, in the order in which they are listed.

    With a `package`, everything in it is found by itself: the first look into the registry imports all its modules, so
    that a new file is enough. `declared` reads the same records from the source, without importing anything heavy.

    Args:
        what: one of its things, for a person: "criterion".
        record: the class of its records.
        decorator: the name under which modules call `register`.
        package: whose modules register themselves; None: whoever is imported.
        parts: classes that a declaration may call besides those of settings; they stand for nothing but their values.
    """

    def __init__(
        self,
        what: str,
        record: type[Record],
        *,
        decorator: str = "",
        package: str | None = None,
        parts: tuple[type, ...] = (),
    ) -> None:
        self.what, self.record, self.parts = what, record, parts
        self._decorator, self._package = decorator, package
        self._entries: dict[str, Record] = {}
        self._read: dict[str, Record] | None = None  # what is declared, once it has been read from the source
        self._loaded, self._loading = package is None, False
        self._lock = threading.RLock()

    def register(self, name: str, **facts: Any) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
        """Enters the decorated function as `name`, with the other fields of its record.

        Raises:
            ValueError: the name is taken by another function.
        """

        def enter(function: Callable[..., Any]) -> Callable[..., Any]:
            earlier = self._entries.get(name)
            if earlier is not None and _place(earlier.function) != _place(function):
                raise ValueError(f"{self.what} {name!r} is registered twice")
            self._entries[name] = self.record(name=name, function=function, **_frozen(facts))
            return function

        return enter

    def remove(self, name: str) -> None:
        """Takes a record out again; for what was registered for a while only."""
        del self._entries[name]

    def __getitem__(self, name: str) -> Record:
        return self.get(name)

    def get(self, name: str) -> Record:
        """The record called `name`.

        Raises:
            ExplorerError: there is none; the nearest names are offered.
        """
        entries = self._all()
        if name not in entries:
            raise unknown(self.what, name, entries)
        return entries[name]

    def __contains__(self, name: object) -> bool:
        return name in self._all()

    def __iter__(self) -> Iterator[str]:
        return iter(self._all())

    def __len__(self) -> int:
        return len(self._all())

    def keys(self) -> KeysView[str]:
        return self._all().keys()

    def values(self) -> ValuesView[Record]:
        return self._all().values()

    def items(self) -> ItemsView[str, Record]:
        return self._all().items()

    def declared(self) -> dict[str, Record]:
        """The same records, read from the package's source where that has not been imported.

        Only functions, and fields that hold one, are not the real ones there: a call imports the module first. A
        declaration that can't be read without running code is imported.
        """
        if self._loaded or self._package is None:
            return dict(self._all())
        if self._read is None:
            modules = _modules(self._package)
            self._read = {record.name: record for place in modules for record in _declarations(*place, self)}
        return _sorted(self._read | self._entries)

    def _all(self) -> dict[str, Record]:
        if not self._loaded:
            self._load()
        return _sorted(self._entries)

    def _load(self) -> None:
        """Imports the package's modules once; other threads wait, and the modules themselves see what there is yet."""
        with self._lock:
            if self._loaded or self._loading or self._package is None:
                return
            self._loading = True
            try:
                for module, _ in _modules(self._package):
                    importlib.import_module(module)
                self._loaded = True
            finally:
                self._loading = False


@dataclass(frozen=True)
class Deferred:
    """A function that is imported when it is called."""

    module: str
    name: str

    def __call__(self, *arguments: Any, **options: Any) -> Any:
        return getattr(importlib.import_module(self.module), self.name)(*arguments, **options)


def table(entries: Collection[Entry]) -> str:
    """Records as a table in Markdown, for the documentation."""
    heads = ("name", "title", "what it does", "needs", "settings", "reference")
    rows = [
        (
            f"`{entry.name}`",
            entry.title,
            entry.explanation,
            ", ".join(sorted(entry.needs)),
            "; ".join(f"`{name}` {explain(setting)}" for name, setting in entry.settings.items()),
            entry.reference,
        )
        for entry in entries
    ]
    used = [place for place in range(len(heads)) if place < 3 or any(row[place] for row in rows)]
    lines = [[heads[place] for place in used], ["---"] * len(used)]
    lines += [[row[place].replace("|", "\\|") for place in used] for row in rows]
    return "\n".join(f"| {' | '.join(cells)} |" for cells in lines) + "\n"


def explain(setting: Setting) -> str:
    """What a setting may be, what it is by default and what it means, for help and documentation."""
    return f"({setting.range()}; default {_default(setting)}): {setting.meaning}"


def _default(setting: Setting) -> str:
    if setting.default is None:
        return "by itself"
    return f"{setting.default:g}" if isinstance(setting, Number) else setting.default


def _place(function: Callable[..., Any]) -> tuple[str, str]:
    return getattr(function, "__module__", ""), getattr(function, "__qualname__", repr(function))


def _frozen(facts: Mapping[str, Any]) -> dict[str, Any]:
    """Facts as a frozen record holds them: sets and tables that nobody can change."""
    frozen = {
        key: MappingProxyType(dict(value)) if isinstance(value, Mapping) else value for key, value in facts.items()
    }
    return frozen | ({"needs": frozenset(facts["needs"])} if "needs" in facts else {})


def _sorted(entries: Mapping[str, Record]) -> dict[str, Record]:
    """By rank, then as they stand in the source: whichever was imported first."""
    return dict(sorted(entries.items(), key=lambda item: (item[1].rank, *_line(item[1].function))))


def _line(function: Callable[..., Any]) -> tuple[str, int]:
    if isinstance(function, _Declared):
        return function.module, function.line
    code = getattr(inspect.unwrap(function), "__code__", None)
    return getattr(function, "__module__", ""), code.co_firstlineno if code else 0


def _modules(package: str) -> list[tuple[str, Path]]:
    """The names and files of all modules directly in a package, alphabetically; packages in it stand for themselves."""
    spec = importlib.util.find_spec(package)
    if spec is None or not spec.submodule_search_locations:
        raise ValueError(f"{package} is no package")
    return sorted(
        (f"{package}.{info.name}", Path(place) / f"{info.name}.py")
        for place in spec.submodule_search_locations
        for info in pkgutil.iter_modules([place])
        if not info.ispkg
    )


@dataclass(frozen=True)
class _Declared(Deferred):
    """The function of a record that was read from the source."""

    line: int = 0


def _declarations(module: str, path: Path, registry: Registry[Record]) -> list[Record]:
    """The records that a module's decorators declare, without importing it where its source is enough."""
    source = _Source(module, tree_of(path.read_text(encoding="utf-8")))
    found = []
    for node in source.tree.body:
        if not isinstance(node, ast.FunctionDef | ast.ClassDef):
            continue
        for call in node.decorator_list:
            if isinstance(call, ast.Call) and getattr(call.func, "id", None) == registry._decorator:
                line = min(entry.lineno for entry in node.decorator_list)
                try:
                    facts = _facts(call, source, registry)
                except _NotPlainError:
                    importlib.import_module(module)
                    return [entry for entry in registry._entries.values() if entry.function.__module__ == module]
                function = _Declared(module, node.name, line)
                found.append(registry.record(name=facts.pop("name"), function=function, **_frozen(facts)))
    return found


class _NotPlainError(Exception):
    """A declaration needs code to be run."""


@dataclass(frozen=True)
class _Source:
    """A module's code, which is read and not run."""

    module: str
    tree: ast.Module

    def assigned(self, name: str) -> tuple[ast.expr, "_Source"]:
        """What is assigned to a name at the top, here or in the module of this program that it is imported from."""
        for node in self.tree.body:
            if isinstance(node, ast.Assign) and any(getattr(target, "id", None) == name for target in node.targets):
                return node.value, self
            if isinstance(node, ast.AnnAssign) and getattr(node.target, "id", None) == name and node.value is not None:
                return node.value, self
            if isinstance(node, ast.ImportFrom) and node.module and not node.level:
                for alias in node.names:
                    if (alias.asname or alias.name) == name:
                        return self._beside(node.module).assigned(alias.name)
        raise _NotPlainError(name)

    def _beside(self, module: str) -> "_Source":
        if module.partition(".")[0] != self.module.partition(".")[0]:
            raise _NotPlainError(module)
        return _source_of(module)


@cache
def _source_of(module: str) -> _Source:
    spec = importlib.util.find_spec(module)
    if spec is None or spec.origin is None:
        raise _NotPlainError(module)
    return _Source(module, tree_of(Path(spec.origin).read_text(encoding="utf-8")))


def _facts(call: ast.Call, source: _Source, registry: Registry[Record]) -> dict[str, Any]:
    """The arguments of a decorator's call."""
    functions = {entry.name for entry in fields(registry.record) if "Callable" in str(entry.type)}
    facts = {"name": _plain(call.args[0], source)} if call.args else {}
    for keyword in call.keywords:
        if keyword.arg is None or len(call.args) > 1:
            raise _NotPlainError
        if keyword.arg in functions and isinstance(keyword.value, ast.Name):
            facts[keyword.arg] = Deferred(source.module, keyword.value.id)
        else:
            facts[keyword.arg] = _plain(keyword.value, source, registry.parts)
    return facts


def _plain(node: ast.expr, source: _Source, parts: tuple[type, ...] = ()) -> Any:
    """The value of an expression of constants, of names of such, of settings, and of a registry's parts."""
    names: dict[str, Any] = {kind.__name__: kind for kind in (Choice, Number, frozenset, dict, tuple, *parts)}
    for part in ast.walk(node):
        if isinstance(part, ast.Name) and part.id not in names:
            names[part.id] = _plain(*source.assigned(part.id), parts)
    code = compile(ast.Expression(node), "<declaration>", "eval")
    try:
        return eval(code, {"__builtins__": {}}, names)
    except Exception as error:
        raise _NotPlainError from error
