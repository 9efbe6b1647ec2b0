"""The registry of formats: every file and folder that a bundle may hold."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from explorer.progress import Report
from explorer.registry import Entry, Registry

if TYPE_CHECKING:
    from explorer.export.draft import Draft, Exportable

CHECKS = "checks"


def always(exported: "Exportable") -> bool:
    """Every network has a file of the format."""
    return True


@dataclass(frozen=True, kw_only=True)
class Format(Entry):
    """A file or folder of a bundle; what needs "checks" tells of them, and is written when all others are checked.

    `function(draft, path, report)` writes it, and may add to `draft.document` what the bundle's report says of it.

    Args:
        file: its name in the bundle; that of a folder ends in a slash.
        icon: of its download on the pages, as Streamlit calls it.
        offered: its place among the downloads of single files; None: it is in the archive only.
        usage: Python code that loads the file, with places for the inputs' `name`, `shape`, `dtype`, the function that
            makes some `values`, and how real ones are `made`.
        alone: whether it says everything by itself, so that it is also written without a bundle.
        applies: whether a network has one.
        check: compares what the file computes with the network, and gives an entry of the report's `checks`; raises an
            ExplorerError where they differ. None: there is nothing to compare.
        ours: path → whether a file is one of the format that this program has written; None: that can't be told.
    """

    file: str
    icon: str = ":material/description:"
    offered: int | None = None
    usage: str = ""
    alone: bool = False
    applies: Callable[["Exportable"], bool] = always
    check: Callable[["Draft", Path, Report], dict[str, Any]] | None = None
    ours: Callable[[Path], bool] | None = None

    @property
    def last(self) -> bool:
        """Whether it is written when all others have been checked."""
        return CHECKS in self.needs


FORMATS: Registry[Format] = Registry("format", Format, decorator="export_format", package="explorer.export.formats")
export_format = FORMATS.register
