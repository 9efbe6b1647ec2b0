"""The board's JavaScript and its styles, joined into one text each: what a component or a widget may be."""

import json
import re
import tomllib
from collections.abc import Iterator

from explorer import places

ASSETS = places.ASSETS / "board"
THEMES = places.ROOT / ".streamlit" / "config.toml"
_IMPORT = re.compile(r'^import (\{[^}]*\}) from "\./(\w+)\.js";$', re.MULTILINE)
_EXPORT = re.compile(r"^export ((?:async function|function|class|const) (\w+))", re.MULTILINE)
_CAPITAL = re.compile(r"(?=[A-Z])")


def joined(name: str) -> str:
    """A module of `assets/board` after all that it imports, as one that imports nothing; each keeps its own scope.

    Raises:
        OSError: a file is missing.
    """
    *parts, last = dict.fromkeys(_needed(name))
    return "\n".join([*(_scoped(part) for part in parts), _IMPORT.sub(_destructured, source(last))])


def source(name: str) -> str:
    """One module as it is written."""
    return (ASSETS / f"{name}.js").read_text(encoding="utf-8")


def styles(*names: str) -> str:
    """Style sheets, the later ones over those before."""
    return "\n".join((ASSETS / f"{name}.css").read_text(encoding="utf-8") for name in names)


def for_notebook() -> str:
    """The module of the notebook's widget, its styles inside, so that they stay within the widget.

    Raises:
        OSError: a file is missing.
    """
    sheets = "\n".join([_themes(), styles("counters", "board", "notebook")])
    return f"const STYLES = {json.dumps(sheets)};\n{joined('notebook')}"


def _needed(name: str) -> Iterator[str]:
    """The module's imports before it, theirs before them."""
    for found in _IMPORT.finditer(source(name)):
        yield from _needed(found.group(2))
    yield name


def _scoped(name: str) -> str:
    body = _IMPORT.sub(_destructured, source(name))
    exports = ", ".join(found.group(2) for found in _EXPORT.finditer(body))
    body = _EXPORT.sub(lambda found: found.group(1), body)
    return f"const module_{name} = (() => {{\n{body}\nreturn {{ {exports} }};\n}})();"


def _destructured(found: re.Match[str]) -> str:
    return f"const {found.group(1)} = module_{found.group(2)};"


def _themes() -> str:
    """The app's themes as the variables by which Streamlit hands them to components: one source of colours."""
    theme = tomllib.loads(THEMES.read_text(encoding="utf-8"))["theme"]
    everywhere = {"baseRadius": theme["baseRadius"]}
    return "\n".join(
        f".frame.{name} {{ {' '.join(_variable(*entry) for entry in {**everywhere, **theme[name]}.items())} }}"
        for name in ("light", "dark")
    )


def _variable(name: str, value: str | list[str]) -> str:
    text = value if isinstance(value, str) else ", ".join(value)
    return f"--st-{_CAPITAL.sub('-', name).lower()}: {text};"
