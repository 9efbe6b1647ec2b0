"""What every page writes can be read, in both themes: contrast and size of all text, charts and the board included."""

from pathlib import Path

import pytest

from .app import PAGES, settled, visit

pytestmark = pytest.mark.browser

TEXTS = Path(__file__).with_name("legible.js").read_text(encoding="utf-8")
CONTRAST = 4.5  # WCAG 2.2, 1.4.3
SIZE = 14  # pixels


def hard_to_read(page):
    texts = page.evaluate(TEXTS)
    assert len(texts) > 10
    return [
        f"{entry['text']!r}: {entry['ratio']:.2f}:1, {entry['size']:.1f} px"
        for entry in texts
        if entry["ratio"] < CONTRAST - 0.01 or entry["size"] < SIZE - 0.1
    ]


@pytest.mark.slow
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_all_text_can_be_read(app, page, scheme):
    page.emulate_media(color_scheme=scheme)
    page.set_viewport_size({"width": 1440, "height": 2400})
    faint = {}
    for path, title in PAGES.items():
        visit(page, f"{app.url}/{path}", title)
        if title == "Cut":
            page.get_by_role("button", name="Share it out").click()
            settled(page)
        page.wait_for_timeout(500)  # charts fade in
        if found := hard_to_read(page):
            faint[title] = sorted(set(found))
    assert faint == {}
