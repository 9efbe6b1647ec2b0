"""Texts that ask a page, a terminal or a file to do something, and documents full of them."""

from collections.abc import Iterator
from itertools import cycle
from typing import Any

HOST = "evil.example"
TEXTS = (
    f"![x](http://{HOST}/a.png)",
    f"[click](http://{HOST})",
    f"<img src=http://{HOST}/b.png onerror=alert(1)>",
    f"<script>alert(1)</script><iframe src=http://{HOST}></iframe>",
    f"https://{HOST}/a_b?c=d",
    f"www.{HOST}",
    f"write to a@{HOST} now",
    f"mailto:a@{HOST}",
    f"<http://{HOST}>",
    f"[a][1] [1]: http://{HOST}",
    f"[^1] and [^1]: http://{HOST}",
    "[a](javascript:alert(1))",
    ":red[loud] :blue-badge[x] :material/home: :smile: :streamlit: ::leaf[x] :small",
    "$x^2$ and $$y$$ &lt;b&gt; &#58;",
    "# head **bold** _slanted_ ~~gone~~ `code` | a | b |",
    "100. one",
    "- item",
    "> quote -> x -- y <= z",
    "a\n===\n    code\n```\nfence",
    "right\u202eto\u2066left\x1b[31mred\x1b]0;title\x07\x00nul",
    "odd \ud800 half",
    "=cmd|' /C calc'!A0",
    "long" * 100,
)
"""Each of another kind: images, links in all their forms, tags, directives, formulas, marks, steering characters."""


def read(text: str) -> str:
    """A text as a person sees it, without the characters that have no width and in one line."""
    return " ".join(text.replace("\u2060", "").split())


def infected(document: Any, kept: frozenset[str], texts: Iterator[str] | None = None) -> Any:
    """The document with another hostile text for every text in it, except under the keys `kept`."""
    texts = cycle(TEXTS) if texts is None else texts
    if isinstance(document, dict):
        return {key: value if key in kept else infected(value, kept, texts) for key, value in document.items()}
    if isinstance(document, list):
        return [infected(value, kept, texts) for value in document]
    return next(texts) if isinstance(document, str) else document
