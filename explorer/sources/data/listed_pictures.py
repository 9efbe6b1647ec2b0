"""Pictures whose classes stand in a table, a list or a JSON file beside them: a layout of folders."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from explorer.errors import ExplorerError
from explorer.sources.data.tables import TEXTS, is_table
from explorer.sources.reading.checking import refusal
from explorer.sources.reading.class_trees import ClassTree, are_numbered, opens_plainly, part_folders
from explorer.sources.reading.folders import Folder
from explorer.sources.reading.label_columns import Listing
from explorer.sources.reading.label_files import may_list
from explorer.sources.reading.labelled_pictures import Labelled, picture_task
from explorer.sources.reading.labels import SEVERAL, classes_of
from explorer.sources.reading.part_names import part_of_file
from explorer.sources.registries import folder_layout
from explorer.sources.request import InputRequest
from explorer.tasks import Task

Row = tuple[Path, Any, str]  # a picture, its label, its part (empty: not said)

_ENOUGH = 0.9  # of the pictures, that a table beside numbered folders must label


def are_listed(folder: Folder) -> bool:
    """Whether a table says of the pictures what their folders don't."""
    if not (folder.path.is_dir() or may_list(folder.path)):
        return False
    usable, wrong = folder.listings
    if any(set(TEXTS) & set(found.heads) for found in usable) and is_table(folder):
        return False
    tree = _tree(folder)
    if "label" in folder.options:
        return bool(usable or wrong)
    chosen = _chosen(usable, tree, folder)
    if folder.path.is_file() or tree is None:
        return bool(chosen) or (bool(wrong) and folder.tree.count > 0)
    if are_numbered(folder.tree) and any(_labels_most(found, folder) for found in usable):
        return True
    return not opens_plainly(folder.tree) and any(_says_more(found, tree, folder) for found in chosen)


@folder_layout(
    "listed",
    title="Pictures in a list",
    explanation="Pictures with a table of their classes: .csv, .tsv, .json, .jsonl, or a .txt of paths and labels; one "
    "for all, or one for each part.",
    fits=are_listed,
    options=("skip", "label"),
    rank=5,
)
def listed_pictures(folder: Folder, request: InputRequest) -> Task:
    """See `explorer.sources.reading.label_columns` and `picture_task`.

    A list without labels gives parts to the pictures of folders of classes.

    Raises:
        ExplorerError: the table can't be understood, or is of several labels, numbers or boxes; see `picture_task`.
        BadPicturesError: it names pictures that are not there, and the ref does not say to go on without.
    """
    tree = _tree(folder)
    listings, wrong = folder.listings
    chosen = _chosen(listings, tree, folder)
    if not chosen:
        raise wrong[0] if wrong else ExplorerError(f"no table in {folder.place.name!r} has labels for its pictures")
    _refuse_missing(chosen, folder)
    rows = _with_folders([row for found in chosen for row in _rows(found, tree, folder)], tree)
    unlabelled = sum(label is None for _, label, _ in rows)
    rows = _once([row for row in rows if row[1] is not None], chosen[0].path)
    if not rows:
        raise ExplorerError(f"the table {str(chosen[0].path)!r} has no labels for the pictures: fill its column")
    told = f"the table {str(chosen[0].path)!r}"
    _refuse_others(rows, told)
    labels, classes = classes_of([label for _, label, _ in rows], told, chosen[0].head or "label")
    remarks = _remarks(folder, len(rows), unlabelled, listings, chosen)
    files, parts = [file for file, _, _ in rows], [part for _, _, part in rows]
    return picture_task(folder, Labelled(classes, files, labels, parts, _origin(chosen), remarks), request)


def _tree(folder: Folder) -> ClassTree | None:
    """The pictures by the folders that they lie in, where these are classes."""
    try:
        return folder.classes
    except ExplorerError:  # of folders that disagree: then a table may know better
        return None


def _says_more(found: Listing, tree: ClassTree, folder: Folder) -> bool:
    """Whether a table gives parts, or labels to pictures that lie in no folder of a class."""
    return bool(_part(found, folder)) or any(found.parts) or any(path not in tree.class_of for path in found.pictures)


def _labels_most(found: Listing, folder: Folder) -> bool:
    return bool(found.head) and len(set(found.pictures)) >= _ENOUGH * folder.tree.count


def _chosen(listings: Sequence[Listing], tree: ClassTree | None, folder: Folder) -> list[Listing]:
    """One table for each part, or the one that says most of all pictures."""
    usable = [found for found in listings if found.pictures and _tells(found, tree)]
    by_part: dict[str, list[Listing]] = {}
    for found in usable:
        by_part.setdefault(_part(found, folder), []).append(found)
    best = {part: min(of_part, key=_rank) for part, of_part in by_part.items()}
    whole = best.pop("", None)
    if "train" in best or (best and tree is not None and not (whole and whole.head)):
        return list(best.values())
    return [whole] if whole is not None else list(best.values())


def _tells(found: Listing, tree: ClassTree | None) -> bool:
    """Whether a table says more of pictures than that they all are of one class, as the folder they lie in does."""
    if tree is None:
        return bool(found.head)
    classes = {tree.class_of.get(path) for path in found.pictures}
    return len(classes) > 1 or (None in classes and bool(found.head))


def _rank(found: Listing) -> tuple[bool, int, int, str]:
    """The better of several tables comes first: with labels, of more pictures, with a shorter name."""
    return not found.head, -len(set(found.pictures)), len(found.path.name), found.path.name


def _part(found: Listing, folder: Folder) -> str:
    """The part that a whole table is of, by its name or its folder's; empty where its rows say more."""
    return "" if any(found.parts) else part_of_file(found.path, folder.tree.path)


def _rows(found: Listing, tree: ClassTree | None, folder: Folder) -> list[Row]:
    classes = tree.class_of if tree is not None else {}
    by_folder = _parts_by_folder(folder)
    whole = _part(found, folder)
    labels = found.labels if found.head else [classes.get(path) for path in found.pictures]
    return [
        (path, _of_several_words(label, tree), part or whole or by_folder.get(path, ""))
        for path, label, part in zip(found.pictures, labels, found.parts, strict=True)
    ]


def _of_several_words(label: Any, tree: ClassTree | None) -> Any:
    """A label without the box that stands behind it, as ImageNet's solutions have it."""
    if tree is None or not isinstance(label, str) or label in tree.classes:
        return label
    first = label.partition(" ")[0]
    return first if first in tree.classes else label


def _parts_by_folder(folder: Folder) -> dict[Path, str]:
    parts = part_folders(folder.tree.unwrapped())
    return {path: part for part, branch in parts.items() for path in branch.everything()}


def _with_folders(rows: list[Row], tree: ClassTree | None) -> list[Row]:
    """The rows, and the pictures of parts that no table is of but folders of classes are."""
    listed = {part for _, _, part in rows}
    if tree is None or "train" not in tree.parts or "" in listed:
        return rows
    further = {part: classes for part, classes in tree.parts.items() if part not in listed}
    return [
        *((path, name, part) for part, classes in further.items() for name, paths in classes.items() for path in paths),
        *rows,
    ]


def _once(rows: Sequence[Row], table: Path) -> list[Row]:
    """Each picture once.

    Raises:
        ExplorerError: one has two labels.
    """
    found: dict[Path, Row] = {}
    for path, label, part in rows:
        if path in found and str(found[path][1]) != str(label):
            raise ExplorerError(
                f"the table {str(table)!r} has {path.name!r} as {found[path][1]!r} and as {label!r}: {SEVERAL}; give "
                "each picture one class, or open such data as a Problem in Python (docs/python.md)"
            )
        found.setdefault(path, (path, label, part))
    return list(found.values())


def _refuse_others(rows: Sequence[Row], told: str) -> None:
    """Refuses parts whose labels are written in another way than those of training.

    Raises:
        ExplorerError: most of their labels are never learnt.
    """
    labels: dict[bool, set[str]] = {True: set(), False: set()}
    for _, label, part in rows:
        labels[part in ("", "train")].add(_bare(label))
    strange = labels[False] - labels[True]
    if labels[True] and 2 * len(strange) > len(labels[False]):
        few = ", ".join(sorted(strange)[:3])
        raise ExplorerError(
            f"{told} and the other parts have different labels: {few} are never learnt; write them alike"
        )


def _bare(label: Any) -> str:
    """A label as it is compared: numbers without leading zeros."""
    text = str(label).strip()
    return text.lstrip("0") or "0" if text.isdecimal() else text


def _refuse_missing(chosen: Sequence[Listing], folder: Folder) -> None:
    missing = [name for found in chosen for name in found.missing]
    if missing and not folder.skips:
        count = len(missing) + sum(len(found.pictures) for found in chosen)
        what = f"pictures in {', '.join(found.path.name for found in chosen)} are not there, or share their name"
        raise refusal(missing, count, folder.place.ref, what)


def _origin(chosen: Sequence[Listing]) -> str:
    heads = dict.fromkeys(found.head or "the folders' names" for found in chosen)
    names = ", ".join(found.path.name for found in chosen)
    return f"labels by {', '.join(heads)} of {names}" if any(found.head for found in chosen) else f"parts by {names}"


def _remarks(
    folder: Folder, rows: int, unlabelled: int, listings: Sequence[Listing], chosen: Sequence[Listing]
) -> list[str]:
    said = []
    if missing := sum(len(found.missing) for found in chosen):
        said.append(f"{missing:,} pictures that the table names are not there and left out")
    if unlabelled:
        said.append(f"{unlabelled:,} pictures have no label and are left out")
    if (without := folder.tree.count - rows - unlabelled) > 0:
        said.append(f"{without:,} picture files are in no row and not read")
    if others := [found.path.name for found in listings if found.path not in [one.path for one in chosen]]:
        said.append(f"{', '.join(others[:4])} {'is' if len(others) == 1 else 'are'} not read")
    return said
