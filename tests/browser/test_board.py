"""The board in a real browser: hands and keys, the numbers while they move, and what Python gets."""

import random
import re

import pytest
import torch
from playwright.sync_api import expect

from explorer.board import scripts
from explorer.board.document import board_document
from explorer.board.wire import split
from explorer.budget import LatencyModel
from explorer.criteria import Scores, score
from explorer.pruning import Plan
from explorer.sources import load_model
from explorer.structure import CostModel, analyse
from explorer.structure.links import links
from explorer.structure.types import Product
from explorer.ui.text.words import count
from tests import measurements, nets

from .app import running, settled
from .boards import SCRIPT, at, counter, known, removed, row, show, slider, switch

pytestmark = pytest.mark.browser

STEM, INNER, OTHER = "conv1", "layer1.0.conv1", "layer3.1.conv1"
DEMOS = ("resnet20-digits", "vgg-digits", "vit-digits")
TORCHVISION = ("resnet50", "densenet121", "mobilenet_v3_small", "shufflenet_v2_x0_5")
DEEP = ("resnet20-digits", "vit-digits", "resnet50", "mobilenet_v3_small")  # that have residual blocks
NETWORKS = {**{name: f"demo:{name}" for name in DEMOS}, **{name: f"torchvision:{name}" for name in TORCHVISION}}
PIXELS = 64


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    with running(tmp_path_factory.mktemp("board"), SCRIPT) as server:
        yield server


@pytest.fixture
def shown(server, page):
    show(page, server)
    return page


# The same numbers in both languages --------------------------------------------------------------------------


def in_browser(page, name, body, argument):
    """What `body` gives for the module `m` and the argument `x`."""
    script = f"""async ([source, x]) => {{
        const m = await import(URL.createObjectURL(new Blob([source], {{ type: "text/javascript" }})));
        {body} }}"""
    return page.evaluate(script, [scripts.joined(name), argument])


def structures():
    for name, net in nets.EXACT.items():
        yield name, analyse(nets.alive(net), torch.randn(1, *nets.INPUT), trial=False)
    for name, ref in NETWORKS.items():
        model = load_model(ref, input_shape=None if name in DEMOS else (3, PIXELS, PIXELS))
        yield name, analyse(model.module, model.example(), trial=False)


@pytest.fixture(scope="module")
def analysed():
    return dict(structures())


PRICE = """
const price = m.compileCost(x.cost, x.names, x.full);
return x.plans.map((kept) => { const c = price(kept); return [String(c.params), String(c.macs), typeof c.macs]; });
"""
COSTS = """
const rows = new m.Rows(x.fixed);
return x.plans.map(([removed, out]) => {
  rows.adopt(removed, [], out);
  const cost = rows.cost();
  return [Number(cost.params), Number(cost.macs)];
});
"""


def prices(page, model, full, plans):
    names = list(full)
    vectors = [[plan[name] for name in names] for plan in plans]
    argument = {"cost": model.to_json(), "names": names, "full": list(full.values()), "plans": vectors}
    return in_browser(page, "cost", PRICE, argument)


@pytest.mark.parametrize("name", [*nets.EXACT, *NETWORKS])
def test_the_browser_counts_as_python_does_to_the_unit(page, analysed, name):
    structure, generator = analysed[name], random.Random(name)
    plans = [{g: generator.randint(0, units) for g, units in structure.full.items()} for _ in range(20)]
    plans += [structure.full, dict.fromkeys(structure.full, 1)]
    expected = [structure.cost(plan) for plan in plans]
    found = prices(page, structure.cost_model, structure.full, plans)
    assert [(int(params), int(macs)) for params, macs, _ in found] == [(c.params, c.macs) for c in expected]
    assert {kind for *_, kind in found} == {"number"}


@pytest.mark.parametrize("name", DEEP)
def test_the_browser_counts_as_python_does_with_blocks_out(page, analysed, name):
    structure, generator = analysed[name], random.Random(name)
    document = board_document(structure, Scores("none", 0.0, {}, {}), {}, (), 0)
    blocks = [block["name"] for block in document["blocks"]]
    assert blocks
    plans, expected = [], []
    for part in [0.0, *[0.4] * 10, 1.0]:
        removed = {group: generator.randrange(units) for group, units in structure.full.items()}
        out = [block for block in blocks if generator.random() < part]
        plans.append(([*removed.values()], [block in out for block in blocks]))
        plan = Plan("", {group: tuple(range(count)) for group, count in removed.items()}, tuple(out))
        cost = plan.cost(structure)
        expected.append([cost.params, cost.macs])
    assert in_browser(page, "rows", COSTS, {"fixed": split(document)[0], "plans": plans}) == expected


def test_the_browser_is_exact_beyond_what_its_numbers_hold(page):
    width = ((3, ("a", "b")), (10**6 + 1, ("a",)), (7, ()))
    model = CostModel((Product(10**9 + 7, (width,)),), (Product(10**9 + 9, (width, width)),))
    plans = [{"a": 1001, "b": 997}, {"a": 999, "b": 1}, {"a": 0, "b": 5}]
    found = prices(page, model, {"a": 1001, "b": 997}, plans)
    assert [(int(params), int(macs)) for params, macs, _ in found] == [
        (cost.params, cost.macs) for cost in map(model, plans)
    ]
    assert found[0][2] == "bigint"
    assert model(plans[0]).macs > 2**53


def test_numbers_read_alike_in_both_languages(page):
    values = [0, 7, 999, 999.4, 1000, 9994, 9996, 99960, 272186, 40518272, 4089184256, 17.6e9, 999.6e9, 3e12]
    found = in_browser(page, "words", "return x.map(m.count);", values)
    assert found == [count(value) for value in values]


SNAP = """
const group = { units: 64, minimum: 10, most: 54, snap: 8 };
const walk = [0];
while (m.next(group, walk.at(-1), 1) !== walk.at(-1)) walk.push(m.next(group, walk.at(-1), 1));
return { allowed: x.map((count) => m.allowed(group, count)), walk, back: m.next(group, 16, -1) };
"""


def test_the_line_snaps_to_what_can_be_cut(page):
    found = in_browser(page, "rows", SNAP, [-3, 0, 1, 5, 13, 21, 47, 54, 99])
    assert found["allowed"] == [0, 0, 0, 8, 16, 24, 48, 48, 48]  # 16 is the smallest multiple of 8 above 10
    assert found["walk"] == [0, 8, 16, 24, 32, 40, 48]
    assert found["back"] == 8


def test_what_is_typed_is_a_count_or_a_percentage(page):
    texts = ["12", " 25 % ", "12,5%", "0", "many", "-4", "", "7 8"]
    found = in_browser(page, "hand", "return x.map((text) => m.typed(text, 64));", texts)
    assert found == [12, 16, 8, 0, None, None, None, None]


PACE = """
const rows = new m.Rows(x.fixed);
return x.plans.map((removed) => { rows.adopt(removed, []); return rows.cost().latency; });
"""


@pytest.mark.parametrize("name", ["plain", "residual", "resnet20-digits", "vit-digits", "mobilenet_v3_small"])
def test_the_browser_predicts_the_latency_that_python_does(page, analysed, name):
    structure, generator = analysed[name], random.Random(name)
    full = structure.full
    plans = [[generator.randrange(units) for units in full.values()] for _ in range(20)]
    plans += [[0] * len(full), [units - 1 for units in full.values()]]
    scores = Scores("none", 0.0, {}, {})
    document = board_document(structure, scores, {}, (), 0, latency=measurements.latency(structure))
    found = in_browser(page, "rows", PACE, {"fixed": split(document)[0], "plans": plans})
    model = LatencyModel(measurements.table(structure), structure)
    kept = [{g: units - gone for (g, units), gone in zip(full.items(), plan, strict=True)} for plan in plans]
    assert found == pytest.approx([model(each) for each in kept], abs=1e-4)
    assert found[-2] == pytest.approx(measurements.BASE)


# The lanes of the network --------------------------------------------------------------------------------------


def lanes(page, structure):
    names = {name: index for index, name in enumerate(structure.groups)}
    rows = [[names.get(link.source, -1), names.get(link.target, -1), link.layer] for link in links(structure)]
    laid = """const found = m.layLanes(x.count, x.links);
    for (const part of [found.forks, found.joins]) for (const one of part) one.run = found.runs.indexOf(one.run);
    return found;"""
    return in_browser(page, "lanes", laid, {"count": len(names), "links": rows})


@pytest.mark.parametrize(
    ("name", "width"),
    [
        ("plain", 1),
        ("residual", 2),
        ("vgg-digits", 1),
        ("resnet20-digits", 2),
        ("resnet50", 2),
        ("densenet121", 2),
        ("vit-digits", 2),
    ],
)
def test_lanes_are_reused_so_that_the_network_stays_narrow(page, analysed, name, width):
    assert lanes(page, analysed[name])["lanes"] == width


@pytest.mark.parametrize("name", [*nets.EXACT, *NETWORKS])
def test_no_two_runs_share_a_lane_and_every_group_is_on_one(page, analysed, name):
    found = lanes(page, analysed[name])
    taken = {}
    for number, run in enumerate(found["runs"]):
        for at_row in range(run["from"], run["to"]):  # the gaps below these rows
            assert taken.setdefault((run["lane"], at_row), number) == number
    members = [member["group"] for run in found["runs"] for member in run["members"]]
    assert set(members) == set(range(len(analysed[name].groups)))
    for fork in found["forks"]:
        run = found["runs"][fork["run"]]
        assert run["from"] < fork["row"] <= run["to"]
        assert {member["group"] for member in run["members"]} >= set(fork["groups"])


def test_a_gated_branch_goes_home_after_its_gate(page, analysed):
    structure = analysed["mobilenet_v3_small"]
    names = list(structure.groups)
    found = lanes(page, structure)
    gate, gated = names.index("features.5.block.2.fc1"), names.index("features.5.block.0.0")
    home, closing = (next(join for join in found["joins"] if join["group"] == group) for group in (gated, gate))
    assert found["runs"][closing["run"]]["members"][0]["group"] == gated
    assert found["runs"][closing["run"]]["end"] == "turn"
    assert (home["row"], home["late"], closing["row"], closing["early"]) == (gate, True, gate, True)


def test_parts_of_a_concatenation_run_on_as_one(page, analysed):
    structure = analysed["densenet121"]
    names = list(structure.groups)
    found = lanes(page, structure)
    trunk = found["runs"][0]
    assert trunk["members"][0] == {"group": 0, "from": 0}
    joined = {names[member["group"]] for member in trunk["members"][1:]}
    assert joined == {f"features.denseblock1.denselayer{i}.conv2" for i in range(1, 7)}


# Hands and keys ------------------------------------------------------------------------------------------------


def commits(page, number):
    """What Python holds after that many commits."""
    said_so_far(page, f'"commits": {number},')
    return known(page)


def said_so_far(page, text):
    page.wait_for_function(f"document.querySelector('[data-testid=stText]')?.innerText.includes('{text}')")


def test_numbers_move_before_the_hand_lets_go_and_python_hears_after(shown):
    page = shown
    before = {kind: counter(page, kind) for kind in ("macs", "params", "bytes")}
    page.mouse.move(*at(page, INNER, 0.0))
    page.mouse.down()
    seen = []
    for step in range(1, 9):
        page.mouse.move(*at(page, INNER, 0.5 * step / 8))
        seen.append(counter(page, "macs"))
    assert len(set(seen)) == 8
    assert all(counter(page, kind) != text for kind, text in before.items())
    assert removed(page, INNER) == 8
    assert known(page)["commits"] == 0
    page.mouse.up()
    told = commits(page, 1)
    assert told["removed"] == {INNER: 8}
    assert counter(page, "macs") == count(told["macs"])
    assert counter(page, "params") == count(told["params"])
    assert told["revision"] == 0


def test_a_drag_can_be_given_up(shown):
    shown.mouse.move(*at(shown, INNER, 0.0))
    shown.mouse.down()
    shown.mouse.move(*at(shown, INNER, 0.5))
    assert removed(shown, INNER) == 8
    shown.keyboard.press("Escape")
    expect(slider(shown, INNER)).to_have_attribute("aria-valuenow", "0")
    shown.mouse.up()
    assert known(shown)["commits"] == 0


def press_at_once(handle, *keys):
    """Keys without a pause between them, however slow the machine is."""
    press = "new KeyboardEvent('keydown', { key, bubbles: true, cancelable: true })"
    handle.evaluate(f"(element, keys) => {{ for (const key of keys) element.dispatchEvent({press}); }}", keys)


def test_keys_move_the_line_and_commit_once_when_they_rest(shown):
    handle = slider(shown, INNER)
    handle.focus()
    press_at_once(handle, "ArrowRight", "ArrowRight", "ArrowRight")
    expect(handle).to_have_attribute("aria-valuenow", "3")
    expect(handle).to_have_attribute("aria-valuetext", "3 of 16 channels leave, 81% stay")
    assert commits(shown, 1)["removed"] == {INNER: 3}
    press_at_once(handle, "ArrowLeft", "PageUp")
    expect(handle).to_have_attribute("aria-valuenow", "4")
    assert commits(shown, 2)["removed"] == {INNER: 4}
    press_at_once(handle, "End", "Home")
    assert commits(shown, 3)["removed"] == {}
    handle.press("End")
    expect(handle).to_have_attribute("aria-valuenow", "15")


def test_arrows_walk_through_all_rows_also_those_out_of_sight(shown):
    slider(shown, STEM).focus()
    for _ in range(18):  # eleven more groups, seven blocks
        shown.keyboard.press("ArrowDown")
    expect(slider(shown, "layer3.2.conv1")).to_be_focused()
    expect(slider(shown, "layer3.2.conv1")).to_be_in_viewport()
    shown.keyboard.press("ArrowDown")
    expect(slider(shown, "layer3.2.conv1")).to_be_focused()
    shown.keyboard.press("ArrowUp")
    expect(switch(shown, "layer3.2")).to_be_focused()
    shown.keyboard.press("ArrowUp")
    expect(slider(shown, "layer3.1.conv1")).to_be_focused()
    assert shown.locator(".row .strip[tabindex='0']").count() == 1


def test_a_count_or_a_percentage_can_be_typed(shown):
    row(shown, INNER).locator(".stays").click()
    field = row(shown, INNER).get_by_role("textbox")
    field.fill("12")
    field.press("Enter")
    assert commits(shown, 1)["removed"] == {INNER: 4}
    expect(slider(shown, INNER)).to_be_focused()
    slider(shown, INNER).press("Enter")
    field.fill("25%")
    field.press("Enter")
    assert commits(shown, 2)["removed"] == {INNER: 12}
    slider(shown, INNER).press("Enter")
    field.fill("a lot")
    field.press("Enter")
    expect(row(shown, INNER).locator(".stays")).to_be_visible()
    assert known(shown)["commits"] == 2


def test_a_block_is_taken_out_whole_and_put_back(shown):
    handle, inside = switch(shown, "layer1.0"), slider(shown, INNER)
    expect(handle).to_have_attribute("aria-checked", "true")
    before = counter(shown, "macs")
    handle.click()
    told = commits(shown, 1)
    assert (told["blocks"], told["removed"]) == (["layer1.0"], {})
    assert counter(shown, "macs") == count(told["macs"]) != before
    expect(handle).to_have_attribute("aria-checked", "false")
    expect(inside).to_have_attribute("aria-valuenow", "16")
    expect(inside).to_have_attribute("aria-disabled", "true")
    expect(row(shown, INNER)).to_contain_text("Leaves with layer1.0")
    handle.focus()
    handle.press("Space")
    assert commits(shown, 2)["blocks"] == []
    expect(handle).to_have_attribute("aria-checked", "true")
    expect(inside).to_have_attribute("aria-valuenow", "0")
    handle.press("ArrowRight")
    assert commits(shown, 3)["blocks"] == ["layer1.0"]
    handle.press("ArrowLeft")
    assert commits(shown, 4)["blocks"] == []


def test_a_locked_row_stays_as_it_is(shown):
    handle = slider(shown, INNER)
    handle.focus()
    handle.press("l")
    assert commits(shown, 1)["locked"] == [INNER]
    expect(handle).to_have_attribute("aria-disabled", "true")
    handle.press("ArrowRight")
    shown.mouse.move(*at(shown, INNER, 0.0))
    shown.mouse.down()
    shown.mouse.move(*at(shown, INNER, 0.5), steps=3)
    shown.mouse.up()
    assert removed(shown, INNER) == 0
    row(shown, INNER).get_by_role("button", name=f"Lock {INNER}").click()
    expect(row(shown, INNER).get_by_role("button", name=f"Lock {INNER}")).to_have_attribute("aria-pressed", "false")
    handle.press("ArrowRight")
    expect(handle).to_have_attribute("aria-valuenow", "1")


def test_selected_rows_move_together_by_the_same_fraction(shown):
    for name in (INNER, OTHER):
        row(shown, name).get_by_role("checkbox").check()
    expect(shown.get_by_text("2 rows selected")).to_be_visible()
    shown.mouse.move(*at(shown, INNER, 0.0))
    shown.mouse.down()
    shown.mouse.move(*at(shown, INNER, 0.25), steps=4)
    shown.mouse.up()
    assert commits(shown, 1)["removed"] == {INNER: 4, OTHER: 16}
    shown.get_by_role("spinbutton").fill("50")
    shown.get_by_role("spinbutton").press("Enter")
    assert commits(shown, 2)["removed"] == {INNER: 8, OTHER: 32}
    shown.get_by_role("button", name="Clear").click()
    expect(shown.get_by_text("Tick rows to move them together")).to_be_visible()


def test_a_click_on_a_cell_asks_for_that_unit(shown):
    shown.mouse.click(*at(shown, INNER, 0.03))
    told = commits(shown, 1)
    assert told["selected"] == INNER
    assert told["removed"] == {}
    loaded = load_model("demo:resnet20-digits")
    structure = analyse(loaded.module, loaded.example(), trial=False)
    lowest = int(score("l1", loaded.module, structure, None).groups[INNER].argmin())
    assert told["inspect"] == [INNER, lowest]


def test_the_board_follows_python_and_drops_what_was_older(shown):
    slider(shown, INNER).focus()
    slider(shown, INNER).press("ArrowRight")
    shown.get_by_role("button", name="Half").click()  # within the pause after the key
    expect(slider(shown, INNER)).to_have_attribute("aria-valuenow", "8")
    told = known(shown)
    assert told["removed"][INNER] == 8
    assert told["revision"] == 1
    assert counter(shown, "macs") == count(told["macs"])
    slider(shown, INNER).press("ArrowRight")
    said_so_far(shown, '"layer1.0.conv1": 9')
    shown.get_by_role("button", name="Nothing").click()
    expect(slider(shown, INNER)).to_have_attribute("aria-valuenow", "0")
    assert known(shown)["removed"] == {}


def test_a_board_that_comes_back_shows_what_python_holds(shown):
    slider(shown, INNER).focus()
    slider(shown, INNER).press("ArrowRight")
    commits(shown, 1)
    toggle = shown.get_by_text("Show the board")
    toggle.click()
    expect(shown.locator(".board")).to_have_count(0)
    settled(shown)
    toggle.click()
    expect(slider(shown, INNER)).to_have_attribute("aria-valuenow", "1")
    slider(shown, INNER).focus()
    slider(shown, INNER).press("ArrowRight")
    assert commits(shown, 2)["removed"] == {INNER: 2}


def test_a_finger_drags_a_line(server, browser):
    context = browser.new_context(viewport={"width": 420, "height": 900}, has_touch=True, is_mobile=True)
    page = context.new_page()
    show(page, server)
    send = context.new_cdp_session(page).send
    x, y = at(page, INNER, 0.0)
    end, _ = at(page, INNER, 0.5)
    for kind, where in (("touchStart", x + 1), *(("touchMove", x + part * (end - x) / 5) for part in range(1, 6))):
        send("Input.dispatchTouchEvent", {"type": kind, "touchPoints": [{"x": where, "y": y}]})
    expect(slider(page, INNER)).to_have_attribute("aria-valuenow", "8")
    send("Input.dispatchTouchEvent", {"type": "touchEnd", "touchPoints": []})
    assert commits(page, 1)["removed"] == {INNER: 8}
    context.close()


# What is seen --------------------------------------------------------------------------------------------------


def test_pointing_at_a_cell_says_what_it_is_and_what_it_costs(shown):
    shown.mouse.move(*at(shown, INNER, 0.97))
    tip = shown.get_by_role("tooltip")
    expect(tip).to_contain_text(re.compile(r"^Channel \d+"))
    expect(tip).to_contain_text("16 of 16, lowest first")
    expect(tip).to_contain_text(re.compile(r"One channel[\d.]+ k MACs, \d+ parameters"))
    expect(shown.locator(".foot")).to_contain_text(f"Only {INNER} makes these channels")
    row(shown, STEM).hover()
    expect(shown.locator(".foot")).to_contain_text("tied by the addition")


@pytest.fixture
def measured(server, page):
    show(page, server, measured=1)
    return page


def chart(page, name, which):
    return row(page, name).locator(f".{which}")


def test_the_latency_moves_with_the_hand_as_python_predicts_it(measured, analysed):
    structure = analysed["resnet20-digits"]
    model = LatencyModel(measurements.table(structure), structure)
    counter_ = measured.locator(".counter[data-kind=latency]")
    expect(counter_).to_contain_text("predicted ±4.8%")
    expect(counter_).to_contain_text("torch eager, CPU (2 threads)")
    assert counter(measured, "latency") == "2.00 ms"
    measured.mouse.move(*at(measured, INNER, 0.0))
    measured.mouse.down()
    seen = {}
    for step in range(1, 9):
        measured.mouse.move(*at(measured, INNER, 0.5 * step / 8))
        seen[removed(measured, INNER)] = counter(measured, "latency")
    measured.mouse.up()
    assert len(seen) == 8
    assert seen == {gone: f"{model({INNER: 16 - gone}):.2f} ms" for gone in seen}
    assert commits(measured, 1)["removed"] == {INNER: 8}
    expect(measured.locator(".spoken")).to_contain_text(f"Latency {seen[8]}")


def test_small_charts_are_read_by_pointing_and_by_ear(measured):
    tip = measured.get_by_role("tooltip")
    box = chart(measured, INNER, "time").bounding_box()
    measured.mouse.move(box["x"] + 3 + 9 / 16 * (box["width"] - 6), box["y"] + 10)  # nine of sixteen leave
    expect(tip).to_contain_text("7 of 16 channels, all else whole")
    expect(tip).to_contain_text(re.compile(r"Latency2\.\d\d ms, \+\d.*Cliff\+0\.\d+ ms from 8 channels: slower"))
    box = chart(measured, INNER, "curve").bounding_box()
    measured.mouse.move(box["x"] + 3 + 0.5 * (box["width"] - 6), box["y"] + 10)
    expect(tip).to_contain_text(re.compile(r"Without 50%, all else whole.*Whole network98\.0%"))
    handle = slider(measured, INNER)
    sentence = r"Latency, cut alone: 2\.00 ms whole, fastest 1\.9\d ms with 8 of 16 channels\. Cliffs: 16 to 15 "
    expect(handle).to_have_accessible_description(re.compile(sentence))
    expect(handle).to_have_accessible_description(re.compile(r"top-1 98\.0% whole, 97\.\d% without 10%"))
    handle.focus()
    handle.press("ArrowRight")
    expect(handle).to_have_accessible_description(re.compile(r"; as set here 2\.\d\d ms with \d\d\.\d% of the MACs"))
    expect(measured.locator(".foot")).to_contain_text("Cut alone as set here: top-1 about 97.")
    last = slider(measured, "layer3.2.conv1")
    expect(last).to_have_accessible_description(re.compile("^Latency"))  # its sensitivity was not measured


def test_cells_are_coloured_by_what_was_measured(measured):
    choice = measured.get_by_role("group", name="Colour the cells by")
    expect(choice.get_by_role("button", name="score")).to_have_attribute("aria-pressed", "true")
    pictures = {picture(measured)}
    for name, legend in (("loss when cut", re.compile(r"^±0−\d+\.\d%$")), ("latency", re.compile(r"^0 ms−\d"))):
        choice.get_by_role("button", name=name).click()
        expect(choice.get_by_role("button", name=name)).to_have_attribute("aria-pressed", "true")
        expect(measured.locator(".legend")).to_have_text(legend)
        measured.wait_for_timeout(200)
        pictures.add(picture(measured))
    assert len(pictures) == 3
    assert known(measured)["asked"] is None


def picture(page):
    return page.locator(".board canvas").evaluate("e => e.toDataURL()")


def test_colours_that_are_not_measured_ask_for_it(shown):
    choice = shown.get_by_role("group", name="Colour the cells by")
    button = choice.get_by_role("button", name="loss when cut")
    expect(button).to_have_attribute("title", re.compile("Not measured yet"))
    button.click()
    said_so_far(shown, '"asked": "loss"')
    expect(button).to_have_attribute("aria-pressed", "false")


@pytest.mark.parametrize(("groups", "scrolls"), [(30, False), (40, True)])
def test_the_board_is_as_high_as_its_rows_up_to_thirty(server, page, groups, scrolls):
    page.set_viewport_size({"width": 1366, "height": 640})
    show(page, server, many=groups)
    inner = page.locator(".board .scroll").evaluate("e => [e.scrollHeight, e.clientHeight]")
    assert (inner[0] > inner[1]) == scrolls
    assert page.locator(".board").bounding_box()["height"] < 640 or not scrolls
    last = slider(page, str(groups - 1))
    slider(page, "0").focus()
    for _ in range(groups - 1):
        page.keyboard.press("ArrowDown")
    expect(last).to_be_focused()
    expect(last).to_be_in_viewport(ratio=1)


def test_no_text_is_small(measured):
    small = """root => [...root.querySelectorAll("*")].filter((e) => e.textContent && e.getClientRects().length
        && parseFloat(getComputedStyle(e).fontSize) < 14).map((e) => e.className)"""
    assert measured.locator(".board").evaluate(small) == []


def test_without_measurements_rows_have_no_small_charts(shown):
    assert shown.locator(".counter:visible").count() == 3
    assert shown.locator(".row .time:visible, .row .curve:visible, .columns .time").count() == 0
    expect(slider(shown, INNER)).to_have_accessible_description("")


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_colours_follow_the_theme(server, page, scheme):
    page.emulate_media(color_scheme=scheme)
    show(page, server)
    background = page.locator(".board").evaluate("e => getComputedStyle(e).backgroundColor")
    assert background == ("rgb(255, 255, 255)" if scheme == "light" else "rgb(18, 24, 27)")
    assert inked(page) > 2000


def test_the_picture_is_drawn_again_when_the_theme_changes(server, page):
    page.emulate_media(color_scheme="light")
    show(page, server)
    before = page.locator(".board canvas").evaluate("e => e.toDataURL()")
    page.emulate_media(color_scheme="dark")
    page.wait_for_function(
        """() => [...document.querySelectorAll("*")].some((e) => e.shadowRoot?.querySelector(".board")
        && getComputedStyle(e.shadowRoot.querySelector(".board")).backgroundColor === "rgb(18, 24, 27)")"""
    )
    expect(page.locator(".board")).to_be_visible()
    page.wait_for_timeout(200)
    assert page.locator(".board canvas").evaluate("e => e.toDataURL()") != before


def inked(page):
    """How many pixels of the network's canvas are not empty."""
    return page.locator(".board canvas").evaluate(
        """e => { const d = e.getContext("2d").getImageData(0, 0, 120, e.height).data;
        let n = 0; for (let i = 3; i < d.length; i += 4) if (d[i] > 0) n++; return n; }"""
    )


@pytest.mark.parametrize("width", [400, 700, 1600])
@pytest.mark.parametrize("extra", [{}, {"measured": 1}], ids=["scores", "measured"])
def test_nothing_sticks_out_at_any_width(server, page, width, extra):
    page.set_viewport_size({"width": width, "height": 900})
    show(page, server, model="demo:vit-digits", cut=0.3, **extra)
    for one in page.locator(".row .time:visible").all():
        assert one.bounding_box()["width"] > 60
    inner = page.locator(".board .scroll").evaluate("e => [e.scrollWidth, e.clientWidth]")
    assert inner[0] <= inner[1]
    outer = page.locator(".board").bounding_box()
    assert outer["x"] >= 0
    assert outer["x"] + outer["width"] <= width
    box = slider(page, "patch").bounding_box()
    assert box["width"] > 200


def test_only_what_is_in_sight_is_in_the_page(server, page):
    show(page, server, many=60)
    assert page.locator(".board .row").count() < 30
    page.locator(".board .scroll").evaluate("e => { e.scrollTop = e.scrollHeight; }")
    expect(slider(page, "59")).to_be_in_viewport()
    assert page.locator(".board .row").count() < 30


def test_heavy_arrays_travel_once(server, page):
    frames = []
    page.on("websocket", lambda socket: socket.on("framereceived", lambda data: frames.append(len(data))))
    show(page, server, many=60)
    first = sum(frames)
    frames.clear()
    slider(page, "3").focus()
    slider(page, "3").press("ArrowRight")
    assert commits(page, 1)["removed"] == {"3": 1}
    assert first > 200_000
    assert sum(frames) < 10_000
