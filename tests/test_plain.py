"""Text that is shown as it is written: in Markdown, on a terminal, in the files of an export."""

import io
import random

import pytest
from markdown_it import MarkdownIt

from explorer.cli.console import Answer, Console, table
from explorer.export.card import model_card
from explorer.plain import MOST, code, plain, visible
from tests.hostile import HOST, TEXTS, read

MARKDOWN = MarkdownIt("commonmark").enable(["table", "strikethrough"])
HARMLESS = {"text", "text_special", "softbreak"}


def shown(markdown: str) -> str:
    """What a paragraph of Markdown reads as; fails where it is anything else than text."""
    tokens = MARKDOWN.parse(markdown)
    assert [token.type for token in tokens] == ["paragraph_open", "inline", "paragraph_close"], markdown
    children = tokens[1].children
    assert {child.type for child in children} <= HARMLESS, markdown
    return "".join(child.content for child in children)


@pytest.mark.parametrize("text", TEXTS)
def test_markdown_reads_as_it_is_written(text):
    assert read(shown(plain(text))) == read(visible(text))
    assert read(shown(f"- {plain(text)}"[2:])) == read(visible(text))


def test_any_mixture_of_marks_reads_as_it_is_written():
    drawn = random.Random(0)
    parts = [
        *"\\`*_[](){}<>#+-.!|~$:&@=^\"'/ \n\t1a",
        "www.",
        "http://",
        "&amp;",
        ":red[",
        "](",
        "<!--",
        "-> ",
        "a@b.c",
    ]
    for _ in range(3000):
        text = "x" + "".join(drawn.choices(parts, k=drawn.randint(1, 12)))
        text = text[drawn.randint(0, 1) :]
        if text.strip():
            assert read(shown(plain(text))) == read(visible(text)), repr(text)


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("https://a.b", "https:"),
        ("HTTP://A.B", "HTTP:"),
        ("www.a.b", "www."),
        ("me@a.b", "@a"),
        (":smile:", ":smile"),
        (":material/home:", ":material/"),
        ("a -> b", "->"),
        ("a <= b", "<="),
    ],
)
def test_what_is_looked_for_after_backslashes_is_taken_apart(text, found):
    assert found not in shown(plain(text))
    assert read(shown(plain(text))) == text


@pytest.mark.parametrize(
    "text",
    ["layer1.0.conv1", "digits", "41.0 M MACs (−49.8%)", "+0.3 points", "ResNet-20, handwritten digits", "10.4%"],
)
def test_ordinary_words_and_numbers_stay_as_they_are(text):
    assert plain(text) == text


def test_refs_can_be_copied():
    for ref in ("torchvision:resnet50@IMAGENET1K_V2", "folder:/a_b/c*d", "file:w.pth#torchvision:vgg11?num_classes=3"):
        assert shown(plain(ref)) == ref
        assert code(ref) == f"`{ref}`"


def test_a_long_text_ends_in_an_ellipsis():
    assert read(shown(plain("a" * 2 * MOST))) == "a" * (MOST - 1) + "…"


def test_code_is_code_or_plain():
    assert code("a`b") == plain("a`b")
    assert code("a|b") == "a\\|b"
    assert code("") == ""
    assert code("a\nb") == "`a b`"


def test_what_is_not_seen_is_spelled_out():
    assert visible("a\x1b[31m\u202eb\udcff\tc\r\nd") == "a\\x1b[31m\\u202eb\\udcff c  d"
    assert visible("a\nb", keep="\n") == "a\nb"
    assert visible("می\u200cخواهم 👩\u200d🔬 é") == "می\u200cخواهم 👩\u200d🔬 é"


def test_a_terminal_obeys_no_text(capsys):
    text = "x\x1b[2J\x07\ry\u202e"
    answers = io.StringIO()
    console = Console(answers)
    console.answer(Answer({}, table(["name", "n"], [[text + "\nz", 1], ["b", 2]])))
    console.report(0.5, text)
    lines = answers.getvalue().splitlines()
    assert len(lines) == 3
    assert not set("".join(lines) + capsys.readouterr().err) & set("\x1b\x07\r\u202e")


def test_columns_stand_below_each_other_in_any_script():
    lines = table(["name", "n"], [["日本語", 1], ["e\u0301te\u0301", 2], ["abcdef", 3]]).splitlines()
    assert lines == ["name    n", "日本語  1", "e\u0301te\u0301     2", "abcdef  3"]


def test_a_card_shows_names_as_they_are_written():
    text = TEXTS[0] + TEXTS[4] + TEXTS[5] + TEXTS[18]
    measured = {"params": 1, "macs": 1, "latency": [{"device": text}], "metric": "top1", "top1": 0.5, "samples": 9}
    report = {
        "title": text,
        "model": text,
        "data": text,
        "input_shape": [3, 8, 8],
        "base": measured,
        "pruned": measured,
        "groups": [{"name": f"a|{text}", "size": 2, "kept": 1}],
        "attributes": {text: {"stride": 2}},
        "spec": {"method": text},
        "warnings": [text],
        "checks": [{"name": text, "batches": [1], "max_abs_diff": 0}],
    }
    tokens = MARKDOWN.parse(model_card(report, {"README.md": text}))
    inline = [child for token in tokens for child in token.children or ()]
    assert not {"link_open", "image", "html_inline", "html_block"} & {child.type for child in [*inline, *tokens]}
    words = "".join(child.content for child in inline if child.type != "code_inline")
    assert HOST in words
    assert "https://" not in words
    assert "www." not in words
    assert [token.tag for token in tokens if token.type == "heading_open"] == ["h1", *["h2"] * 4]
