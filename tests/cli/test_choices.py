"""Help says what registries hold: names in order, and settings with their range, default and meaning."""

import argparse

import pytest

from explorer.cli.choices import all_settings, names_of, settings_of
from explorer.cli.parser import build_parser
from explorer.registry import Choice, Entry, Number, Registry


@pytest.fixture
def colours():
    registry: Registry[Entry] = Registry("colour", Entry)
    shade = {"shade": Number(None, 0, 1, "how dark")}
    gloss = {"gloss": Choice("mat", ("mat", "bright"), "how it shines")}
    for name, settings in (("red", shade), ("green", shade | gloss), ("blue", {})):
        registry.register(name, title=name, explanation="A colour.", settings=settings)(len)
    return registry


def test_names_make_a_sentence(colours):
    assert names_of(colours) == "red, green or blue"


def test_settings_are_said_with_their_range(colours):
    assert settings_of(colours["blue"]) == []
    assert settings_of(colours["green"])[1] == "gloss (mat, bright; default mat): how it shines"


def test_a_setting_of_several_is_said_once(colours):
    assert all_settings(colours)[0] == "shade (0 to 1; default by itself): how dark [red, green]"
    assert len(all_settings(colours)) == 2


def test_a_line_of_help_stays_a_line():
    parser = build_parser()
    assert isinstance(parser, argparse.ArgumentParser)
    parser.add_argument_group("settings", "one\ntwo\n" + "long " * 40)
    lines = parser.format_help().splitlines()
    place = lines.index("settings:")
    assert lines[place + 1 : place + 3] == ["  one", "  two"]
    assert lines[place + 3].startswith("  long")
    assert lines[place + 4].startswith("    long")
