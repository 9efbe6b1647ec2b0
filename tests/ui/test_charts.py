"""Charts from small inputs: what they carry, and that they stay small."""

import base64
import io

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from explorer.tasks import METRICS
from explorer.ui.charts import colours
from explorer.ui.charts.axes import row_height
from explorer.ui.charts.network import network
from explorer.ui.charts.scores import IMAGE_WIDTH, distribution, heat_image, heatmap, levels
from explorer.ui.text import findings


def pixels(url: str) -> np.ndarray:
    return np.asarray(Image.open(io.BytesIO(base64.b64decode(url.split(",")[1]))).convert("RGBA"))


@pytest.fixture
def scores():
    return {"a": np.array([3.0, 1.0, 2.0, 0.0]), "b": np.array([10.0, 30.0])}


def test_cells_are_sorted_and_coloured_by_their_score(scores):
    stepped, *_ = levels(scores, shared=False)
    assert stepped["a"].tolist() == [0, 83, 166, 249]
    assert stepped["b"].tolist() == [0, 249]
    image = pixels(heat_image(stepped, row=10))
    assert image.shape == (20, IMAGE_WIDTH, 4)
    quarter = IMAGE_WIDTH // 4
    for cell, step in enumerate((0, 83, 166, 249)):
        stripe = image[3, cell * quarter : (cell + 1) * quarter]
        assert (stripe == colours.palette()[step]).all()
    assert (image[9, :, 3] == 0).all()


def test_on_the_shared_scale_equal_scores_have_equal_colours():
    stepped, low, high = levels({"a": np.arange(101.0), "b": np.array([50.0, 99.0])}, shared=True)
    assert low == pytest.approx(1, abs=0.5)
    assert high == pytest.approx(99, abs=0.5)
    assert stepped["b"][0] == stepped["a"][50]
    assert stepped["a"][0] == 0
    assert stepped["a"][-1] == 249


@pytest.mark.parametrize("values", [[1.0, 1.0, 1.0], [0.0], [-2.0, -1.0]])
def test_flat_single_and_negative_scores_have_a_colour(values):
    for shared in (True, False):
        stepped, *_ = levels({"a": np.array(values)}, shared=shared)
        assert len(stepped["a"]) == len(values)


def test_a_large_network_takes_few_marks_and_bytes():
    generator = np.random.default_rng(0)
    scores = {f"layer{index}": generator.gamma(2, 1, 512) for index in range(120)}
    facts = pd.DataFrame({"kind": "conv", "cut": 0.5}, index=list(scores))
    spec = heatmap(scores, facts, shared=True).to_dict()
    rows = sum(len(data) for data in spec["datasets"].values())
    assert rows < 4 * len(scores)
    assert len(heat_image(levels(scores, shared=True)[0], row_height(120))) < 250_000


def test_rows_stand_in_network_order(scores):
    facts = pd.DataFrame({"kind": ["conv", "linear"], "cut": [0.25, 0.0]}, index=["a", "b"])
    spec = heatmap(scores, facts, shared=True).to_dict()
    sorts = [layer["encoding"]["y"]["sort"] for layer in spec["layer"] if "y" in layer["encoding"]]
    assert sorts
    assert all(order == ["a", "b"] for order in sorts)


def test_the_network_shows_whole_and_kept_channels():
    table = pd.DataFrame(
        {
            "name": ["a", "b"],
            "kind": ["conv", "stream"],
            "channels": [16, 32],
            "kept": [16, 8],
            "params": 0.5,
            "macs": 0.5,
        }
    )
    data = next(iter(network(table).to_dict()["datasets"].values()))
    assert [(row["floor"], row["channels"], row["kept"]) for row in data] == [(0, 16, 16), (0, 32, 8)]


def test_a_distribution_counts_every_unit_once():
    values = np.random.default_rng(0).normal(size=64)
    data = next(iter(distribution(values, removed=10).to_dict()["datasets"].values()))
    assert sum(row["units"] for row in data) == 64
    assert sum(row["units"] for row in data if row["part"] == "removed") == 10
    distribution(np.ones(4))


def test_tiles_share_one_scale():
    maps = np.stack([np.zeros((4, 4)), np.full((4, 4), 2.0)])
    dark, bright = colours.tiles(maps, width=16)
    assert dark.shape == (16, 16, 3)
    assert (dark == colours.palette()[0][:3]).all()
    assert (bright == colours.palette()[249][:3]).all()


def test_findings_say_what_is_there():
    assert "none below half" in findings.of_heatmap("L1", {"a": np.array([1.0, 1.0])})
    assert "in b, 25%" in findings.of_heatmap("L1", {"a": np.ones(4), "b": np.array([0.1, 1, 1, 1])})
    frame = pd.DataFrame({"value": [0.97, 0.5, 0.95]})
    assert (
        findings.of_qualities(frame, METRICS["top1"])
        == "The cut leaves 50.0%; after recovery it is 95.0%, 2.0 points below the base model"
    )
    correlations = findings.of_qualities(frame, METRICS["pearson"])
    assert correlations == "The cut leaves 0.500; after recovery it is 0.950, 0.020 below the base model"


@pytest.mark.parametrize(("count", "shown"), [(64, 6), (5, 2), (2, 1), (1, 1)])
def test_extremes_are_the_ends_of_the_order(count, shown):
    values = np.arange(count, dtype=float)
    worst, best = findings.extremes(values, 6)
    assert worst == list(range(shown))
    assert best == list(range(count - 1, count - 1 - shown, -1))
