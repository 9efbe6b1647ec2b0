"""How sure a difference is that was measured on the same images and over the same seeds."""

import numpy as np

DRAWS = 10_000
_LEVELS = (2.5, 97.5)


def interval(ours: np.ndarray, theirs: np.ndarray, draws: int = DRAWS, seed: int = 0) -> tuple[float, float]:
    """The 95 % interval of how much more of the images ours answers right, by percentiles of a paired bootstrap.

    Seeds and images are drawn anew with replacement, independently of each other, and each drawn pair of a seed and an
    image counts for both networks: the pigeonhole bootstrap (Owen 2007, Ann. Appl. Stat. 1(2), 386–411), which for
    crossed random effects is at worst too wide. One seed, drawn again, is the same: then images alone vary.

    Args:
        ours, theirs: whether each image is answered right, bool (seeds, images), both in the same order.
        draws: how often.
        seed: of the draws.

    Raises:
        ValueError: they are of different seeds or images, or of none.
    """
    if ours.shape != theirs.shape or ours.ndim != 2 or 0 in ours.shape:
        raise ValueError(f"answers of shapes {ours.shape} and {theirs.shape} can't be paired")
    seeds, images = ours.shape
    difference = ours.astype(np.int64) - theirs.astype(np.int64)
    patterns, counts = np.unique(difference, axis=1, return_counts=True)  # images with the same column are alike
    generator = np.random.default_rng(seed)
    drawn_images = generator.multinomial(images, counts / images, size=draws)
    drawn_seeds = generator.multinomial(seeds, np.full(seeds, 1 / seeds), size=draws)
    means = ((drawn_seeds @ patterns) * drawn_images).sum(1) / (seeds * images)
    low, high = np.percentile(means, _LEVELS)
    return float(low), float(high)
