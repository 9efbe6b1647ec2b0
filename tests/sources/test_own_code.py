"""Networks made by a person's own code: what may run, what it may give, and the whole way to a smaller network."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from explorer.errors import ExplorerError
from explorer.sources import build, load_model, load_pair
from explorer.sources.own_code import OwnCode, code_at, is_trusted, trust
from explorer.ui.state.access import check_ref

LAYERS = """
from torch import nn

class Block(nn.Sequential):
    def __init__(self, before, after):
        super().__init__(nn.Conv2d(before, after, 3, 2, 1), nn.BatchNorm2d(after), nn.ReLU())
"""
NETWORKS = """
import torch
import torch.nn.functional as F
from torch import nn
from parts.layers import Block
import explorer as ex

class Detector(nn.Module):
    '''Two outputs: what is seen, and where.'''
    def __init__(self, width=8):
        super().__init__()
        self.body = nn.Sequential(Block(1, width), Block(width, 2 * width), nn.AdaptiveAvgPool2d(2), nn.Flatten())
        self.kind, self.place = nn.Linear(8 * width, 2), nn.Linear(8 * width, 2)
    def forward(self, picture):
        seen = self.body(picture)
        return {"kind": self.kind(seen), "place": self.place(seen)}

def spots(count, seed):
    made = torch.Generator().manual_seed(seed)
    pictures, places = 0.1 * torch.randn(count, 1, 12, 12, generator=made), torch.rand(count, 2, generator=made)
    kinds = torch.arange(count) % 2
    for picture, place, kind in zip(pictures, places, kinds):
        x, y = (int(8 * value) for value in place)
        picture[0, x:x + 2 + 2 * int(kind), y:y + 2 + 2 * int(kind)] += 2
    return [(p, {"kind": k, "place": s}) for p, k, s in zip(pictures, kinds, places)]

def loss(outputs, targets):
    return F.cross_entropy(outputs["kind"], targets["kind"]) + F.mse_loss(outputs["place"], targets["place"])

def right(outputs, targets):
    return (outputs["kind"].argmax(1) == targets["kind"]).float().mean()

def problem(width=8, epochs=6):
    torch.manual_seed(0)
    network, data = Detector(width), torch.utils.data.DataLoader(spots(256, 0), 32)
    optimiser = torch.optim.Adam(network.parameters(), 1e-2)
    for _ in range(epochs):
        for pictures, targets in data:
            optimiser.zero_grad(); loss(network(pictures), targets).backward(); optimiser.step()
    example = {"picture": torch.zeros(1, 1, 12, 12)}
    named = lambda pairs: torch.utils.data.DataLoader([{"picture": p, **t} for p, t in pairs], 32)
    return ex.Problem(network.eval(), example=example, train=named(spots(256, 0)), test=named(spots(64, 1)),
                      loss=loss, metric=right, draw=lambda inputs, targets: inputs["picture"])

def bare(): return nn.Sequential(Block(3, 8), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(8, 5))
def with_example(): return Detector(), torch.zeros(2, 1, 12, 12)
def text(): return "a network"
def broken(): return {}["nothing"]
ONE = bare()
def quits(): raise SystemExit(3)
def held():
    net = bare()
    net.lock = __import__("threading").Lock()
    return net
def random(): return torch.nn.Linear(4, 3), torch.zeros(1, 4)
def sized(size=32, channels="a"): return nn.Conv2d(3, size, 3), torch.zeros(1, 3, 8, 8)
def same(): return ONE, torch.zeros(1, 3, 16, 16)
"""


@pytest.fixture
def file(tmp_path, monkeypatch) -> Path:
    """A file of networks that imports another one of its folder; nothing ran here yet."""
    monkeypatch.setenv("EXPLORER_CACHE", str(tmp_path / "cache"))
    folder = tmp_path / "work"
    (folder / "parts").mkdir(parents=True)
    (folder / "parts" / "layers.py").write_text(LAYERS)
    (folder / "mine.py").write_text(NETWORKS)
    return folder / "mine.py"


@pytest.fixture
def allowed(file) -> Path:
    trust(code_at(file))
    return file


def complaint(ref: str, **arguments) -> str:
    with pytest.raises(ExplorerError) as caught:
        load_model(ref, **arguments)
    assert "\n" not in str(caught.value)
    return str(caught.value)


def test_nothing_runs_before_somebody_said_so(file):
    assert "nobody here has allowed to run" in complaint(f"python:{file}:bare")
    trust(code_at(file))
    assert load_model(f"python:{file}:bare").classes == 5
    layers = file.parent / "parts" / "layers.py"
    layers.write_text(LAYERS + "\nraise SystemExit('another one')\n")
    assert "nobody here has allowed to run" in complaint(f"python:{file}:bare")


def test_code_is_the_file_and_what_it_imports_beside_it(file):
    code = code_at(file)
    assert set(code.sources) == {"mine.py", "parts/layers.py"}
    assert OwnCode.from_json(code.to_json()) == code
    layers = file.parent / "parts" / "layers.py"
    layers.write_text(LAYERS + "# changed\n")
    assert code_at(file).digest != code.digest
    for name in ("../evil.py", "/etc/evil.py", "data.bin"):
        with pytest.raises(ValueError, match="no Python file beside"):
            OwnCode.from_json({"file": name, "sources": {name: ""}})


@pytest.mark.parametrize(
    ("function", "kind", "shape", "classes"),
    [
        ("bare", "image-classification", (3, 224, 224), 5),
        ("same", "image-classification", (3, 16, 16), 5),
        ("with_example", "own", (1, 12, 12), 4),
        ("problem?epochs=0", "own", (1, 12, 12), 4),
        ("problem?epochs=0&width=4", "own", (1, 12, 12), 4),
    ],
)
def test_what_a_function_may_give(allowed, function, kind, shape, classes):
    model = load_model(f"python:{allowed}:{function}")
    assert (model.kind, model.input_shape, model.classes) == (kind, shape, classes)
    assert model.module(model.example(2)).shape == (2, classes)
    assert not model.module.training


@pytest.mark.parametrize(
    ("function", "words"),
    [
        ("text", "let it return a module"),
        ("missing", "has no function 'missing'"),
        ("broken", "'nothing'"),
        ("bare?depth=3", "unknown option 'depth'"),
        ("nn", "has no function 'nn'"),
        ("Block", "fails"),
        ("quits", "fails in line"),
        ("held", "can't be copied"),
        ("problem?width=0.5", "fails"),
    ],
)
def test_what_goes_wrong_in_it_is_told_in_one_line(allowed, function, words):
    assert words in complaint(f"python:{allowed}:{function}")


def test_what_a_file_imports_is_not_its_own(file, tmp_path):
    code = file.parent / "other.py"
    code.write_text("from os import system\nfrom torch.hub import load\ndef build(): ...\n")
    trust(code_at(code), code)
    for function in ("system?command=true", "load?repo_or_dir=x", "__import__?name=os"):
        with pytest.raises(ExplorerError):
            load_model(f"python:{code}:{function}")


def test_a_copy_elsewhere_runs_without_what_lies_beside_it(file, tmp_path):
    trust(code_at(file), file)
    other = tmp_path / "downloaded"
    (other / "parts").mkdir(parents=True)
    (other / "parts" / "layers.py").write_text(LAYERS)
    (other / "mine.py").write_text(NETWORKS)
    model = load_model(f"python:{other / 'mine.py'}:bare")
    ran = Path(sys.modules[type(model.module[0]).__module__].__file__)
    assert ran.is_relative_to(tmp_path / "cache")


def test_random_weights_are_the_same_every_time(allowed):
    first, second = (load_model(f"python:{allowed}:random").module for _ in range(2))
    assert torch.equal(first.weight, second.weight)


def test_options_are_the_functions_own_first(allowed):
    assert load_model(f"python:{allowed}:sized?size=16&channels=b").module.out_channels == 16
    assert load_model(f"python:{allowed}:same?normalise=half").normalisation == ((0.5,) * 3, (0.5,) * 3)


def test_no_name_in_a_report_becomes_code():
    arguments = {"num_classes": 3, "x=open('pwned', 'w'), y": 1}
    with pytest.raises(ExplorerError, match="architecture is damaged"):
        build({"family": "torchvision", "name": "lraspp_mobilenet_v3_large", "arguments": arguments})


@pytest.mark.parametrize("ref", ["python:", "python:mine.py", "python:mine.txt:build", "python:mine.py:a-b"])
def test_refs_that_name_no_function(ref):
    assert "write FILE.py:FUNCTION" in complaint(ref)


def test_an_input_can_be_said_and_else_is_asked_for(allowed):
    ref = f"python:{allowed}:bare"
    assert load_model(ref, input_shape=(3, 40, 24)).input_shape == (3, 40, 24)
    assert "--input CxHxW" in complaint(ref, input_shape=(1, 40, 24))


def test_one_module_for_all_calls_is_not_written_to(allowed):
    first, second = (load_model(f"python:{allowed}:same").module for _ in range(2))
    with torch.no_grad():
        first[3].weight.zero_()
    assert second[3].weight.any()


def test_a_browser_names_what_is_listed_and_nothing_else(file, monkeypatch):
    for ref in (f"python:{file}:bare", f"file:{file}#python:{file}:bare"):
        for roots in (None, [file.parent]):
            with pytest.raises(ExplorerError, match="which a browser may not start"):
                check_ref(ref, roots)
    monkeypatch.setenv("EXPLORER_MODELS", f"/elsewhere/x.py{os.pathsep}{file}")
    ref = f"python:{file}:bare"
    assert check_ref(ref, []) == ref
    assert load_model(ref).classes == 5


def command(*arguments: str, cache: Path) -> subprocess.CompletedProcess:
    line = [sys.executable, "-m", "explorer", *arguments]
    environment = {**os.environ, "EXPLORER_CACHE": str(cache), "OMP_NUM_THREADS": "1"}
    return subprocess.run(line, capture_output=True, text=True, check=False, env=environment)


@pytest.mark.slow
def test_from_ones_own_file_to_a_smaller_network_that_stands_alone(file, tmp_path):
    ref, out = f"python:{file}:problem?epochs=3", tmp_path / "small"
    options = ["--data", ref, "--keep", "macs=0.6", "--recover", "finetune", "--epochs", "2", "--out", str(out)]
    done = command("prune", "--model", ref, *options, "--no-track", cache=tmp_path / "here")
    assert done.returncode == 0, done.stderr
    assert "running your own code: mine.py, parts/layers.py" in done.stderr
    assert (out / "code" / "parts" / "layers.py").read_text() == LAYERS

    elsewhere = tmp_path / "elsewhere"
    refused = command("inspect", "--model", f"run:{out}", cache=elsewhere)
    assert refused.returncode == 2
    assert "--trust" in refused.stderr
    assert command("inspect", "--model", f"run:{out}", "--trust", cache=elsewhere).returncode == 0

    told = command("evaluate", "--model", f"run:{out}", "--data", ref, "--json", cache=tmp_path / "here")
    assert '"own": ' in told.stdout or '"value": ' in told.stdout, told.stderr
    alone = "from load import load; print(sorted(load()(picture=__import__('torch').zeros(3, 1, 12, 12))))"
    script = subprocess.run(
        [sys.executable, "-I", "-c", f"import sys; sys.path.insert(0, '.'); sys.modules['explorer'] = None; {alone}"],
        cwd=out,
        capture_output=True,
        text=True,
        check=False,
    )
    assert script.stdout.strip() == "['kind', 'place']", script.stderr


def test_its_data_is_drawn_as_its_owner_draws_it(allowed):
    _, task = load_pair(f"python:{allowed}:problem?epochs=0")
    assert task.show(0).shape == (12, 12, 3)
    assert is_trusted(code_at(allowed))
    assert "place (2,)" in task.answer(0)
