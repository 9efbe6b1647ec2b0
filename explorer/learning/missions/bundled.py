"""The missions that are bundled, and whatever a person names one by."""

from functools import cache
from pathlib import Path

from explorer.errors import ExplorerError, unknown
from explorer.learning.missions.mission import LARGEST, Mission, read_mission
from explorer.places import ASSETS
from explorer.reading import read_object

FOLDER = ASSETS / "missions"


@cache
def bundled() -> dict[str, Mission]:
    """By name, in the order in which they are offered, that of the files' numbers."""
    return {_name(path): Mission.from_json(read_object(path, LARGEST)) for path in sorted(FOLDER.glob("*.json"))}


def _name(path: Path) -> str:
    """``first-cut`` of ``1-first-cut.json``."""
    return path.stem.partition("-")[2]


def find_mission(text: str) -> Mission:
    """A mission by the name of a bundled one, a file, a link or what a link carries.

    Raises:
        ExplorerError: it is none of them.
    """
    asked = text.strip()
    if asked in (missions := bundled()):
        return missions[asked]
    if asked.endswith(".json"):
        try:
            return Mission.from_json(read_object(Path(asked).expanduser(), LARGEST))
        except (FileNotFoundError, NotADirectoryError):
            raise ExplorerError(f"there is no file {asked!r}: name a file that holds a mission") from None
        except (ValueError, RuntimeError) as error:
            raise ExplorerError(f"{asked!r} can't be read: {error}") from None
    if len(asked) > 60:
        return read_mission(asked)
    raise unknown("mission", asked, missions)
