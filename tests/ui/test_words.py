"""How numbers and names read."""

import pytest

from explorer.ui.text import words


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0, "0"),
        (999, "999"),
        (1000, "1.00 k"),
        (272474, "272 k"),
        (41e6, "41.0 M"),
        (999_999, "1.00 M"),
        (17.6e9, "17.6 G"),
    ],
)
def test_counts_have_three_digits(value, text):
    assert words.count(value) == text


def test_sizes_and_changes():
    assert words.size(512) == "512 B"
    assert words.size(1_092_000) == "1.09 MB"
    assert words.change(200, 100) == "−50.0%"
    assert words.change(100, 125) == "+25.0%"
    assert words.change(100, 100) == "±0%"
    assert words.change(0, 1) == "–"


@pytest.mark.parametrize(
    ("seconds", "text"), [(1, "5 s"), (42, "40 s"), (58, "1 min"), (600, "10 min"), (4800, "1 h 20 min")]
)
def test_durations_are_said_as_one_would(seconds, text):
    assert words.duration(seconds) == text


def test_a_residual_network_falls_into_its_stages():
    names = ["conv1", *(f"layer{i}.{j}.conv1" for i in (1, 2, 3) for j in range(3)), "layer2.0.conv2"]
    assert [(heading, len(members)) for heading, members in words.stages(names)] == [
        ("conv1", 1),
        ("layer1", 3),
        ("layer2", 4),
        ("layer3", 3),
    ]


def test_blocks_below_one_common_name_are_still_told_apart():
    names = [f"features.denseblock{i}.denselayer{j}.conv1" for i in range(4) for j in range(6)]
    assert len(words.stages(names)) == 4


def test_a_plain_chain_is_one_stage():
    assert words.stages(["features.0", "features.3", "features.7"]) == [
        ("features", ["features.0", "features.3", "features.7"])
    ]


@pytest.mark.parametrize("names", [[], ["conv1"], ["a.b.c.d.e.f"], [f"features.{i}" for i in range(100)]])
def test_every_group_is_in_exactly_one_stage(names):
    assert sorted(name for _, members in words.stages(names) for name in members) == sorted(names)


@pytest.mark.parametrize(
    ("names", "shared"),
    [
        (["model.bert.embeddings", "model.bert.encoder.0"], "model.bert."),
        (["conv1", "layer1.0"], ""),
        (["features.0", "features"], ""),
        (["layer.1", "layer.10"], "layer."),
        (["a.b"], "a."),
        ([], ""),
    ],
)
def test_what_names_share_ends_at_a_dot(names, shared):
    assert words.shared_prefix(names) == shared


def test_long_names_lose_their_middle():
    assert words.middle("short") == "short"
    text = words.middle("features.denseblock4.denselayer16.conv1", 20)
    assert len(text) == 20
    assert text.startswith("features")
    assert text.endswith(".conv1")
