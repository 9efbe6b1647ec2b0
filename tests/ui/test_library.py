"""The library and the glossary as pages, what they open, and the presenter's mode around all pages."""

import pytest
from streamlit.testing.v1 import AppTest

from explorer.learning.library.glossary import meaning
from explorer.learning.library.papers import paper, papers
from explorer.learning.library.trials import REGISTRIES, Trial, trials
from explorer.ui.navigation import PAGES
from explorer.ui.parts import trying
from explorer.ui.state.form_keys import METHOD, OTHER, SPARSE_METHOD, WAY
from explorer.ui.state.workspace import WORKSPACES
from tests.ui.pages import button, visited, words_of


def library(**address: str) -> AppTest:
    space = WORKSPACES.create()
    test = visited("library", space)
    if address:
        for name, value in address.items():
            test.query_params[name] = value
        test.run()
    assert not test.exception
    return test


def workspace(test: AppTest):
    return WORKSPACES.get(test.session_state["workspace"])


def test_a_paper_is_read_with_what_can_be_tried_and_what_was_published_of_it():
    test = library(paper="he2019filter")
    assert "geometric median" in words_of(test)
    assert test.subheader[0].value == paper("he2019filter").title
    assert "Published, not measured here: 20 results" in words_of(test)
    assert "spvr" in words_of(test)  # the source of its rows, with what is doubtful in it
    button(test, "Try Geometric median").click().run()
    assert not test.exception
    assert workspace(test).criterion == "fpgm"
    assert test.title[0].value == PAGES["look"].title


def test_an_unknown_paper_in_the_address_is_told():
    test = library(paper="nobody1999nothing")
    assert "no paper 'nobody1999nothing'" in words_of(test)
    assert "paper" not in test.query_params


def test_the_list_follows_the_filters():
    test = library()
    assert f"{len(papers())} of {len(papers())} papers" in words_of(test)
    test.multiselect(key="tags of the library").set_value(["tokens"]).run()
    assert f"7 of {len(papers())} papers" in words_of(test)
    test.toggle(key="only here").set_value(True).run()
    assert f"0 of {len(papers())} papers" in words_of(test)
    assert not test.exception


@pytest.mark.slow
def test_all_published_results_stand_in_the_library_too():
    test = library()
    test.radio(key="library shown").set_value("Published results").run()
    assert not test.exception
    assert "of 785 published results." in words_of(test)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("trial", "page", "controls"),
    [
        (("recovery", "lbyl"), "recover", {WAY: "more", OTHER: "lbyl"}),
        (("recovery", "reconstruct"), "recover", {WAY: "repair"}),
        (("method", "ifap"), "recover", {METHOD: "ifap"}),
        (("method", "dg2pf"), "weights", {SPARSE_METHOD: "dg2pf"}),
        (("budget", "erk"), "cut", {"allocator": "erk"}),
        (("normaliser", "lamp"), "cut", {"normaliser": "lamp"}),
    ],
)
def test_what_is_tried_stands_in_the_controls_of_its_page(trial, page, controls):
    kind, name = trial
    wanted = Trial(kind, name, REGISTRIES[kind][name].title)
    assert trying.page_of(wanted) == page
    space = WORKSPACES.create()
    space.replace({"layer2.0.conv1": 0.5})  # so that Recover has something to recover from
    test = visited("library", space)
    for key, value in trying.controls(wanted).items():
        test.session_state[key] = value
    test.switch_page(PAGES[page].path).run()
    assert not test.exception
    assert {key: test.session_state[key] for key in controls} == controls
    assert {key: space.form[key] for key in controls if key != SPARSE_METHOD} == {
        key: value for key, value in controls.items() if key != SPARSE_METHOD
    }


def test_every_trial_leads_to_a_page():
    for one in papers().values():
        for trial in trials(one):
            assert trying.page_of(trial) in PAGES


def test_the_glossary_is_searched_and_says_what_hovering_says():
    test = visited("glossary", WORKSPACES.create())
    assert not test.exception
    assert meaning("exact") in words_of(test)
    test.text_input(key="word of the glossary").set_value("least squares").run()
    assert meaning("reconstruction") in words_of(test)
    assert meaning("exact") not in words_of(test)
    look = visited("look", WORKSPACES.create())
    assert {metric.label: metric.help for metric in look.metric}["MACs"] == meaning("MACs")


def presented(test: AppTest) -> bool:
    return any("--zoom" in entry.proto.body for entry in test.get("html"))


def test_a_workspace_is_presented_by_a_link_or_a_click_until_that_is_taken_back():
    space = WORKSPACES.create()
    test = visited("glossary", space)
    assert not presented(test)
    test.query_params["present"] = "1"
    test.run()
    assert presented(test)
    assert "present" not in test.query_params
    assert presented(visited("glossary", space))  # another tab of the same workspace
    button(test, "Stop presenting").click().run()
    assert not presented(test)
    button(test, "Present").click().run()
    assert presented(test)
    assert not presented(visited("glossary", WORKSPACES.create()))
