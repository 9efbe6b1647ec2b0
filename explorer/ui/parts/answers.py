"""Samples with what a network answers to them, the wrong answers marked."""

from collections.abc import Sequence

import numpy as np
import streamlit as st

from explorer.plain import plain
from explorer.tasks import Answered, Task
from explorer.ui.charts.evidence import enlarged
from explorer.ui.parts import say
from explorer.ui.text import words

LONGEST = 22  # letters of a name under a picture


def show(task: Task, found: Sequence[Answered], *, width: int = 96, title: str = "") -> None:
    """Samples with their answers, side by side or, where they are texts, one below another.

    A wrong answer reads ``3 → 5`` in the colour of what is lost and says that it is wrong; one that another network
    gave otherwise says what it was before.

    Args:
        task: that they are samples of.
        found: from `explorer.tasks.answered`, or `answered_classes` for a plan's answers.
        width: of a picture, in pixels.
        title: above them; empty: how many of them are right.
    """
    st.markdown(f"**{plain(title or summary(task, found))}**")
    pictures = [each for each in found if isinstance(each.shown, np.ndarray)]
    with st.container(horizontal=True, gap="small"):
        for each in pictures:
            with st.container(width=width, gap=None):
                picture(task, each, width)
                _verdict(each)
    for each in found:
        if isinstance(each.shown, str):
            with st.container(gap=None):
                say.caption(f"“{words.middle(each.shown, 160)}”")
                _verdict(each)


def picture(task: Task, each: Answered, width: int) -> None:
    """A sample that is a picture."""
    about = f"One of the {words.samples(task)}, of {each.label}, answered {each.answer}"
    st.image(enlarged(each.shown), width=width, alt=about)


def summary(task: Task, found: Sequence[Answered]) -> str:
    """How many of the answers are right, or what they are, in a sentence."""
    noun = words.samples(task)
    right = [each.right for each in found if each.right is not None]
    if not right:
        return f"What the network answers to {len(found)} test {noun}"
    wrong = right.count(False)
    if not wrong:
        return f"It answers all of these {len(right)} test {noun} right"
    return f"It answers {len(right) - wrong} of these {len(right)} test {noun} right"


def told(each: Answered) -> str:
    """An answer in words: ``3``, ``3 → 5, wrong``, with how sure the network is of it."""
    if each.right is None:
        return f"{each.answer} ({each.note})" if each.note else each.answer
    name = words.middle(each.answer, LONGEST)
    said = name if each.right else f"{words.middle(each.label, LONGEST)} → {name}, wrong"
    return f"{said}, {each.confidence:.0%} sure" if each.confidence is not None else said


def _verdict(each: Answered) -> None:
    if each.right is False:
        st.markdown(f":small[:red[{plain(told(each))}]]")
    else:
        say.caption(told(each))
    if each.before:
        say.caption(f"{words.middle(each.before, LONGEST)} before the cut")
