"""The grammar of the command line, made from the registry of verbs.

A verb's file is imported when that verb is asked for, and its options are made then, so that help answers at once.
"""

import argparse
import itertools
import sys
import textwrap
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NoReturn

from explorer.cli.verb import VERBS, Verb
from explorer.errors import ExplorerError
from explorer.version import __version__

INSTALLED = "pruning-explorer"  # the command that installing the package makes


@dataclass(frozen=True)
class Group:
    """Commands that share their first word.

    Args:
        help: its line in the list of commands.
        what: what the second word names.
        usual: the second word that is meant where another one stands, as it did before there were several.
    """

    help: str
    what: str
    usual: str = ""


GROUPS = {
    "bench": Group("make one of the tables of the documentation", "table"),
    "demo": Group("make what is bundled again: trained networks, pictures of letters", "action", usual="train"),
    "lesson": Group("list the lessons, show or check one", "action", usual="list"),
    "mission": Group("list missions; show, check or make one", "action", usual="list"),
    "runs": Group("list runs; show, rename, delete or compare them", "action", usual="list"),
}


def build_parser() -> argparse.ArgumentParser:
    """The parser of the command line; the chosen `Verb` stands in `verb`."""
    parser = _Parser(
        prog=INSTALLED if Path(sys.argv[0]).stem == INSTALLED else "python -m explorer",
        description="See what structured pruning does to a network, choose how much to cut, keep a smaller model.",
        epilog="Every command has its own --help.",
        allow_abbrev=False,
    )
    parser.add_argument("--version", action="version", version=f"explorer {__version__}")
    places = {"": parser.add_subparsers(title="commands", metavar="COMMAND", required=True)}
    for verb in VERBS.declared().values():
        if verb.group not in places:
            group = GROUPS[verb.group]
            parser_of = places[""].add_parser(verb.group, help=group.help, allow_abbrev=False, usual=group.usual)
            places[verb.group] = parser_of.add_subparsers(
                title=f"{group.what}s", metavar=group.what.upper(), required=True
            )
        name = verb.name.rpartition(" ")[2]
        about = f"{verb.help[:1].upper()}{verb.help[1:]}."
        places[verb.group].add_parser(name, help=verb.help, description=about, allow_abbrev=False, verb=verb)
    return parser


class _Parser(argparse.ArgumentParser):
    """Complains in one line; that of a verb has its options from when it is first used, and takes them in any order.

    Args:
        verb: that it is of.
        usual: the command of a group that is meant where the line names none of it.
    """

    def __init__(self, *, verb: Verb | None = None, usual: str = "", **settings: Any) -> None:
        super().__init__(formatter_class=_Help, **settings)
        self._verb, self._usual = verb, usual
        self._any_order = verb is not None

    def parse_known_args(self, args: Sequence[str] | None = None, namespace: Any = None) -> Any:
        if self._usual and args is not None and not {*args[:1]} & {"-h", "--help", *self._commands()}:
            args = [self._usual, *args]
        if self._verb is not None:
            self.add_argument("--json", action="store_true", help="print one JSON object")
            self.add_argument("--quiet", action="store_true", help="no progress on standard error")
            self.set_defaults(verb=self._verb)
            self._verb.arguments(self)
            self._verb = None
        if not self._any_order:
            return super().parse_known_args(args, namespace)
        self._refuse_dashes(args or ())
        self._any_order = False  # as argparse comes back here for the options, and then for the rest
        try:
            return self.parse_known_intermixed_args(args, namespace)
        finally:
            self._any_order = True

    def _refuse_dashes(self, args: Sequence[str]) -> None:
        """Two dashes as an option's value, for which argparse gives an empty list, whatever the option's type."""
        for argument in itertools.takewhile(lambda argument: argument != "--", args):
            name, _, value = argument.partition("=")
            if name.startswith("-") and value == "--":
                self.error(f"argument {name}: '--' is no value")

    def _commands(self) -> set[str]:
        """The second words of a group."""
        return {name for action in self._subparsers._group_actions for name in action.choices or ()}

    def error(self, message: str) -> NoReturn:
        raise ExplorerError(f"{message}; see {self.prog} --help")


class _Help(argparse.HelpFormatter):
    """Keeps the lines of a description, each filled for itself."""

    def _fill_text(self, text: str, width: int, indent: str) -> str:
        hanging = {"initial_indent": indent, "subsequent_indent": 2 * indent}
        return "\n".join(textwrap.fill(line, width, **hanging) for line in text.splitlines())
