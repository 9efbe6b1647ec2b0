"""Keys and values of controls that other pages set, so that they open as a paper, a lesson or a run wants them."""

from explorer.recovery import reconstruction

BOARD, BY_ITSELF = "Cut as on the board", "Let a method choose"
WHO = "who chooses"  # the key of one of these two, on Recover
METHOD, BOARD_METHOD = "method", "method of the board"  # the keys of the method, for each of them
NOTHING, REPAIR, TRAIN, MORE = "none", "repair", "finetune", "more"
LEAST_SQUARES = reconstruction.REPAIR  # the recovery that a repair is, where any layer can be solved
WAY, OTHER = "way", "other way"  # the keys of what follows the board's cut, and of which it is under More
ALLOCATOR, NORMALISER = "allocator", "normaliser"  # the keys of how targets are shared out, on Cut
SPARSE_METHOD = "sparse method"  # the key of the method that sets single weights to zero, on Weights


def following(recovery: str) -> dict[str, str]:
    """The values of the controls on Recover, by their keys, for a recovery that follows the board's cut."""
    first = {NOTHING: NOTHING, LEAST_SQUARES: REPAIR, TRAIN: TRAIN}
    way = {WAY: first[recovery]} if recovery in first else {WAY: MORE, OTHER: recovery}
    return {WHO: BOARD, **way}
