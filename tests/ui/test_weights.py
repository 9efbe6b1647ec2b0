"""The page of weights: on a real run, finished and under way, and without any; pictures weight by weight."""

import base64
import io
import json

import numpy as np
import pytest
import streamlit as st
import torch
from PIL import Image

from explorer.errors import Cancelled
from explorer.export.layout import REPORT
from explorer.methods import METHODS
from explorer.runs.history.single_weights import Snapshot
from explorer.runs.queue.job import Job
from explorer.strict_json import dumps
from explorer.ui.charts import zeros
from explorer.ui.parts import compared
from explorer.ui.state.workspace import WORKSPACES
from pages.weights import matrix
from pages.weights.matrix import RETURNED, STAYS, ZERO, Matrix
from tests.runs.sparse_run import SPEC, sparse_run
from tests.ui.pages import button, desk_of, visited, words_of
from tests.ui.test_commandline import parsed
from tests.ui.test_pages import run_folder

RUN = "run of weights"


def job_of(space, folder, state, result=None):
    request = {"kind": "prune", "spec": SPEC.to_json()}
    folder.mkdir(exist_ok=True)
    job = Job(folder.name, space.token, "Sparse weights", request, "cpu", str(folder), state=state, result=result)
    job.save()
    return job


@pytest.fixture
def run(tmp_path, monkeypatch):
    """A workspace with a finished run, and its report."""
    space = WORKSPACES.create()
    folder = tmp_path / "one"
    folder.mkdir()
    with monkeypatch.context() as patch:
        report = sparse_run(folder / "bundle", patch)
    job_of(space, folder, "done", report)
    st.cache_data.clear()
    with desk_of(tmp_path, monkeypatch):
        yield space, report


def latency(test):
    [found] = [entry for entry in test.metric if entry.label == "Latency, batch of 1"]
    return found.value, found.delta


def told_otherwise(space, tmp_path, report, settings=None, **further):
    """The page of the run with other settings, and further facts of its zeros and of its end."""
    spec = {**report["spec"], "settings": report["spec"]["settings"] | (settings or {})}
    sparse, pruned = (report[name] | further.get(name, {}) for name in ("sparse", "pruned"))
    whole = report | {"spec": spec, "sparse": sparse, "pruned": pruned}
    (tmp_path / "one" / "bundle" / REPORT).write_text(dumps(whole))
    st.cache_data.clear()
    return visited("weights", space)


def facts(test):
    return {entry.label: entry.value for entry in test.metric}


def test_a_finished_run_step_by_step(run):
    space, report = run
    test = visited("weights", space)
    assert not test.exception
    layers = [layer["name"] for layer in report["sparse"]["layers"]]
    assert test.selectbox(key=f"layer {space.model}").options == layers
    for step in report["steps"][::-1]:
        test.select_slider[0].set_value(step["step"]).run()
        assert not test.exception
        layer, said = step["layers"][0], words_of(test)
        assert facts(test)["Zero"] == f"{step['sparsity']:.1%}"
        assert f"{layer['removed']:,} of {layer['weights']:,} weights leave" in said
        if step["step"] > 1:
            came = f"{layer['regrown']:,} weight" if layer["regrown"] else "no weight"
            assert f"{came}{'s' if layer['regrown'] > 1 else ''} came back since step {step['step'] - 1}" in said
    assert facts(test)["Structured"] == "100% of MACs"
    assert latency(test) == ("1.25 ms", "1.25 ms before")
    assert "The two medians agree. Sparse kernels were not timed" in words_of(test)
    assert "--step 1 --json" in test.code[0].value
    next(entry for entry in test.radio if entry.label == "Weights").set_value("After its training").run()
    assert f"{report['steps'][0]['layers'][0]['kept']:,} weights are left after training" in words_of(test)


def test_a_difference_between_dense_kernels_is_noise_and_one_of_sparse_kernels_is_measured(run, tmp_path):
    space, report = run
    test = told_otherwise(space, tmp_path, report, pruned={"latency_ms": 1.0})
    assert latency(test) == ("1.00 ms", "1.25 ms before")
    assert "The two medians differ (−20.0%): that is noise of the measurement. Sparse kernels were" in words_of(test)
    times = {"dense": 2.0, "sparse": 1.5}
    timed = {name: [{"batch": 1, "median_ms": time, "device": "an H100"}] for name, time in times.items()}
    measured = {"measured": True, "layers": ["head"], **timed}
    said = words_of(told_otherwise(space, tmp_path, report, sparse={"semi_structured": measured}))
    assert "on an H100 in half precision, batch of 1: **1.50 ms** with 2:4 sparse kernels in 1 linear layer" in said
    assert "2.00 ms with dense ones (−25.0%)" in said
    assert "not timed" not in said


def test_the_caption_says_what_kind_of_margins_are_drawn(run, tmp_path):
    def captions(test):
        return "\n".join(entry.value for entry in test.caption)

    space, report = run
    test = told_otherwise(space, tmp_path, report)
    assert "the largest magnitude that left in this step. After" in captions(test)  # an exchange, layer by layer
    test.select_slider[0].set_value(1).run()
    assert "the largest magnitude that left in this step. A layer whose weights all lie" in captions(test)
    test = told_otherwise(space, tmp_path, report, {"margins": "signed"})
    assert "the largest magnitude that left in this step. After" in captions(test)  # an exchange goes by magnitude
    test.select_slider[0].set_value(1).run()
    assert "two quantiles of the signed weights of all layers together" in captions(test)
    assert "largest magnitude" not in captions(test)
    test = told_otherwise(space, tmp_path, report, {"margins": "signed", "scope": "layer"})
    test.select_slider[0].set_value(1).run()
    assert "two quantiles of the signed weights of this layer" in captions(test)
    assert "loses everything" not in captions(test)


def test_a_run_that_stopped_shows_its_steps_and_can_go_on(tmp_path, monkeypatch):
    def interrupt(fraction, message, **metrics):
        if message.startswith("step 3 of 3"):
            raise Cancelled

    space = WORKSPACES.create()
    job = job_of(space, tmp_path / "two", "cancelled")
    with monkeypatch.context() as patch, pytest.raises(Cancelled):
        sparse_run(tmp_path / "two" / "bundle", patch, interrupt)
    st.cache_data.clear()
    with desk_of(tmp_path, monkeypatch) as desk:
        resumed = []
        monkeypatch.setattr(desk, "resume", resumed.append)
        test = visited("weights", space)
        assert not test.exception
        assert test.select_slider[0].options == ["1", "2"]
        assert "Latency, batch of 1" not in facts(test)
        button(test, "Resume").click().run()
        assert resumed == [job.id]


def test_without_a_run_it_shows_the_model_and_offers_one(tmp_path, monkeypatch):
    asked = []
    with desk_of(tmp_path, monkeypatch) as desk:
        monkeypatch.setattr(desk, "submit", lambda spec, **named: asked.append(spec) or "later")
        test = visited("weights", WORKSPACES.create())
        assert "243,547 of 270,608 weights leave" in words_of(test)  # 90 %
        test.slider(key="share of zeros").set_value(50.0).run()
        assert "135,304 of 270,608 weights leave" in words_of(test)
        test.selectbox(key="scope of zeros").set_value("layer").run()
        assert "Every layer has 50.0% zeros" in words_of(test)
        test.selectbox(key="sparse method").set_value("sparse").run()
        test.selectbox(key="schedule of sparse").set_value("regrow").run()
        button(test, "Set to zero").click().run()
        assert not test.exception
        [spec] = asked
        assert (spec.method, spec.sparsity, spec.settings) == ("sparse", 0.5, {"schedule": "regrow", "scope": "layer"})
        assert parsed(next(entry.value for entry in test.code)) == spec
        test.selectbox(key="pattern of sparse").set_value("2:4").run()
        assert button(test, "Set to zero").disabled
        assert "A pattern comes at once: choose the schedule one-shot" in words_of(test)
        test.selectbox(key="pattern of sparse").set_value("free").run()
        assert not button(test, "Set to zero").disabled
        test.selectbox(key="criterion of sparse").set_value("snip").run()
        button(test, "Set to zero").click().run()
        assert not test.exception
        assert asked[-1].criterion == "snip"
        assert parsed(next(entry.value for entry in test.code)) == asked[-1]
        test.selectbox(key="margins of sparse").set_value("signed").run()
        assert button(test, "Set to zero").disabled
        test.selectbox(key="criterion of sparse").set_value("l1").run()
        assert not button(test, "Set to zero").disabled
        test.slider(key="share of zeros").set_value(0.0).run()
        assert button(test, "Set to zero").disabled
        assert "Sparsity is 0" in words_of(test)


def test_dg2pf_has_one_criterion_and_says_that_its_rates_are_not_those_of_the_paper(tmp_path, monkeypatch):
    asked = []
    with desk_of(tmp_path, monkeypatch) as desk:
        monkeypatch.setattr(desk, "submit", lambda spec, **named: asked.append(spec) or "later")
        test = visited("weights", WORKSPACES.create())
        test.selectbox(key="sparse method").set_value("sparse").run()
        assert "learning rates" not in words_of(test)
        test.selectbox(key="criterion of sparse").set_value("snip").run()
        test.selectbox(key="sparse method").set_value("dg2pf").run()
        assert "learning rates are preset to 1e-3 and 1e-2. The paper's, 1e-5 and 1e-4, are for" in words_of(test)
        assert "Criterion" not in [entry.label for entry in test.selectbox]
        button(test, "Set to zero").click().run()
        assert not test.exception
        assert asked[0].criterion == "l1"
        assert (asked[0].settings["rate"], asked[0].settings["tune_rate"]) == ("0.001", "0.01")
        test.radio(key="preset of dg2pf").set_value("published").run()
        test.number_input(key="tau of dg2pf").set_value(2.0).run()
        button(test, "Set to zero").click().run()
        assert not test.exception
        assert asked[1] == METHODS["dg2pf"].following("published", asked[0]).with_settings(tau=2.0)


def all_chosen(space):
    """The page of runs with all of them chosen."""
    test = visited("runs", space)
    chosen = test.multiselect(key="chosen runs")
    test.session_state["chosen runs"] = [entry.record.id for entry in compared.finished(space)[0]]
    assert len(chosen.options) == len(test.session_state["chosen runs"])
    test.run()
    assert not test.exception
    return test


def test_comparing_zeros_mixes_them_with_nothing(run):
    space, report = run
    test = all_chosen(space)
    table = test.dataframe[1].value
    assert list(table["MACs kept"]) == ["100.0%"]
    assert list(table["Zeros"]) == [f"{report['sparse']['sparsity']:.1%} of weights"]
    assert "keep **all** MACs" in words_of(test)
    assert button(test, "Open on the board").disabled
    assert not [entry for entry in test.subheader if entry.value in ("Widths", "Channels")]


def test_zeros_beside_a_run_that_cut_channels(run, tmp_path):
    space, _ = run
    run_folder(tmp_path, space.token, "cut", model="toy", data="stripes")
    test = all_chosen(space)
    assert sorted(test.dataframe[1].value["Zeros"]) == ["80.0% of weights", "none set"]
    assert "The smallest keeps 50% of the MACs" in words_of(test)
    assert "1 of these runs set single weights to zero and cut nothing" in words_of(test)
    next(entry for entry in test.radio if entry.label == "Cost").set_value("nonzero").run()
    assert not test.exception
    assert "The sparsest has 80.0% of its weights at zero and all of its MACs" in words_of(test)


# --- pictures


def pixels(url: str) -> np.ndarray:
    return np.array(Image.open(io.BytesIO(base64.b64decode(url.partition(",")[2]))).convert("RGBA"))


def test_a_picture_has_each_weight_in_its_place():
    weight = torch.tensor([[0.0, 1.0, 2.0, 0.0], [4.0, 0.0, 1.0, 2.0]])
    at = torch.tensor([[1, 0, 0, 2], [0, 3, 0, 0]], dtype=torch.int16)
    back = torch.zeros(2, 4, dtype=torch.bool)
    back[1, 2] = True
    found = Matrix.of(Snapshot(weight, at, back))
    assert not found.turned
    picture, times = pixels(found.weights_picture()), pixels(found.times_picture(3))
    side = picture.shape[0] // 2
    small, since = picture[::side, ::side], times[::side, ::side]
    assert [tuple(small[row, column]) for row, column in ((0, 0), (0, 3), (1, 1))] == [ZERO] * 3
    assert tuple(small[1, 2]) == RETURNED
    assert small[0, 1][:3].sum() < small[0, 2][:3].sum() < small[1, 0][:3].sum()  # the brighter the larger
    assert [tuple(since[row, column]) == STAYS for row in (0, 1) for column in range(4)] == (at == 0).flatten().tolist()
    assert since[0, 0][:3].sum() < since[0, 3][:3].sum() < since[1, 1][:3].sum()


def test_a_large_matrix_is_gathered_block_by_block(monkeypatch):
    monkeypatch.setattr(matrix, "ROWS", 2)
    monkeypatch.setattr(matrix, "COLUMNS", 3)
    generator = torch.Generator().manual_seed(0)
    weight = torch.randn(5, 2, 4, generator=generator)
    at = torch.randint(0, 4, weight.shape, generator=generator, dtype=torch.int16)
    at[3:, 1] = torch.tensor([1, 2, 3, 1], dtype=torch.int16)  # the last block has left
    weight[at > 0] = 0
    whole = Matrix.of(Snapshot(weight, at, at == 0))
    found = whole.gathered()
    assert (found.block, found.size.shape) == ((3, 3), (2, 3))
    for row in range(2):
        for column in range(3):
            part = np.s_[3 * row : 3 * row + 3, 3 * column : 3 * column + 3]
            gone = (whole.pruned_at[part] > 0).all()
            assert found.size[row, column] == whole.size[part].max()
            assert found.pruned_at[row, column] == (whole.pruned_at[part].max() if gone else 0)
            assert found.back[row, column] == whole.back[part].any()
    assert found.pruned_at[1, 2] == 3
    assert np.array_equal(whole.part(1, 2).size, whole.size[1:3, 2:5])


def test_a_tall_matrix_lies_on_its_side():
    weight = torch.arange(6.0).reshape(3, 2)
    found = Matrix.of(Snapshot(weight, torch.zeros(3, 2, dtype=torch.int16), None))
    assert found.turned
    assert found.size.tolist() == [[0, 2, 4], [1, 3, 5]]


def test_bins_count_what_stays_leaves_and_came_back():
    told = {"low": -4.0, "high": 4.0, "kept": [0] * 39 + [2], "removed": [0] * 20 + [3] + [0] * 19}
    chosen = zeros.bins({"histogram": told})
    assert chosen[["part", "weights"]].to_numpy().tolist() == [["leaves", 3], ["stays", 2]]
    assert chosen[["low", "high"]].to_numpy().tolist() == pytest.approx(np.array([[0.0, 0.2], [3.8, 4.0]]))
    weight = torch.tensor([0.0, 0.5, -1.0, 1.0])
    found = Snapshot(weight, torch.tensor([1, 0, 0, 0]), torch.tensor([False, True, False, False]))
    after = zeros.bins({"histogram": told}, found)
    assert after.groupby("part").weights.sum().to_dict() == {"came back": 1, "stays": 2}
    assert json.dumps(zeros.histogram(after, (-0.1, 0.1)).to_dict())
