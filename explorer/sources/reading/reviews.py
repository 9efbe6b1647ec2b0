"""A made text task: short reviews in which who is praised or blamed depends on negation and on degree."""

import numpy as np

from explorer.registry import Number

SETTINGS = {
    "n": Number(4000, 200, 100_000, "how many reviews", whole=True),
    "seed": Number(0, 0, 2**31 - 1, "of the reviews", whole=True),
}
CLASSES = ("negative", "neutral", "positive")

_THINGS = "film book meal hotel phone camera game concert lecture garden museum train".split()
_GOOD = "good pleasant charming brilliant fine lovely clever superb".split()
_BAD = "bad dull awful boring poor ugly clumsy dreadful".split()
_PLAIN = "long short new old small large red wooden".split()
_DEGREES = {"": 1.0, "slightly ": 0.5, "very ": 1.5, "extremely ": 2.0}
_FRAMES = (
    "the {thing} was {a}",
    "i found the {thing} {a}",
    "the {thing} was {a} and {b}",
    "the {thing} seemed {a} but the ending was {b}",
    "we thought that the {thing} was {a} , and my friend found it {b}",
    "last week we saw a {thing} that was {a}",
)


def generate(count: int, seed: int) -> tuple[list[str], np.ndarray]:
    """`count` reviews and how much each praises, float32 from −1 (blame) over 0 to 1; always the same for a seed.

    Every class of `classify` is about equally frequent.
    """
    generator = np.random.default_rng([seed, count])
    made = [_review(index % 3 - 1, generator) for index in range(count)]
    order = generator.permutation(count)
    texts, scores = zip(*(made[index] for index in order), strict=True)
    return list(texts), np.array(scores, dtype=np.float32)


def classify(scores: np.ndarray) -> np.ndarray:
    """The index in `CLASSES` of each score."""
    return (np.sign(scores) + 1).astype(np.int64)


def _review(tendency: int, generator: np.random.Generator) -> tuple[str, float]:
    """One review whose score has the sign `tendency`."""
    while True:
        frame = _FRAMES[generator.integers(len(_FRAMES))]
        first, second = _judgement(tendency, generator), _judgement(generator.integers(-1, 2), generator)
        score = first[1] + (second[1] if "{b}" in frame else 0.0)
        if np.sign(score) == tendency:
            thing = _THINGS[generator.integers(len(_THINGS))]
            return frame.format(thing=thing, a=first[0], b=second[0]), score / 4


def _judgement(tendency: int, generator: np.random.Generator) -> tuple[str, float]:
    """A phrase such as "not very good", and what it says: −2 to 2. A negation turns praise into mild blame."""
    if tendency == 0:
        return str(generator.choice(_PLAIN)), 0.0
    degree = list(_DEGREES)[generator.integers(len(_DEGREES))]
    if generator.random() < 0.4:  # "not very bad" says less than its parts
        word = generator.choice(_BAD if tendency > 0 else _GOOD)
        return f"not {degree}{word}", 0.5 * tendency * _DEGREES[degree]
    word = generator.choice(_GOOD if tendency > 0 else _BAD)
    return f"{degree}{word}", tendency * _DEGREES[degree]


def vocabulary() -> list[str]:
    """Every word that a review can have, in alphabetical order."""
    frames = " ".join(_FRAMES).replace("{thing}", "").replace("{a}", "").replace("{b}", "").split()
    degrees = [degree.strip() for degree in _DEGREES if degree]
    return sorted({*frames, *_THINGS, *_GOOD, *_BAD, *_PLAIN, *degrees, "not"})
