"""What the documentation says of the code, held against it."""

import ast
import inspect
import re
from importlib import import_module
from pathlib import Path

import pytest

from explorer.methods import METHODS

ROOT = Path(__file__).resolve().parents[1]
PAGE = ROOT / "docs" / "architecture.md"
LINE = re.compile(r"(?P<name>[A-Za-z_][\w.]*)\((?P<given>.*)\)(?: -> [^#]+?)?(?:  # .*)?")
"""``name(parameters) -> what comes back  # a remark``"""
MORE = "…"
"""Further parameters, or a default that is not shown."""


def written() -> list[tuple[str, str]]:
    """(module, line) for every line of the contracts."""
    block = re.search(r"```python contracts\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.DOTALL)
    assert block, "docs/architecture.md has no block of contracts"
    module, found = "", []
    for line in filter(None, block[1].splitlines()):
        if line.startswith("# "):
            module = line[2:]
        else:
            found.append((module, line))
    return found


def named(module: str, name: str) -> object:
    """What a dotted name means in a module."""
    thing = import_module(module)
    for part in name.split("."):
        thing = getattr(thing, part)
    return thing


def parameters(thing: object) -> dict[str, tuple[bool, bool]]:
    """Name → whether it is given by name alone, whether it may be left out."""
    found = {
        name: (entry.kind == entry.KEYWORD_ONLY, entry.default is not entry.empty)
        for name, entry in inspect.signature(thing).parameters.items()
        if entry.kind is not entry.VAR_KEYWORD
    }
    return {name: facts for name, facts in found.items() if name != "self"}


def told(given: str) -> dict[str, tuple[bool, bool]]:
    """The same of a printed signature."""
    plain = ", ".join(part for part in given.split(", ") if part != MORE).replace(MORE, "None")
    arguments = ast.parse(f"def f({plain}): ...").body[0].args
    optional = [False] * (len(arguments.args) - len(arguments.defaults)) + [True] * len(arguments.defaults)
    found = {entry.arg: (False, may) for entry, may in zip(arguments.args, optional, strict=True)}
    pairs = zip(arguments.kwonlyargs, arguments.kw_defaults, strict=True)
    return found | {entry.arg: (True, default is not None) for entry, default in pairs}


@pytest.mark.parametrize(("module", "line"), written())
def test_a_contract_is_the_codes(module, line):
    signature = LINE.fullmatch(line)
    if signature is None:  # registries and other names alone
        assert all(named(module, name) is not None for name in line.split(", "))
        return
    real, printed = parameters(named(module, signature["name"])), told(signature["given"])
    if MORE in signature["given"].split(", "):
        assert {name: real.get(name, ())[1:] for name in printed} == {name: may[1:] for name, may in printed.items()}
    else:
        assert printed == real


def quotations() -> list[str]:
    """The examples of CONTRIBUTING.md that say where they are from."""
    return re.findall(
        r"```python\n(# \S+\.py\n.*?)```", (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8"), re.DOTALL
    )


@pytest.mark.parametrize("quoted", quotations(), ids=lambda quoted: quoted.splitlines()[0][2:])
def test_an_example_is_quoted_from_its_file(quoted):
    place, *lines = quoted.splitlines()
    text = (ROOT / place[2:]).read_text(encoding="utf-8")
    for part in "\n".join(lines).split("..."):
        assert part.strip() in text


@pytest.mark.parametrize("page", ["README.md", "CONTRIBUTING.md", "docs/architecture.md", "docs/python.md"])
def test_what_a_page_names_is_there(page):
    text = (ROOT / page).read_text(encoding="utf-8")
    links = re.findall(r"\]\(([^)#:]+)(?:#[^)]*)?\)", text)
    assert [link for link in links if not ((ROOT / page).parent / link).exists()] == []
    paths = re.findall(r"`((?:explorer|pages|tests|assets|docs|examples)/[^`\s]*)`", text)
    assert [path for path in paths if not list(ROOT.glob(re.sub("NAME|<page>", "*", path)))] == []


def test_the_readme_names_every_method():
    rows = re.findall(r"^\| (`[^|]+) \|", (ROOT / "README.md").read_text(encoding="utf-8"), re.MULTILINE)
    assert sorted(re.findall(r"`([^`]+)`", " ".join(rows))) == sorted(["--method", *METHODS.declared()])
