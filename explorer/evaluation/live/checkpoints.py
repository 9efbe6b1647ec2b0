"""Where to keep intermediate results, so that most changes leave the least to compute within a memory budget."""

from collections.abc import Sequence

import numpy as np

from explorer.evaluation.live.tape import Tape


def choose(tape: Tape, changes: Sequence[int], budget: int) -> tuple[int, ...]:
    """Steps to begin at, chosen greedily by operations saved for a byte.

    Saved is the sum over `changes`, each of which may begin at the last chosen step that is not after it.

    Args:
        changes: the first step that each change affects, all taken to be equally likely.
        budget: bytes for everything that is kept; memory shared by several steps counts once.
    """
    steps = [index for index in range(1, len(tape.steps)) if tape.can_begin(index)]
    sizes = np.array(tape.sizes, dtype=np.int64)
    shared = np.zeros((len(steps), len(sizes)), dtype=bool)  # kept by reference
    copies = np.zeros(len(steps), dtype=np.int64)  # bytes
    for row, index in enumerate(steps):
        for slot in tape.live[index]:
            memory = tape.storage[slot]
            if tape.rewritten(slot, index):
                copies[row] += sizes[memory]
            else:
                shared[row, memory] = True
    before = np.array(tape.before, dtype=np.float64)[steps]
    served = np.array(steps)[:, None] <= np.array(changes)[None, :]
    saved = np.zeros(len(changes))
    left, chosen = budget, []
    while steps:
        gain = np.where(served, np.maximum(before[:, None] - saved, 0.0), 0.0).sum(1)
        price = shared @ sizes + copies
        worth = np.where((price <= left) & (gain > 0), gain / np.maximum(price, 1), 0.0)
        best = int(worth.argmax())
        if worth[best] == 0:
            break
        chosen.append(steps[best])
        left -= int(price[best])
        sizes[shared[best]] = 0
        copies[best] = 0
        saved = np.maximum(saved, np.where(served[best], before[best], 0.0))
    return tuple(sorted(chosen))
