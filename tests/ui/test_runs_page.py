"""The page of runs without a browser: found, chosen, named, gone on from, compared in facets, and deleted."""

import json

import pandas as pd
import pytest
import streamlit as st

from explorer.methods.spec import Spec
from explorer.runs.history.baselines import baselines
from explorer.runs.history.facets import frontier
from explorer.runs.labels import COLOURS, label_of
from explorer.ui.charts.colours import RUNS
from explorer.ui.parts import compared
from explorer.ui.state.workspace import MODEL, WORKSPACES
from tests.markdown import as_read
from tests.ui.pages import button, desk_of, visited, words_of
from tests.ui.test_pages import run_folder

PAIRED = {"both": 250, "lost": 17, "gained": 1, "neither": 2}
RATIO = {"batch": 1, "base_ms": 2.0, "ms": 1.2, "ratio": 0.6, "low": 0.55, "high": 0.66, "rounds": 20}


@pytest.fixture(autouse=True)
def fresh(tmp_path, monkeypatch):
    monkeypatch.setenv("EXPLORER_RUNS", str(tmp_path))
    st.cache_data.clear()


@pytest.fixture
def desk(tmp_path, monkeypatch):
    with desk_of(tmp_path, monkeypatch) as made:
        monkeypatch.setattr(type(made), "_advance", lambda desk, lane: None)
        yield made


def change(root, id, **facts):
    path = root / id / "bundle" / "report.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | facts))


def looking_at(space, *ids):
    """The page with these runs chosen."""
    test = visited("runs", space)
    assert not test.exception
    return test.multiselect(key="chosen runs").set_value(list(ids)).run()


def rows(test) -> pd.DataFrame:
    return test.dataframe[0].value


def test_without_runs_the_page_says_what_will_be_there(desk):
    test = visited("runs", WORKSPACES.create())
    assert not test.exception
    assert "**No run yet.**" in test.markdown[0].value
    assert button(test, "Make one")


def test_a_row_says_what_a_run_reaches_and_whether_that_is_real(desk, tmp_path):
    space = WORKSPACES.create()
    run_folder(tmp_path, space.token, "one")
    run_folder(tmp_path, space.token, "four", method="one-shot", criterion="l1", created=2.0)
    run_folder(tmp_path, space.token, "stopped", state="failed", created=3.0)
    change(tmp_path, "one", against_base={"paired": PAIRED, "latency": [RATIO]}, trained=False)
    test = visited("runs", space)
    assert not test.exception
    table = rows(test).set_index("Run")
    assert list(table.index) == ["stopped", "four", "one"]
    assert list(table["State"]) == ["failed", "finished", "finished"]
    assert table.loc["one", "MACs kept"] == 50.0
    assert table.loc["one", "Test metric"] == "top-1 95.0% (92.0–97.0%)"
    assert table.loc["one", "Against its base"] == "worse: 17 lost, 1 gained"
    assert table.loc["one", "Time of its base"] == 0.6
    assert pd.isna(table.loc["four", "Time of its base"])
    assert table.loc["one", "Mind"] == "untrained: it guesses"


def test_a_word_filters_the_rows_and_leaves_what_is_chosen(desk, tmp_path):
    space = WORKSPACES.create()
    run_folder(tmp_path, space.token, "one")
    run_folder(tmp_path, space.token, "four", method="one-shot", criterion="l1", created=2.0)
    test = looking_at(space, "one")
    test.text_input(key="filter of runs").set_value("one shot").run()
    assert not test.exception
    assert list(rows(test)["Run"]) == ["four"]
    assert test.multiselect(key="chosen runs").value == ["one"]


def test_one_run_is_told_and_opened_on_the_board(desk, tmp_path):
    space = WORKSPACES.create()
    run_folder(tmp_path, space.token, "one", criterion="l1", data="random")
    change(tmp_path, "one", against_base={"paired": PAIRED, "latency": [RATIO]})
    test = looking_at(space, "one")
    said = words_of(test)
    assert "17 images were lost and 1 gained: a real difference (p < 0.001)" in said
    assert "One pass takes 0.60× as long as its base (0.55–0.66)" in said
    button(test, "Open on the board").click().run()
    assert not test.exception
    assert space.budget == {"conv1": 6 / 16}


def test_a_run_is_taken_along_branched_and_cut_further(desk, tmp_path):
    space = WORKSPACES.create()
    run_folder(tmp_path, space.token, "one", criterion="l1", data="random")
    test = looking_at(space, "one")
    assert "it has no latency ratio" in words_of(test)
    button(test, "Take it along").click().run()
    assert not test.exception
    assert "take" not in test.session_state  # the page has taken it
    assert test.title[0].value == "Take"
    assert (space.model, space.data) == (MODEL, "random")
    test = looking_at(space, "one")
    button(test, "Branch").click().run()
    assert test.title[0].value == "Recover"
    assert "Settings of one" in words_of(test)
    assert space.budget == {"conv1": 6 / 16}
    test = button(looking_at(space, "one"), "Cut further").click().run()
    assert test.title[0].value == "Cut"
    assert "one/bundle" in test.error[0].value  # what was to be opened: this run has no weights


def test_a_run_is_renamed_and_has_its_colour_everywhere(desk, tmp_path):
    space = WORKSPACES.create()
    job = run_folder(tmp_path, space.token, "one")
    test = looking_at(space, "one")
    next(entry for entry in test.text_input if entry.label == "Name").set_value("half of it")
    next(entry for entry in test.selectbox if entry.label == "Colour").set_value("rust")
    next(entry for entry in test.text_area if entry.label == "Notes").set_value("as *agreed*")
    button(test, "Save").click().run()
    assert not test.exception
    assert list(rows(test)["Run"]) == ["half of it"]
    assert label_of(job.bundle, "one").notes == "as *agreed*"
    assert "as *agreed*" in words_of(test)
    shown, _ = compared.finished(space)
    assert compared.colours_of(shown)["half of it"] == RUNS["rust"]


def test_a_run_is_deleted_for_good_and_nothing_else(desk, tmp_path):
    space = WORKSPACES.create()
    run_folder(tmp_path, space.token, "one")
    run_folder(tmp_path, space.token, "other", created=2.0)
    test = looking_at(space, "one")
    button(test, "Delete it for good").click().run()
    assert "not certainly a run" in test.error[0].value
    assert (tmp_path / "one").is_dir()
    named = tmp_path / "20260101-000000-0123456789ab"
    (tmp_path / "one").rename(named)
    st.cache_data.clear()
    button(looking_at(space, "one"), "Delete it for good").click().run()
    assert not named.exists()
    assert (tmp_path / "other").is_dir()


def test_runs_that_have_no_result_are_told_and_can_go(desk, tmp_path):
    space = WORKSPACES.create()
    name = "20260101-000000-0123456789ab"
    run_folder(tmp_path, space.token, name, state="failed")
    test = looking_at(space, name)
    assert not test.exception
    button(test, "Delete it for good").click().run()
    assert not (tmp_path / name).exists()


def test_runs_under_way_stand_above_with_their_progress(desk, tmp_path):
    space = WORKSPACES.create()
    desk.submit(Spec(MODEL, "digits", keep={"macs": 0.5}), owner=space.token)
    test = visited("runs", space)
    assert not test.exception
    assert list(rows(test)["State"]) == ["waiting"]
    assert button(test, "Cancel")


def test_nobody_sees_the_runs_of_another_unless_they_look(desk, tmp_path):
    mine, theirs = WORKSPACES.create(), WORKSPACES.create()
    run_folder(tmp_path, mine.token, "one")
    run_folder(tmp_path, theirs.token, "other", created=2.0, model="demo:vgg-digits")
    for space, name in ((mine, "one"), (theirs, "other")):
        test = visited("runs", space)
        assert list(rows(test)["Run"]) == [name]
        assert "1 run of others on this server not shown" in words_of(test)
    test = visited("runs", mine)
    test.radio(key="whose runs").set_value("Everyone's").run()
    assert dict(zip(rows(test)["Run"], rows(test)["Whose"], strict=True)) == {"other": "another's", "one": "mine"}
    test.multiselect(key="chosen runs").set_value(["other"]).run()
    assert not test.exception
    assert "Delete it for good" not in [entry.label for entry in test.button]


def test_on_a_shared_server_there_is_nothing_to_look_for(desk, tmp_path, monkeypatch):
    monkeypatch.setenv("EXPLORER_ROOTS", str(tmp_path / "nothing"))
    mine, theirs = WORKSPACES.create(), WORKSPACES.create()
    run_folder(tmp_path, mine.token, "one")
    run_folder(tmp_path, theirs.token, "other", created=2.0)
    test = visited("runs", mine)
    assert list(rows(test)["Run"]) == ["one"]
    assert "of others" not in words_of(test)


def test_the_command_lines_runs_are_the_machines_owners(desk, tmp_path, monkeypatch):
    run_folder(tmp_path, "", "made-there")
    assert list(rows(visited("runs", WORKSPACES.create()))["Run"]) == ["made-there"]
    monkeypatch.setenv("EXPLORER_ROOTS", str(tmp_path))
    test = visited("runs", WORKSPACES.create())
    assert "**No run yet.**" in test.markdown[0].value
    assert "1 run of others" in words_of(test)


def test_several_are_compared_with_numbers_widths_and_channels(desk, tmp_path):
    space = WORKSPACES.create()
    run_folder(tmp_path, space.token, "one", recover="distill", epochs=1)
    run_folder(tmp_path, space.token, "four", method="one-shot", criterion="l1", ratios={"conv1": 0.375}, created=2.0)
    test = looking_at(space, "one", "four")
    assert not test.exception
    numbers = test.dataframe[1].value
    assert list(numbers["MACs kept"]) == ["50.0%", "50.0%"]
    assert list(numbers["Against its base"]) == ["−4.0 points"] * 2
    said = words_of(test)
    assert "**validation** data" in said
    assert "A dash under time" in said
    assert "71% of the removed units" in said  # both remove conv1's 0 to 4, each one more


def test_a_latency_that_was_timed_on_a_busy_machine_says_so(desk, tmp_path):
    space = WORKSPACES.create()
    for id, waited in (("one", 0.4), ("four", 0.01)):
        run_folder(tmp_path, space.token, id)
        pruned = json.loads((tmp_path / id / "bundle" / "report.json").read_text())["pruned"]
        latency = [{"device": "cpu", "batch": 1, "median_ms": 1.0, "low_ms": 0.9, "high_ms": 1.1, "waited": waited}]
        change(tmp_path, id, against_base={"latency": [RATIO]}, pruned=pruned | {"latency": latency})
    test = looking_at(space, "one", "four")
    assert not test.exception
    numbers = test.dataframe[1].value
    assert sorted(numbers["Time of its base"]) == ["0.60× (0.55–0.66)", "0.60× (0.55–0.66), busy machine"]
    assert "others had the processors while the run was timed, so its latency is too long" in words_of(test)
    assert "Busy machine" not in words_of(looking_at(space, "four"))


def test_networks_and_data_stand_on_axes_of_their_own(desk, tmp_path):
    space = WORKSPACES.create()
    run_folder(tmp_path, space.token, "one")
    run_folder(tmp_path, space.token, "other", model="demo:vgg-digits", created=2.0)
    run_folder(tmp_path, space.token, "third", created=3.0)
    test = looking_at(space, "one", "other")
    assert not test.exception
    titles = [as_read(entry.value) for entry in test.subheader]
    assert f"{MODEL} on digits" in titles
    assert "demo:vgg-digits on digits" in titles
    shown, _ = compared.finished(space)
    for facet, entries in compared.by_facet(shown):
        finals, _ = compared.frames(entries)
        assert set(finals.run) - {compared.BASE} == set(facet.runs)
        assert {entry.run.network for entry in entries} == {facet.network}
        assert set(frontier([entry.run for entry in entries], "macs")) <= set(facet.runs)


def test_baselines_are_offered_submitted_and_then_in_the_picture(desk, tmp_path, monkeypatch):
    space = WORKSPACES.create()
    job = run_folder(tmp_path, space.token, "one", recover="distill", epochs=1)
    asked = []
    monkeypatch.setattr(desk, "submit", lambda spec, **named: asked.append(spec) or "later")
    test = looking_at(space, "one")
    next(entry for entry in test.button if entry.label.startswith("Add the baselines")).click().run()
    wanted = baselines(Spec.from_json(job.request["spec"]), job.result)
    assert asked == list(wanted.values())
    settings = {key: value for key, value in wanted["random"].to_json().items() if key not in ("model", "data")}
    run_folder(tmp_path, space.token, "three", created=3.0, **{**settings, "locked": ()})
    st.cache_data.clear()
    test = looking_at(space, "one")
    assert not test.exception
    assert dict(zip(test.dataframe[1].value["Run"], test.dataframe[1].value["What"], strict=True)) == {
        "three": "random channels",
        "one": "pruned",
    }
    assert "a baseline of one" in rows(test).set_index("Run").loc["three", "Mind"]


def luminance(colour: str) -> float:
    channels = [int(colour[place : place + 2], 16) / 255 for place in (1, 3, 5)]
    linear = [part / 12.92 if part <= 0.03928 else ((part + 0.055) / 1.055) ** 2.4 for part in channels]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


@pytest.mark.parametrize("ground", ["#ffffff", "#f3f6f7", "#12181b", "#1c2429"])
def test_every_colour_of_a_run_is_seen_in_light_and_dark(ground):
    assert set(RUNS) == set(COLOURS)
    for colour in RUNS.values():
        light, dark = sorted((luminance(colour), luminance(ground)), reverse=True)
        assert (light + 0.05) / (dark + 0.05) >= 3
