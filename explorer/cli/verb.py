"""The registry of the command line's verbs: one file each in `explorer.cli.verbs`."""

from argparse import ArgumentParser
from collections.abc import Callable
from dataclasses import dataclass

from explorer.registry import Entry, Registry


def none(parser: ArgumentParser) -> None:
    """The arguments of a verb that takes none of its own."""


@dataclass(frozen=True, kw_only=True)
class Verb(Entry):
    """One command: its `explanation` is its help, and ``function(options, report)`` gives the `Answer`.

    A name of two words stands in a group: ``bench coverage`` is the table coverage of the command bench.

    Args:
        arguments: adds its own options to a parser; those that every verb has are there.
        shared: whether processes that were launched together may carry it out.
    """

    arguments: Callable[[ArgumentParser], None] = none
    shared: bool = False

    @property
    def group(self) -> str:
        """The command that it belongs to; empty where it is a command itself."""
        return self.name.rpartition(" ")[0]

    @property
    def help(self) -> str:
        """Its line in a list of commands."""
        return self.explanation[:1].lower() + self.explanation[1:].rstrip(".")


VERBS: Registry[Verb] = Registry("command", Verb, decorator="verb", package="explorer.cli.verbs")
verb = VERBS.register
