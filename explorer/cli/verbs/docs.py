"""``docs``: the tables of the documentation, written from what is registered and bundled."""

import re
from argparse import ArgumentParser
from pathlib import Path

from explorer.bench.marks import IN_SHORT
from explorer.cli.console import Answer
from explorer.cli.options import Options
from explorer.cli.registries import registries
from explorer.cli.verb import verb
from explorer.errors import ExplorerError, unknown
from explorer.files import write_text
from explorer.methods.registry import presets_table
from explorer.places import ROOT
from explorer.progress import Report
from explorer.registry import table
from explorer.sources.models.demo_models import demo_table

_TABLE = re.compile(r"(?<=<!-- table: )(?P<name>[^>]+?) -->\n.*?(?=<!-- end -->)", re.DOTALL)
_BUNDLED = "bundled networks"  # the one that is made from their records
_PRESETS = "presets"
_RIVALS = "rivals"  # the name of the table of what `bench rivals` has kept


def arguments(parser: ArgumentParser) -> None:
    parser.add_argument("--check", action="store_true", help="write nothing; exit with 1 where one is out of date")


@verb(
    "docs",
    title="Documentation",
    explanation="Write the tables of the documentation from what is registered and bundled.",
    arguments=arguments,
    rank=190,
)
def docs(options: Options, report: Report) -> Answer:
    texts = {path: path.read_text(encoding="utf-8") for path in _pages()}
    changed = {path: now for path, text in texts.items() if (now := _up_to_date(text)) != text}
    if not options.check:
        for path, now in changed.items():
            write_text(path, now)
    names = [path.relative_to(ROOT).as_posix() for path in changed]
    done = "out of date" if options.check else "written"
    text = "\n".join(f"{name}: {done}" for name in names) or f"{len(texts)} files, all up to date"
    return Answer({"outdated": names}, text, code=1 if options.check and names else 0)


def _pages() -> list[Path]:
    """The documentation of a checkout.

    Raises:
        ExplorerError: there is none, as in an installed package.
    """
    paths = [path for path in (ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))) if path.is_file()]
    if not paths:
        raise ExplorerError(f"there is no documentation in {ROOT}: run this command in a checkout of the project")
    return paths


def _up_to_date(text: str) -> str:
    """A page with each of its marked tables made anew."""
    return _TABLE.sub(lambda found: f"{found['name']} -->\n\n{_table(found['name'])}\n", text)


def _table(name: str) -> str:
    known = registries()
    if name == _BUNDLED:
        return demo_table()
    if name == _RIVALS:
        return _rivals()
    if name == _PRESETS:
        return presets_table(known["methods"].declared().values())
    if name not in known:
        raise unknown("table of the documentation", name, [*known, _BUNDLED, _RIVALS, _PRESETS])
    return table(known[name].declared().values())


def _rivals() -> str:
    """The comparison with torch-pruning in short, out of the document that `bench rivals` has written."""
    parts = (ROOT / "docs" / "rivals.md").read_text(encoding="utf-8").split(f"{IN_SHORT}\n")
    if len(parts) != 3:
        raise ExplorerError("docs/rivals.md has no table in short: write it again with bench rivals --out")
    return parts[1]
