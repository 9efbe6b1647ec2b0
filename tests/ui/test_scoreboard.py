"""The scoreboard: the comparison with torch-pruning as it was kept, and every published result, with its source."""

from pathlib import Path

import numpy as np
import pytest
from streamlit.testing.v1 import AppTest

from explorer.bench.answers import packed
from explorer.bench.literature import METRICS, NETWORKS, PRUNED, SOURCES, TUNED, literature
from explorer.bench.rivals import REVISION, SMALL, compared, kept_lines, lines_text
from explorer.bench.rivals.players import CHOICE
from explorer.ui.state import session
from explorer.ui.state.workspace import WORKSPACES
from tests.ui.pages import ROOT, words_of

PUBLISHED = 785
SCRIPT = "from pathlib import Path\nfrom {2} import {0}\n{0}.show({1})\n"


@pytest.fixture
def shown(tmp_path, monkeypatch):
    """A part of the page by itself, for a new workspace."""
    space = WORKSPACES.create()
    monkeypatch.setattr(session, "current", lambda: space)

    def shown(part: str, argument: str = "") -> AppTest:
        script = tmp_path / f"{part}.py"
        script.write_text(
            SCRIPT.format(part, argument, "explorer.ui.parts" if part == "published" else "pages.scoreboard")
        )
        test = AppTest.from_file(str(script), default_timeout=60).run()
        assert not test.exception
        return test

    return shown


def choose(test: AppTest, **values: str) -> AppTest:
    for name, value in values.items():
        test.selectbox(key=f"published {name}").set_value(value).run()
        assert not test.exception
    return test


def test_every_published_row_can_be_seen_with_its_source(shown):
    test = shown("published")
    assert "published results of" in words_of(test)  # a chart of those that are chosen first
    choose(test, task="All", network="All", data="All", metric="All", x_kind="All")
    table = test.dataframe[0].value
    assert len(table) == PUBLISHED
    assert set(table.Source) == set(SOURCES)
    assert f"{PUBLISHED} of {PUBLISHED} published results." in words_of(test)
    assert "to see these results in a chart" in words_of(test)


@pytest.mark.parametrize(
    ("task", "least"),
    [("detection", 12), ("segmentation", 12), ("generation", 3), ("text", 80), ("image classification", 600)],
)
def test_no_kind_of_task_is_left_out(task, least):
    assert sum(row["task"] == task for row in literature()) >= least


def test_rows_without_a_difference_are_drawn_by_their_values(shown):
    test = choose(shown("published"), x_kind="All", metric="All", network="All", data="All", source="no-ft-list")
    assert {"GTP", "IFM", "DFPC", "ALDS", "SVD-NAS"} <= set(test.dataframe[0].value.Table)
    test = choose(shown("published"), network="ResNet-50", data="ImageNet", metric="top1", x_kind="params_kept_pct")
    assert "None of these results states" in words_of(test)
    test.radio(key="published shown").set_value("Values").run()
    assert not test.exception
    assert "for ResNet-50 on ImageNet" in words_of(test)


def test_a_network_has_one_name_and_its_variant_stands_beside_it():
    rows = literature()
    assert len(rows) == PUBLISHED
    spelled = {row["model"] for row in rows if row["network"] == "ResNet-50"}
    assert spelled == {"ResNet-50", "ResNet50", "ResNet-50 (V1)", "ResNet50-pruned"}
    assert {row["variant"] for row in rows if row["model"] == "ResNet-50 (V1)"} == {"V1"}
    plain = {name.lower().replace("-", "").replace(" ", "") for name in {row["network"] for row in rows}}
    assert len(plain) == len({row["network"] for row in rows})  # no two differ in hyphens, blanks and capitals alone
    assert set(NETWORKS) <= {row["model"] for row in rows}
    assert "CIFAR10" not in {row["data"] for row in rows}


def test_everything_that_a_row_names_has_words():
    for row in literature():
        assert row["metric"] in METRICS
        assert row["x_kind"] in PRUNED
        assert row["fine_tuned"] in TUNED
        assert row["source"] in SOURCES


def rival_rows() -> list[dict]:
    def row(side: str, player: str, right: int) -> dict:
        stage = {"value": right / 40, "right": packed(np.arange(40) < right), "seconds": 1.0}
        return {
            "run": player, "side": side, "player": player, "model": "demo:vgg-digits", "target": "macs=0.5", "seed": 0,
            "split": "test", "epochs": 0, "rounds": 1, "drawn": 32, "metric": "top1", "base": 1.0, "tested": 40,
            "params": 0.4, "macs": 0.5, "reach": 1.0, "stages": {"as_cut": stage, "recalibrated": stage},
        }  # fmt: skip

    return [row("ours", CHOICE, 36), row("theirs", "l2-global", 20)]


def kept_text() -> str:
    return lines_text(SMALL, rival_rows(), compared(rival_rows()))


def test_the_comparison_with_torch_pruning_is_shown(shown, tmp_path):
    file = tmp_path / "rivals.json"
    place = f"Path({str(file)!r})"
    assert "bench rivals --resume" in shown("against", place).code[0].value
    file.write_text(lines_text(SMALL, [], []))
    assert "bench rivals --small --resume" in shown("against", place).code[0].value
    file.write_text(kept_text())
    test = shown("against", place)
    assert "Of 2 rows without training, ours is ahead in 2 and at least equal in 2." in words_of(test)
    assert list(test.dataframe[0].value["verdict"]) == ["ahead", "ahead"]
    assert "bench rivals --small --resume" in test.code[0].value


@pytest.mark.parametrize(
    "text",
    [
        "\0",
        "[]",
        kept_text().replace('"as_cut"', '"nonsense"'),
        kept_text().replace('"l2-global"', '"nonsense"'),
        kept_text().replace('"base": 1.0', '"base": "all"'),
    ],
)
def test_what_is_damaged_is_told_and_leaves_the_page(shown, tmp_path, text):
    file = tmp_path / "rivals.json"
    file.write_text(text)
    assert "can't be read" in shown("against", f"Path({str(file)!r})").error[0].value


def test_what_was_measured_for_choosing_is_not_shown_as_a_test(shown, tmp_path):
    file = tmp_path / "rivals.json"
    file.write_text(kept_text().replace('"split": "test"', '"split": "validation"'))
    assert "not in this copy" in shown("against", f"Path({str(file)!r})").info[0].value


def test_the_lines_of_this_copy_are_of_its_revision():
    assert kept_lines(ROOT / "docs" / "rivals.json")["revision"] == REVISION


def test_the_image_and_the_wheel_take_what_the_page_reads():
    page = (ROOT / "pages" / "scoreboard" / "page.py").read_text()
    for name in ("scoreboard.jsonl", "rivals.json"):
        assert f'"docs" / "{name}"' in page
        assert (ROOT / "docs" / name).is_file()
        assert f"docs/{name}" in (ROOT / "Dockerfile").read_text()
        assert f"!docs/{name}" in (ROOT / ".dockerignore").read_text().splitlines()
        assert f'"docs/{name}" = ' in (ROOT / "pyproject.toml").read_text()
    assert Path(ROOT / "explorer" / "bench" / "literature.csv").is_file()
