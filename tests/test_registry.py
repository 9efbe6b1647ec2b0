"""The registry: records by name, in a stable order, found by themselves, and read without importing."""

import sys
import textwrap
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from decimal import Decimal

import pytest

from explorer.errors import ExplorerError
from explorer.registry import Choice, Entry, Number, Registry, table

HEAVY = """
import heavy_library_that_is_not_there
"""
TOY = """
from toys_registry import toy
from explorer.registry import Choice, Number

WORDS = ("a", "b")


@toy(
    "{name}",
    title="The {name} " "one",
    explanation="What it does.",
    needs=("labels",),
    rank={rank},
    settings={{"how": Choice("a", WORDS, "which way"), "much": Number(0.5, 0, 1, "how much")}},
    check=helper,
)
def act(value):
    return "{name}", value


def helper(value):
    return -value
"""


@pytest.fixture
def package(tmp_path, monkeypatch) -> Iterator:
    """Writes modules of a package and gives its registry."""
    folder = tmp_path / "toys"
    folder.mkdir()
    (folder / "__init__.py").write_text("")
    (tmp_path / "toys_registry.py").write_text(
        textwrap.dedent("""
        from collections.abc import Callable
        from dataclasses import dataclass
        from explorer.registry import Entry, Registry

        @dataclass(frozen=True, kw_only=True)
        class Toy(Entry):
            check: Callable = abs

        TOYS = Registry("toy", Toy, decorator="toy", package="toys")
        toy = TOYS.register
        """)
    )
    monkeypatch.syspath_prepend(tmp_path)

    def made(**files: str):
        for name, text in files.items():
            (folder / f"{name}.py").write_text(text)
        import toys_registry

        return toys_registry.TOYS

    yield made
    for name in [name for name in sys.modules if name == "toys_registry" or name.partition(".")[0] == "toys"]:
        del sys.modules[name]


def toy(name: str, rank: int = 50) -> str:
    body = TOY.format(name=name, rank=rank)
    head, _, helper = body.partition("\n\ndef helper")
    return head.replace("\n@toy", "\ndef helper" + helper + "\n\n@toy")


def test_a_file_in_the_package_is_enough_and_the_order_is_its_own(package):
    toys = package(zebra=toy("zebra", rank=1), ant=toy("ant"), bee=toy("bee"))
    assert list(toys) == ["zebra", "ant", "bee"]
    assert toys["ant"].function(1) == ("ant", 1)
    assert toys.get("bee").read({"how": "b"}) == {"how": "b", "much": 0.5}


def test_what_is_declared_equals_what_is_imported(package):
    toys = package(zebra=toy("zebra", rank=1), ant=toy("ant"))
    declared = toys.declared()
    assert "toys.ant" not in sys.modules
    assert declared["ant"].function(2) == ("ant", 2)  # imports it
    assert declared["ant"].check(2) == -2
    for name, record in toys.items():
        for key in ("title", "explanation", "needs", "settings", "rank"):
            assert getattr(declared[name], key) == getattr(record, key)
    assert list(declared) == list(toys)


def test_a_declaration_is_read_without_what_the_module_imports(package):
    toys = package(heavy=HEAVY + toy("heavy"))
    assert list(toys.declared()) == ["heavy"]
    with pytest.raises(ModuleNotFoundError):
        list(toys)


def test_a_setting_that_several_modules_share_is_read_from_where_it_is(package):
    text = toy("ant").replace("WORDS,", "SHARED,")
    toys = package(ant=HEAVY + "from toys.words import SHARED\n" + text, words='SHARED = ("a", "b", "c")\n')
    assert toys.declared()["ant"].settings["how"].allowed == ("a", "b", "c")


def test_a_declaration_that_takes_code_is_imported(package):
    toys = package(ant=toy("ant").replace('"What it does."', '"what ".upper()'))
    assert toys.declared()["ant"].explanation == "WHAT "


def test_a_second_thread_waits_until_all_are_there(package):
    slow = "import time\ntime.sleep(0.3)\n"
    toys = package(ant=toy("ant"), bee=slow + toy("bee"))
    with ThreadPoolExecutor() as threads:
        assert list(threads.map(lambda _: list(toys), range(4))) == [["ant", "bee"]] * 4


def test_names_are_offered_and_taken_once():
    registry: Registry[Entry] = Registry("colour", Entry)
    registry.register("green", title="Green", explanation="A colour.")(len)
    with pytest.raises(ExplorerError, match="unknown colour 'gren': did you mean green"):
        registry.get("gren")
    with pytest.raises(ValueError, match="twice"):
        registry.register("green", title="Green", explanation="Another.")(abs)
    registry.remove("green")
    assert "green" not in registry


@pytest.mark.parametrize(
    ("setting", "text", "value"), [(Number(1, 0, 10, "", whole=True), "3", 3), (Choice("a", ("a", "b"), ""), "b", "b")]
)
def test_settings_read_texts(setting, text, value):
    assert setting.read("x", text) == value
    for bad in ("z", "", "11"):
        with pytest.raises(ExplorerError, match="x"):
            setting.read("x", bad)


def test_the_table_has_a_line_for_each_and_no_empty_column():
    registry: Registry[Entry] = Registry("colour", Entry)
    settings = {"shade": Number(None, 0, 1, "how dark"), "gloss": Choice("mat", ("mat", "bright"), "how it shines")}
    registry.register("green", title="Green", explanation="A | B", settings=settings)(len)
    lines = table(registry.values()).splitlines()
    assert lines[0] == "| name | title | what it does | settings |"
    assert "A \\| B" in lines[2]
    assert "`shade` (0 to 1; default by itself): how dark" in lines[2]


def test_a_declaration_may_call_the_parts_of_its_registry(package):
    toys = package(ant=toy("ant").replace('"What it does."', 'Decimal("1.5")').replace(
        "from toys_registry import toy", "from decimal import Decimal\nfrom toys_registry import toy"
    ))  # fmt: skip
    toys.parts = (Decimal,)
    assert toys.declared()["ant"].explanation == Decimal("1.5")
    assert "toys.ant" not in sys.modules
