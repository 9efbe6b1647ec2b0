"""Frames and delays while a line is dragged in Chromium: the board against as many of Streamlit's own sliders.

    python benchmarks/board.py [--json] [--groups 20,60,200] [--moves 60] [--drags 5]

Every group has 300 channels, so 200 groups are 60,000 cells; the *measured* board also has every group's staircase and
curve and predicts the latency. *Number* is the time from an input event to the moment
the new cost stands in the page: on the board the next number after every move of the pointer, with sliders the one
that Python sends after the release, since they send nothing before. *Python* is the time from the release to the cost
that Python has computed. A ratio is the sliders' number delay over the board's.
"""

import shutil
import statistics
import tempfile
from itertools import pairwise
from pathlib import Path
from typing import Any

from playwright.sync_api import Browser, Page, sync_playwright
from sidebyside import options, present

from tests.browser.app import App, launch, running, settled
from tests.browser.boards import SCRIPT

WATCH = """
() => {
  const watch = { frames: [], inputs: [], released: 0, numbers: [], answers: [] };
  window.watch = watch;
  const frame = (now) => { watch.frames.push(now); watch.handle = requestAnimationFrame(frame); };
  requestAnimationFrame(frame);
  addEventListener("pointermove", (event) => watch.inputs.push(event.timeStamp), true);
  addEventListener("pointerup", (event) => { watch.released = event.timeStamp; }, true);
  const open = (root) => [...root.querySelectorAll("*")].flatMap((e) => e.shadowRoot ? [e.shadowRoot] : []);
  const number = open(document).map((root) => root.querySelector(".counter .now")).find((found) => found);
  const every = { childList: true, characterData: true, subtree: true };
  if (number) new MutationObserver(() => watch.numbers.push(performance.now())).observe(number, every);
  const answer = document.querySelector("[data-testid=stMain]");
  let text = answer.querySelector("[data-testid=stText]").textContent;
  new MutationObserver(() => {
    const now = answer.querySelector("[data-testid=stText]")?.textContent;
    if (now && now !== text) { text = now; watch.answers.push(performance.now()); }
  }).observe(answer, every);
}
"""


HANDLES = {
    "board": ".board .row .thumb",
    "measured": ".board .row .thumb",
    "sliders": "[data-testid=stSlider] [data-rac]:has(> [data-testid=stSliderThumbValue])",
}


def drag(page: Page, handle: str, moves: int, pixels: int) -> dict[str, Any]:
    """Drags the first of `handle` to the right; what the page saw from the first move to Python's answer."""
    box = page.locator(handle).first.bounding_box()
    x, y = box["x"] + box["width"] / 2, box["y"] + box["height"] / 2
    page.mouse.move(x, y)
    page.mouse.down()
    page.evaluate("() => { for (const list of Object.values(watch)) if (list.length) list.length = 0; }")
    for step in range(1, moves + 1):
        page.mouse.move(x + pixels * step / moves, y)
        page.wait_for_timeout(8)
    seen = page.evaluate(
        "() => ({ frames: [...watch.frames], inputs: [...watch.inputs], numbers: [...watch.numbers] })"
    )
    page.mouse.up()
    page.wait_for_function("() => watch.answers.some((at) => at > watch.released)")
    answer = page.evaluate("() => watch.answers.find((at) => at > watch.released) - watch.released")
    return {
        "gaps": [b - a for a, b in pairwise(seen["frames"])],
        "numbers": [at - max(i for i in seen["inputs"] if i <= at) for at in seen["numbers"]],
        "answer": answer,
    }


def measure(browser: Browser, way: str, app: App, groups: int, chosen: Any) -> dict[str, Any]:
    context = browser.new_context(viewport={"width": 1400, "height": 900})
    page = context.new_page()
    page.set_default_timeout(120_000)
    page.goto(f"{app.url}/?many={groups}{'' if way == 'board' else f'&{way}=1'}")
    page.locator(HANDLES[way]).first.wait_for()
    settled(page)
    page.evaluate(WATCH)
    drag(page, HANDLES[way], 10, 20)  # the first drag pays for compiling
    drags = []
    for _ in range(chosen.drags):
        settled(page)
        drags.append(drag(page, HANDLES[way], chosen.moves, 100))
    context.close()
    gaps = [gap for seen in drags for gap in seen["gaps"]]
    answers = [seen["answer"] for seen in drags]
    delays = [delay for seen in drags for delay in seen["numbers"]] or answers
    return {
        "groups": groups,
        "way": way,
        "frames/s": 1000 * len(gaps) / sum(gaps),
        "longest frame ms": max(gaps),
        "numbers a drag": statistics.mean(len(seen["numbers"]) for seen in drags),
        "number ms": statistics.median(delays),
        "worst ms": max(delays),
        "Python ms": statistics.median(answers),
    }


def main() -> None:
    chromium = shutil.which("chromium")
    if chromium is None:
        raise SystemExit("no chromium on this machine: `apt-get install chromium` as root, then run this again")
    chosen = options(__doc__, groups="20,60,200", moves=60, drags=5)
    rows, ratios = [], {}
    with tempfile.TemporaryDirectory() as folder, running(Path(folder), SCRIPT) as app, sync_playwright() as playwright:
        browser = launch(playwright, chromium)
        for groups in map(int, chosen.groups.split(",")):
            found = [measure(browser, way, app, groups, chosen) for way in HANDLES]
            ours, _, native = found
            rows += found
            ratios[f"{groups} groups"] = native["number ms"] / ours["number ms"]
        browser.close()
    present(rows, ratios, as_json=chosen.json)


if __name__ == "__main__":
    main()
