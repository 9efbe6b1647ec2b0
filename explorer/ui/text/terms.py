"""What terms mean, in the glossary's words: whatever explains one on a page takes its sentence from here."""

from explorer.learning.library.glossary import meaning


def told(word: str, *further: str) -> str:
    """The sentence of the glossary, and what else is to be said in this place.

    Raises:
        ExplorerError: the glossary does not have the word.
    """
    return " ".join((meaning(word), *further))


def defined(word: str) -> str:
    """The word with its meaning, where both have to be said: ``Group: channels of several layers that …``"""
    sentence = meaning(word)
    keeps = sentence[:2].isupper() or sentence[:1] == "A"
    return f"{word[:1].upper()}{word[1:]}: {sentence if keeps else sentence[:1].lower() + sentence[1:]}"
