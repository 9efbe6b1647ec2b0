"""The glossary: one sentence for every word, and the same one wherever the word is explained."""

import re
from collections import Counter

import pytest

from explorer.errors import ExplorerError
from explorer.learning.library.glossary import about, meaning, search, term, terms
from explorer.ui.navigation import PAGES
from explorer.ui.text.terms import defined, told


def test_every_meaning_is_one_sentence_and_no_word_means_two_things():
    words = [word.lower() for each in terms().values() for word in (each.name, *each.also)]
    assert [word for word, count in Counter(words).items() if count > 1] == []
    for each in terms().values():
        assert re.fullmatch(r"[A-Z][^.!?]*\.", each.meaning), each.name
        assert len(each.meaning) < 180, each.name
        assert set(each.see) <= set(terms()), each.name
        assert not each.page or each.page in PAGES, each.name


@pytest.mark.parametrize(
    "word",
    "channel group unit stream MACs mask cut recalibration exact interval criterion budget plan recovery".split(),
)
def test_the_words_that_a_beginner_meets_first_are_there(word):
    assert term(word).name == word


def test_a_word_is_found_in_any_form():
    assert term("FLOPs").name == "MACs"
    assert term("Batch-norm recalibration").name == "recalibration"
    assert about("Parameters") == meaning("parameters")
    assert about("no such label") == ""
    with pytest.raises(ExplorerError, match="unknown term 'intervall': did you mean interval"):
        term("intervall")


def test_words_that_begin_like_what_is_looked_for_come_first():
    assert search("cut")[0].name == "cut"
    assert {each.name for each in search("least squares")} == {"reconstruction"}


def test_a_sentence_is_told_with_what_else_is_to_be_said():
    assert told("batch", "Ten.") == "Inputs that go through the network at the same time. Ten."
    assert defined("batch") == "Batch: inputs that go through the network at the same time."
    assert defined("ONNX").startswith("ONNX: A file format")


def test_synonyms_are_no_plurals():
    assert term("channel").synonyms == ("feature map",)
