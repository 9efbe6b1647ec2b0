"""The folder that a search for the best plan leaves: its document, and the best plan of every target as a file."""

from pathlib import Path

from explorer import owned
from explorer.errors import ExplorerError
from explorer.files import replacing_folder, write_json
from explorer.methods.studies.best_plan import Frontier, Tried

PLANS = "the plans of a search"
DOCUMENT = "search.json"


def check_plans(folder: Path) -> None:
    """Refuses a place where no plans may be written, before the work; nothing is changed.

    Raises:
        ExplorerError: a file, a link or a folder that is not of a search is there, or it can't be looked at.
    """
    try:
        if owned.free(folder) or owned.marked(folder, PLANS):
            return
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or error
        raise ExplorerError(f"can't write --out {folder}: {reason}; name a folder of your own") from None
    raise ExplorerError(f"--out {folder} is there already and not of a search: name a new folder")


def write_plans(found: Frontier, folder: Path) -> list[Path]:
    """Writes the search's document, and the best plan of every target, which ``prune --plan`` opens; the files.

    Plans of an earlier search in the folder are replaced, and its other files stay.

    Raises:
        ExplorerError: see `check_plans`.
    """
    check_plans(folder)
    names = {_name(found, best): best for best in found.best}
    earlier = {path.name for path in folder.glob("plan-*.json")} - names.keys()
    with replacing_folder(folder, PLANS, lambda there: owned.marked(there, PLANS), dropped=earlier) as partial:
        write_json(partial / DOCUMENT, found.to_json())
        for name, best in names.items():
            write_json(partial / name, best.plan.to_json())
    return [folder / name for name in (DOCUMENT, *names)]


def _name(found: Frontier, best: Tried) -> str:
    return f"plan-{found.cost}-{best.target:g}.json"
