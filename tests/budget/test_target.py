"""What a person may ask for, and how impossible requests are answered."""

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
        ("size=2TB", "unknown unit of size 'TB'"),
        ("macs=3ms", "unknown unit of macs 'ms'"),
        ("size=0MB", "can't be kept"),
        ("latency=3", "or an amount, such as latency=3ms"),
        ("macs=150%", "can't be kept"),
        ("mcas=0.5", "did you mean macs"),
        ("", "write what to keep"),
    ],
)
def test_impossible_targets(text, message):
    with pytest.raises(ExplorerError) as error:
        Target.parse(text)
    assert message in str(error.value)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    ("text", "kind", "amount"),
    [
        ("size=2MB", "size", 2e6),
        ("size = 1.5 MiB", "size", 1.5 * 2**20),
        ("macs=1.5G", "macs", 1.5e9),
        ("params=300k", "params", 3e5),
        ("latency=0.8ms", "latency", 0.8),
        ("latency=250us", "latency", 0.25),
    ],
)
def test_amounts(text, kind, amount):
    target = Target.parse(text)
    assert target == Target(kind, amount=amount)
    assert target.goal(whole=1.0) == amount
    assert Target.parse(f"{kind}={target.value}") == target


def test_percent_is_a_fraction():
    assert Target.parse("size=40%") == Target("size", 0.4)
    assert Target("size", 0.4).goal(whole=50.0) == 20.0


@pytest.mark.parametrize("given", [{}, {"keep": 0.5, "amount": 3.0}])
def test_a_target_is_a_fraction_or_an_amount(given):
    with pytest.raises(ExplorerError, match="either a fraction or an amount"):
        Target("size", **given)


def test_ratios():
    assert parse_ratio("layer1.0.conv1=0.3") == ("layer1.0.conv1", 0.3)
    assert parse_ratio("fc=0") == ("fc", 0)


@pytest.mark.parametrize("text", ["a=1.0", "a=1.5", "a=-0.1", "a=abc", "a=", "a", "=0.5", "a=nan", "a=inf", ""])
def test_impossible_ratios(text):
    with pytest.raises(ExplorerError) as error:
        parse_ratio(text)
    assert "\n" not in str(error.value)
