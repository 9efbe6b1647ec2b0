"""The architecture as written, held against the imports as they are."""

import ast
import re
from functools import cache
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
LAYERS = (
    *(
        "version",
        "plain",
        "syntax",
        "errors",
        "strict_json",
        "reading",
        "sealed",
        "documents",
        "memory",
        "progress",
        "owned",
        "files",
        "places",
        "registry",
        "packed",
    ),
    *(
        "distributed",
        "device",
        "modules",
        "batches",
        "cache",
        "mishaps",
        "structure",
        "tasks",
        "sources",
        "pruning",
        "evaluation",
        "criteria",
        "budget",
    ),
    *("recovery", "export", "methods", "runs", "bench", "board", "api", "loops", "learning", "ui", "cli"),
)
"""What stands on what: each may import those before it."""
ABOVE = ("__main__", "__init__")  # of the package: they only point to the rest


@cache
def modules() -> dict[str, Path]:
    """Every module of the project by its dotted name; a package's is that of its `__init__`."""
    found = {}
    for path in [*ROOT.glob("explorer/**/*.py"), *ROOT.glob("pages/**/*.py"), ROOT / "app.py"]:
        parts = path.relative_to(ROOT).with_suffix("").parts
        found[".".join(parts[:-1] if parts[-1] == "__init__" else parts)] = path
    return found


@cache
def imports(module: str) -> frozenset[str]:
    """The project's modules that a file names in any import: at its top, in a function, for types alone, in a stub."""
    path = modules()[module]
    package = module if path.name == "__init__.py" else module.rpartition(".")[0]
    found: set[str] = set()
    for file in (path, path.with_suffix(".pyi")):
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))) if file.is_file() else ():
            if isinstance(node, ast.Import):
                found |= {alias.name for alias in node.names}
            elif isinstance(node, ast.ImportFrom):
                base = ".".join(package.split(".")[: 1 - node.level or None]) if node.level else ""
                source = ".".join(filter(None, [base, node.module]))
                names = {f"{source}.{alias.name}" for alias in node.names}
                found |= {name if name in modules() else source for name in names}
    return frozenset(found & modules().keys() - {module})


def layer(module: str) -> int:
    first, _, rest = module.partition(".")
    if first in ("pages", "app"):
        return len(LAYERS)
    name = rest.partition(".")[0]
    return len(LAYERS) + 1 if not name or name in ABOVE else LAYERS.index(name)


def test_every_import_goes_down():
    upwards = {
        f"{module} -> {target}" for module in modules() for target in imports(module) if layer(target) > layer(module)
    }
    assert not upwards


def test_no_file_needs_itself():
    """By repeatedly taking away the files that need no other; what is left goes round in circles."""
    left = {module: set(imports(module)) for module in modules()}
    while free := {module for module, needed in left.items() if not needed & left.keys()}:
        left = {module: needed for module, needed in left.items() if module not in free}
    assert not left


def test_the_written_order_is_the_true_one():
    text = (ROOT / "docs" / "architecture.md").read_text(encoding="utf-8")
    written = re.search(r"```layers\n(.*?)```", text, re.DOTALL)
    assert written, "docs/architecture.md has no block of layers"
    assert tuple(re.findall(r"^([a-z_]+)\b", written[1], re.MULTILINE)) == tuple(
        name for name in LAYERS if (ROOT / "explorer" / name).is_dir() or name == "api"
    )


def test_only_the_pages_and_what_they_share_know_streamlit():
    for module, path in modules().items():
        if layer(module) < LAYERS.index("ui"):
            assert not re.search(r"^\s*(import|from) streamlit", path.read_text(encoding="utf-8"), re.MULTILINE), module
