"""The widget of a notebook in a real browser, between a page and the Python that it belongs to.

The page stands for a notebook: it gives the widget's own module a model that talks to the widget, as anywidget does.
"""

import pytest
from playwright.sync_api import Page, expect

import explorer as ex
from explorer.board.widget import BoardWidget
from explorer.structure import count
from explorer.ui.text import words

from .boards import at, counter, removed, row, slider

pytestmark = pytest.mark.browser

INNER = "layer1.0.conv1"
TRAITS = ("fixed", "state", "answer")
NOTEBOOK = """<!doctype html><html><head><style>.row { color: rgb(1, 2, 3); }</style></head>
<body data-jp-theme-light="true" style="margin: 0">
<div id="notebook" style="background: rgb(255, 255, 255); color: rgba(0, 0, 0, 0.87)">
<div class="row" id="other">another output</div><div id="left"></div><div id="right"></div></div></body></html>"""
FRONTEND = """async ([esm, places, given]) => {
    const [traits, heard] = [given, {}];
    Object.assign(window, { sent: [], keys: [], close: [] });
    window.tell = (news) => {
        for (const [name, value] of Object.entries(news)) {
            const other = JSON.stringify(traits[name]) !== JSON.stringify(value);
            traits[name] = value;
            if (other) for (const act of heard[`change:${name}`] ?? []) act();
        }
    };
    const model = {
        get: (name) => traits[name],
        on: (event, act) => (heard[event] ??= []).push(act),
        off: (event, act) => { heard[event] = heard[event].filter((other) => other !== act); },
        send: async (message) => {
            window.sent.push(message);
            if (!window.deaf) window.tell(await window.toPython(message));
        },
    };
    window.heard = heard;
    document.addEventListener("keydown", (event) => window.keys.push(event.key));
    const module = await import(URL.createObjectURL(new Blob([esm], { type: "text/javascript" })));
    for (const id of places) {  // made before it is shown, as JupyterLab does
        const el = document.createElement("div");
        window.close.push(module.default.render({ model, el }));
        document.getElementById(id).append(el);
    }
}"""


@pytest.fixture(scope="module")
def problem():
    return ex.open("demo:resnet20-digits", device="cpu")


@pytest.fixture(scope="module")
def scores(problem):
    return problem.score("l1")


@pytest.fixture
def widget(problem, scores):
    widget = problem.board(scores, samples=64)
    assert widget.wait(60)
    return widget


def show(page: Page, widget: BoardWidget, *places: str) -> Page:
    """The widget in a notebook, at one place or at several."""

    def hear(message):
        widget.comm.handle_msg({"content": {"data": {"method": "custom", "content": message}}, "buffers": []})
        return {name: getattr(widget, name) for name in TRAITS}

    page.expose_function("toPython", hear)
    page.set_content(NOTEBOOK)
    given = {name: getattr(widget, name) for name in TRAITS}
    page.evaluate(FRONTEND, [widget.get_state("_esm")["_esm"], places or ("left",), given])
    page.locator(".board .row").first.wait_for()
    return page


@pytest.fixture
def shown(page, widget):
    return show(page, widget)


def answered(page, widget):
    """What the line above the board says once Python has measured."""
    assert widget.wait(60)
    page.evaluate("(news) => window.tell(news)", {name: getattr(widget, name) for name in TRAITS})
    return page.get_by_role("status").inner_text()


def sent(page, kind):
    return [message for message in page.evaluate("window.sent") if message["kind"] == kind]


def drag(page, name, fraction):
    page.mouse.move(*at(page, name, 0.0))
    page.mouse.down()
    page.mouse.move(*at(page, name, fraction), steps=4)


def test_cost_follows_the_hand_and_python_measures_when_it_lets_go(shown, widget, problem):
    whole, before = answered(shown, widget), counter(shown, "macs")
    drag(shown, INNER, 0.5)
    assert removed(shown, INNER) == 8
    assert counter(shown, "macs") != before
    assert sent(shown, "commit") == []
    shown.mouse.up()
    (message,) = sent(shown, "commit")
    assert message["commit"]["removed"] == {INNER: 8}
    expect(shown.get_by_role("button", name="Undo")).to_be_enabled()
    cost = count(problem.cut(widget.plan).module, problem.packed)
    assert widget.cost == cost
    assert counter(shown, "macs") == words.count(cost.macs)
    assert counter(shown, "params") == words.count(cost.params)
    said = answered(shown, widget)
    assert said != whole
    expect(shown.locator(".answer")).to_have_class("answer")
    assert widget.answer["value"] in said
    assert "on 64 validation images, simulated by a mask" in said


def test_keys_typed_numbers_locks_and_the_way_back(shown, widget):
    handle = slider(shown, INNER)
    handle.focus()
    handle.press("ArrowRight")
    handle.press("ArrowRight")
    shown.wait_for_function("window.sent.length === 1")
    assert len(widget.plan.remove[INNER]) == 2
    row(shown, INNER).locator(".stays").click()
    row(shown, INNER).get_by_role("textbox").fill("25%")
    row(shown, INNER).get_by_role("textbox").press("Enter")
    expect(handle).to_have_attribute("aria-valuenow", "12")
    handle.press("l")
    expect(handle).to_have_attribute("aria-disabled", "true")
    handle.press("Control+z")
    expect(handle).to_have_attribute("aria-disabled", "false")
    shown.get_by_role("button", name="Undo").click()
    expect(handle).to_have_attribute("aria-valuenow", "2")
    assert len(widget.plan.remove[INNER]) == 2
    handle.focus()
    handle.press("Control+Shift+z")
    expect(handle).to_have_attribute("aria-valuenow", "12")
    shown.get_by_role("button", name="Reset").click()
    expect(handle).to_have_attribute("aria-valuenow", "0")
    assert widget.plan.empty
    assert shown.evaluate("window.keys") == []  # a notebook's own shortcuts hear none of it


def test_what_was_measured_before_is_told_apart_while_the_kernel_is_busy(shown):
    shown.evaluate("window.deaf = true")
    row(shown, INNER).get_by_role("button", name=f"Lock {INNER}").click()
    expect(shown.locator(".answer")).to_have_class("answer")
    before = counter(shown, "macs")
    drag(shown, "layer1.1.conv1", 0.5)
    shown.mouse.up()
    assert counter(shown, "macs") != before
    expect(shown.locator(".answer")).to_have_class("answer busy")


def test_python_moves_the_lines(shown, widget):
    widget.go_to({INNER: 0.25})
    answered(shown, widget)
    expect(slider(shown, INNER)).to_have_attribute("aria-valuenow", "4")
    assert counter(shown, "macs") == words.count(widget.cost.macs)


def test_all_places_that_show_it_agree(page, widget):
    show(page, widget, "left", "right")
    left, right = (
        page.locator(f"#{place}").get_by_role("group", name=INNER, exact=True) for place in ("left", "right")
    )
    for hand, other, gone in ((left, right, 1), (right, left, 2)):
        hand.get_by_role("slider").press("ArrowRight")
        expect(other.get_by_role("slider")).to_have_attribute("aria-valuenow", str(gone))
        assert len(widget.plan.remove[INNER]) == gone


def test_progress_and_errors_are_seen(shown, widget):
    going = {**widget.answer, "value": "91.0% so far", "note": "evaluating as set here", "fraction": 0.25}
    shown.evaluate("(news) => window.tell(news)", {"answer": going})
    bar = shown.locator(".progress")
    assert bar.locator("i").bounding_box()["width"] == pytest.approx(0.25 * bar.bounding_box()["width"], abs=1)
    failed = {**widget.answer, "value": "", "note": "<b>no</b> such thing", "fraction": None, "failed": True}
    shown.evaluate("(news) => window.tell(news)", {"answer": failed})
    expect(shown.get_by_role("status")).to_contain_text("<b>no</b> such thing")
    assert bar.locator("i").bounding_box()["width"] == 0


def colour(page, locator, name="backgroundColor"):
    return page.locator(locator).evaluate(f"(e) => getComputedStyle(e).{name}")


def test_the_theme_is_the_notebooks_also_when_it_changes(shown):
    assert colour(shown, ".board") == colour(shown, ".answer") == "rgb(255, 255, 255)"
    accent = colour(shown, ".counter[data-kind=macs] .bar i")
    picture = shown.locator(".board canvas").evaluate("(e) => e.toDataURL()")
    shown.evaluate("""() => {
        Object.assign(document.getElementById("notebook").style, { background: "rgb(17, 17, 17)", color: "white" });
        document.body.dataset.jpThemeLight = "false";
    }""")
    expect(shown.locator(".frame")).to_have_class("frame dark")
    assert colour(shown, ".board") == colour(shown, ".answer") == "rgb(17, 17, 17)"
    assert colour(shown, ".board", "color") == "rgb(255, 255, 255)"
    assert colour(shown, ".counter[data-kind=macs] .bar i") != accent
    shown.wait_for_function(
        "(old) => document.querySelector('#left div div').shadowRoot.querySelector('canvas').toDataURL() !== old",
        arg=picture,
    )


def test_styles_stay_on_their_side(shown):
    assert colour(shown, "#other", "position") == "static"
    assert colour(shown, ".board .row >> nth=0", "color") != "rgb(1, 2, 3)"


def test_nothing_is_left_of_a_closed_view(shown, widget):
    shown.evaluate("window.close[0]()")
    expect(shown.locator("#left > div > *")).to_have_count(0)
    assert shown.evaluate("Object.values(window.heard).flat().length") == 0


@pytest.mark.parametrize("width", [400, 640, 1000])
def test_nothing_sticks_out_at_any_width(page, widget, width):
    page.set_viewport_size({"width": width, "height": 900})
    show(page, widget)
    for part in (".answer", ".board"):
        box = page.locator(part).bounding_box()
        assert box["x"] >= 0
        assert box["x"] + box["width"] <= width
    assert page.locator(".answer").evaluate("(e) => e.scrollWidth <= e.clientWidth")
