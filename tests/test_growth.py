"""One more of each thing is one file: it is in the command line, on the pages and in the documentation by itself."""

import importlib
import json
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import torch
from streamlit.testing.v1 import AppTest

from explorer.cli import main
from explorer.cli.registries import registries
from explorer.registry import table
from explorer.ui import engine
from explorer.ui.parts import chooser
from explorer.ui.state.workspace import WORKSPACES
from pages.take import bundles
from tests.markdown import as_read
from tests.ui.pages import desk_of, visited, words_of

TOYS = {
    "criteria": """
        from explorer.criteria.tools.registry import criterion
        from explorer.registry import Choice

        WAYS = Choice("up", ("up", "down"), "which end of a group is worth more")

        @criterion("toy-criterion", title="Toy criterion", cost="nothing", explanation="By its place.",
                   settings={"toy-way": WAYS})
        def places(context, **settings):
            order = 1 if settings["toy-way"] == "up" else -1
            return {name: [order * float(unit) for unit in range(group.units)]
                    for name, group in context.structure.groups.items()}
    """,
    "normalisers": """
        from explorer.budget.normalising import normaliser

        @normaliser("toy-normaliser", title="Toy normaliser", explanation="All by seven.")
        def sevenths(scores):
            return scores / 7
    """,
    "allocations": """
        from explorer.budget.allocating import allocator, middles

        @allocator("toy-allocator", title="Toy allocator", explanation="From the front.")
        def front(case):
            return {name: middles(len(worth)) + place for place, (name, worth) in enumerate(case.ranked.items())}
    """,
    "recoveries": """
        from explorer.recovery.registry import History, recovery

        @recovery("toy-recovery", title="Toy recovery", explanation="Hopes.", cost="nothing")
        def hope(module, work):
            return History("toy-recovery", seconds=0.0)
    """,
    "methods": """
        from explorer.methods.one_shot import one_shot
        from explorer.methods.registry import method
        from explorer.registry import Number

        @method("toy-method", title="Toy method", explanation="One shot by another name.",
                settings={"toy-depth": Number(0.5, 0, 1, "how deep the toy cuts")})
        def toy(spec, report, memo):
            return one_shot(spec, report, memo)
    """,
    "sources of models": """
        from dataclasses import replace

        from explorer.sources import load_model
        from explorer.sources.registries import ModelEntry, model_source

        def entries():
            return [ModelEntry("toymodel:one", "Toy network", (1, 32, 32), True, "made for a test")]

        @model_source("toymodel", title="Toy networks", explanation="A demo under another name.", takes="NAME",
                      entries=entries)
        def open_toy(rest, request):
            demo = load_model("demo:vgg-digits")
            return replace(demo, ref=f"toymodel:{rest}", title="Toy network", data="toydata", kind="toy-kind")
    """,
    "sources of data": """
        from dataclasses import replace

        from explorer.sources import load_task
        from explorer.sources.registries import data_source

        @data_source("toydata", title="Toy pictures", explanation="Digits under another name.")
        def toy(ref, request):
            digits = load_task("digits", input_shape=request.shape, normalisation=request.normalisation)
            return replace(digits, ref=ref, title="Toy pictures", kind="toy-kind")
    """,
    "layouts of folders": """
        from dataclasses import replace

        from explorer.sources import load_task
        from explorer.sources.registries import folder_layout

        def has_toys(folder):
            return (folder.path / "toys.txt").is_file()

        @folder_layout("toy-layout", title="Toy folder", explanation="A folder with toys in it.", fits=has_toys, rank=4)
        def toys(folder, request):
            return replace(load_task("digits", input_shape=request.shape), ref=folder.place.ref, title="Toy folder")
    """,
    "kinds of tasks": """
        from dataclasses import replace

        from explorer.tasks.image_classification import judge
        from explorer.tasks.tools.metric import Metric
        from explorer.tasks.tools.samples import picture
        from explorer.tasks.tools.task_kind import task_kind

        def never(labels):
            return False

        def answer(label, classes):
            return classes[int(label)]

        @task_kind("toy-kind", title="Toy task", explanation="Digits as a task of its own.", models="toy networks",
                   metric=Metric("toy", "Toy score", "toy", True, "Share of toys told apart."), samples="toys",
                   answer=answer, draw=picture, owns=never, classifies=True)
        def judged(module, data, **how):
            return replace(judge(module, data, **how), metric="toy")
    """,
    "export formats": """
        from explorer.export.registry import export_format

        @export_format("toy-format", title="Toy format", explanation="the number of weights, and nothing else",
                       file="toy.txt", offered=99, alone=True)
        def write(draft, path, report):
            path.write_text(str(sum(p.numel() for p in draft.exported.module.parameters())))
    """,
    "goals of missions": """
        from explorer.learning.missions.goal import Standing, goal_kind
        from explorer.registry import Number

        def says(settings, metric):
            return f"Toys of at least {settings['at_least']:g}"

        def propose(facts):
            return {"at_least": 1.0}

        def entered(metric):
            return "at_least", 1.0, "toys"

        @goal_kind("toy-goal", title="Toy goal", explanation="Toys on the shelf.", says=says, propose=propose,
                   entered=entered, settings={"at_least": Number(None, 0, 9, "toys")}, metered=True)
        def shelf(settings, facts):
            return Standing(True, "a toy")
    """,
    "commands": """
        from explorer.cli.console import Answer
        from explorer.cli.verb import verb

        @verb("toy-verb", title="Toy", explanation="Say hello.")
        def hello(options, report):
            return Answer({"hello": True}, "hello")
    """,
}
NAMES = {
    "criteria": "toy-criterion",
    "normalisers": "toy-normaliser",
    "allocations": "toy-allocator",
    "recoveries": "toy-recovery",
    "methods": "toy-method",
    "sources of models": "toymodel",
    "sources of data": "toydata",
    "layouts of folders": "toy-layout",
    "kinds of tasks": "toy-kind",
    "export formats": "toy-format",
    "goals of missions": "toy-goal",
    "commands": "toy-verb",
}


def written(text: str) -> str:
    lines = text.strip("\n").split("\n")
    return "\n".join(line[8:] for line in lines) + "\n"


@pytest.fixture(scope="module", autouse=True)
def toys(tmp_path_factory) -> Iterator[Path]:
    """A file for each toy, imported as a person's own module would be; taken out again afterwards."""
    folder = tmp_path_factory.mktemp("toys")
    sys.path.insert(0, str(folder))
    for kind, text in TOYS.items():
        module = f"toy_{kind.replace(' ', '_')}"
        (folder / f"{module}.py").write_text(written(text))
        importlib.import_module(module)
    yield folder
    sys.path.remove(str(folder))
    for kind, registry in registries().items():
        registry.remove(NAMES[kind])


@pytest.fixture
def said(capsys) -> Callable[..., str]:
    def run(*arguments: str) -> str:
        capsys.readouterr()
        assert main(list(arguments)) == 0
        return " ".join(capsys.readouterr().out.split())

    return run


def test_there_is_a_toy_of_everything_that_grows():
    assert set(TOYS) == set(registries())


@pytest.mark.parametrize("kind", TOYS)
def test_the_documentation_has_a_line_for_it(kind):
    registry = registries()[kind]
    line = next(line for line in table(registry.declared().values()).splitlines() if f"`{NAMES[kind]}`" in line)
    assert registry[NAMES[kind]].explanation in line


def test_a_mission_takes_it(said):
    start = ("mission", "make", "--title", "x", "--model", "demo:vgg-digits", "--data", "digits")
    assert "Toys of at least 2" in said(*start, "--goal", "toy-goal:at_least=2")


def test_the_command_line_offers_it(said):
    prune = said("prune", "--help")
    for kind in ("criteria", "normalisers", "allocations", "recoveries", "methods"):
        assert NAMES[kind] in prune, kind
    assert "toy-way" in prune
    assert "toy-depth" in prune
    assert "toymodel:NAME" in prune
    assert "toydata" in prune
    assert "toymodel:one" in said("models")
    assert "Toy criterion" in said("criteria")
    assert "toy-format" in said("export", "--help")
    assert "toy-verb" in said("--help")
    assert said("toy-verb") == "hello"


def test_a_folder_is_read_by_it(said, tmp_path):
    (tmp_path / "toys.txt").write_text("a ball")
    assert "10 classes" in said("data", "--data", f"folder:{tmp_path}", "--quiet")


def test_a_run_uses_all_of_them_and_exports_the_format(said, tmp_path):
    out = tmp_path / "small"
    asked = ("--model", "toymodel:one", "--data", "toydata", "--method", "toy-method", "--set", "toy-depth=0.25")
    chosen = ("--criterion", "toy-criterion", "--option", "toy-way=down", "--normalise", "toy-normaliser")
    ways = ("--allocate", "toy-allocator", "--recover", "toy-recovery", "--keep", "macs=0.8", "--out", str(out))
    text = said("prune", *asked, *chosen, *ways, "--no-track", "--quiet")
    assert "toy" in text
    report = json.loads((out / "report.json").read_text())
    assert report["spec"]["settings"] == {"toy-depth": "0.25"}
    assert report["spec"]["options"] == {"toy-way": "down"}
    assert report["recovery"]["recovery"] == "toy-recovery"
    assert report["base"]["metric"] == "toy"
    assert (out / "toy.txt").read_text() == str(report["pruned"]["params"])
    assert "toy.txt" in (out / "README.md").read_text()
    assert "toy-format" in {entry.name for entry in bundles.offered()}
    alone = tmp_path / "alone.txt"
    said("export", "--model", f"run:{out}", "--out", str(alone), "--format", "toy-format")
    assert alone.read_text() == str(report["pruned"]["params"])


def choices(test: AppTest) -> list[str]:
    return [option for kind in (test.selectbox, test.radio) for entry in kind for option in entry.options]


@pytest.mark.parametrize(
    ("page", "titles"),
    [
        ("look", ["Toy criterion"]),
        ("cut", ["Toy allocator", "Toy normaliser"]),
        ("recover", ["Toy method", "Toy recovery"]),
    ],
)
def test_the_pages_offer_it(page, titles, tmp_path, monkeypatch):
    with desk_of(tmp_path, monkeypatch):
        space = WORKSPACES.create()
        test = visited(page, space)
        if page == "recover":  # what few choose is under More
            space.adjust(next(iter(engine.opened(space.model).structure.groups)), 0.5)
            test.session_state["way"] = "more"
            test.run()
        assert not test.exception
        assert set(titles) <= set(choices(test))


def test_the_chooser_finds_it(tmp_path, monkeypatch):
    with desk_of(tmp_path, monkeypatch):
        test = visited("look", WORKSPACES.create())
        test.session_state[chooser.SEARCH] = "toy"
        test.button(key="chip").click().run()
        assert not test.exception
        offered = [as_read(entry.label) for entry in test.button]
        assert {"Toy network · toymodel:one", "Toy pictures · toydata"} <= set(offered)


def test_the_pages_speak_of_its_kind(tmp_path, monkeypatch):
    torch.manual_seed(0)
    with desk_of(tmp_path, monkeypatch):
        space = WORKSPACES.create()
        space.choose("toymodel:one", "toydata")
        test = visited("look", space)
        assert not test.exception
        assert "Toy score" in [entry.label for entry in test.metric]
        assert words_of(test)
