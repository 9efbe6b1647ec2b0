"""What a person may ask for, and how impossible wishes are answered."""

import pytest

from explorer.budget import Target, parse_ratio
from explorer.errors import ExplorerError


@pytest.mark.parametrize(
    ("text", "kind", "keep"), [("macs=0.5", "macs", 0.5), ("params=1", "params", 1), (" macs = 1e-1 ", "macs", 0.1)]
)
def test_targets(text, kind, keep):
    assert Target.parse(text) == Target(kind, keep)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("macs=0", "macs=0 can't be kept"),
        ("macs=1.5", "macs=1.5 can't be kept"),
        ("params=-0.1", "can't be kept"),
        ("macs=half", "write what to keep"),
        ("macs=nan", "write what to keep"),
        ("macs", "write what to keep"),
        ("latency=0.5", "targets for latency are not available yet"),
        ("size=10MB", "targets for size are not available yet"),
        ("mcas=0.5", "did you mean macs"),
        ("", "write what to keep"),
    ],
)
def test_impossible_targets(text, message):
    with pytest.raises(ExplorerError) as error:
        Target.parse(text)
    assert message in str(error.value)
    assert "\n" not in str(error.value)


def test_ratios():
    assert parse_ratio("layer1.0.conv1=0.3") == ("layer1.0.conv1", 0.3)
    assert parse_ratio("fc=0") == ("fc", 0)


@pytest.mark.parametrize("text", ["a=1.0", "a=1.5", "a=-0.1", "a=abc", "a=", "a", "=0.5", "a=nan", "a=inf", ""])
def test_impossible_ratios(text):
    with pytest.raises(ExplorerError) as error:
        parse_ratio(text)
    assert "\n" not in str(error.value)
