"""Bad command lines: a good one of every verb, and one or two things in it that are wrong."""

import argparse
import random
from collections.abc import Iterator
from pathlib import Path

from explorer.cli.verb import VERBS

from . import damage

MODEL, DATA = "demo:vgg-digits", "digits"
SMALL = ["--samples", "16"]
GOOD = {
    "agreement": ["--model", MODEL, "--data", DATA, "--criteria", "l1,l2", *SMALL],
    "app": ["--port", "65536"],  # a good one would serve
    "bench coverage": ["--only", "no such network"],
    "bench dg2pf": ["--models", "no such model"],
    "bench methods": ["--models", "no such model", "--small"],
    "bench rivals": ["--models", "no such model", "--small"],
    "bench spvr": ["--models", "no such model"],
    "budget": ["--model", MODEL, "--data", DATA, "--criterion", "l2", "--keep", "macs=0.5", *SMALL],
    "compare": ["{root}/runs/zeros"],
    "criteria": [],
    "data": ["--data", DATA],
    "demo letters": ["--fonts", "{root}", "--out", "{root}/new"],  # good ones would draw for a minute
    "demo train": ["--model", "demo:absent"],  # a good one would train
    "docs": ["--check"],
    "evaluate": ["--model", MODEL, "--data", DATA],
    "export": ["--model", "run:{root}/runs/zeros", "--out", "{root}/new.onnx"],
    "glossary": ["exact"],
    "inspect": ["--model", MODEL],
    "ladder": ["--model", MODEL, "--data", DATA, "--criterion", "l2", "--keep", "macs=0.5", "--up-to", "none", *SMALL],
    "latency": ["--model", "torchvision:no_such_network"],  # a good one would time for minutes
    "lesson check": ["no such lesson"],  # a good one would measure for a minute
    "lesson list": [],
    "lesson show": ["two-minutes"],
    "mission check": ["no such mission", "--plan", "{root}/runs/zeros/plan.json"],  # a good one would judge for seconds
    "mission list": [],
    "mission make": ["--title", "x", "--model", MODEL, "--data", DATA, "--goal", "metric:at_least=0.9"],
    "mission show": ["first-cut"],
    "models": [],
    "papers": ["geometric", "--tag", "criteria"],
    "prune": [
        "--model",
        MODEL,
        "--data",
        DATA,
        "--keep",
        "macs=0.01",
        "--recover",
        "none",
        "--out",
        "{root}/new",
        *SMALL,
    ],
    "readings": ["--model", MODEL, "--data", DATA],
    "runs compare": ["zeros", "--in", "{root}/runs"],
    "runs delete": ["no such run", "--in", "{root}/runs"],  # a good one would delete
    "runs list": ["{root}/runs"],
    "runs rename": ["zeros", "ours", "--in", "{root}/runs"],
    "runs show": ["zeros", "--in", "{root}/runs"],
    "score": ["--model", MODEL, "--data", DATA, "--criterion", "l2", *SMALL],
    "search": ["--model", MODEL, "--data", "no such data", "--targets", "0.5", "--tries", "0", *SMALL],
    "sensitivity": ["--model", MODEL, "--data", "no such data", "--criterion", "l2", *SMALL],
    "train": ["--model", "demo:absent", "--data", DATA, "--out", "{root}/new"],  # a good one would train
    "weights": ["--model", MODEL, "--sparsity", "0.5"],
}
NUMBERS = (
    *("", "-1", "0", "1.5", "nan", "inf", "-inf", "1e6", "1e308", "1e999", "-0.0", "0x10", "1_000", "٣", "½", "²"),
    *(str(2**31), str(2**63), str(2**64), str(10**9), "9" * 400, "9" * 5000, "1e-320", "--", "1,2", "one"),
)
TEXTS = (
    *("", " ", "\t", "a\nb", "a" * 300, "a" * 5000, "~nosuchuser", "~nosuchuser/x", "~", "..", ".", "/", "?", "#", ":"),
    *("\x00", "a\x00b", "é" * 200, "\udcff", "\u202e", "%s%n{0}{x!r}", "$(touch x)", "`id`", "'; --", "null", "None"),
    *("=", "a=", "=b", "a=b=c", ",", ",,,", "--", "-", "-x", "*", "[", "\\", "![x](http://example.org/x.png)", "<b>"),
)
MODELS = (
    *("demo:", "demo:absent", "demo:resnet20-digits?x=1", "torchvision:", "torchvision:resnet18?num_classes=0"),
    *("torchvision:resnet18?num_classes=-5", "torchvision:resnet18?num_classes=1000000000000", "torchvision:os.system"),
    *("torchvision:resnet18?num_classes=2&num_classes=3", "torchvision:__class__", "torchvision:resnet18?weights=x"),
    *("file:", "file:#", "file:x#", "file:#torchvision:resnet18", "file:~nosuchuser/x.pth#torchvision:resnet18"),
    *(
        "file:/dev/zero#torchvision:resnet18",
        "file:/dev/stdin#torchvision:resnet18",
        "run:",
        "run:/",
        "run:~nosuchuser",
    ),
    *(
        "run:.",
        "run:..?step=1",
        "run:x?step=-1",
        "hf:",
        "hf:.",
        "hf:/",
        "hf:~nosuchuser/x",
        "hf:a/b/c",
        "hf:../..",
        "hf:#",
    ),
    *(
        "http://example.org/x.pth",
        "file:file:file:x",
        "run:run:x",
        "demo:../demo.json",
        "run:" + "a/" * 3000,
        "file:\x00",
    ),
)
DATAS = (
    *("digits?n=5", "digits?", "masks?n=100000000", "masks?n=199", "masks?n=1e5", "masks?n=", "masks?n=200&n=300"),
    *("shapes?n=100000&difficulty=2", "shapes?difficulty=nan", "shapes?seed=99999999999999", "noise", "noise?x=1"),
    *("noise?n=100000&classes=1000000", "noise?classes=0", "boxes?n=100000000", "sentences?n=-1", "ratings?n=0.5"),
    *("folder:", "folder:/", "folder:.", "folder:/dev", "folder:/proc/self", "folder:~nosuchuser/x", "folder:\x00"),
    *("folder:.?skip=bad", "folder:.?skip=", "folder:/dev?label=x", "folder:??", "folder:.?skip=bad&label=\x00"),
    *("folder:" + "a" * 300, "folder:" + "a/" * 3000, "hf:text", "hf:csv", "hf:json", "hf:parquet", "hf:imagefolder"),
    *("hf:", "hf:.", "hf:..", "hf:a/b/c", "hf:~nosuchuser/x", "hf:text?config=x", "torchvision:", "torchvision:os"),
    *("torchvision:CIFAR10", "torchvision:FakeData", "http://example.org", "digits#x", "digits:x"),
)
SHAPES = (
    "3x0x0",
    "3x-1x4",
    "x",
    "3x3",
    "3x100000x100000",
    "1000000000000",
    "3x32x32x32",
    "0",
    "３x３２x３２",
    "3x32x³²",
)


def bad_lines(root: Path, count: int, seed: int) -> Iterator[list[str]]:
    """`count` command lines over all verbs in turn; paths in them lie in `root`, see `damage.make`."""
    draw = random.Random(seed)
    verbs = sorted(VERBS.declared())
    for number in range(count):
        name = verbs[number % len(verbs)]
        good = [part.replace("{root}", str(root)) for part in GOOD[name]]
        yield [*name.split(), *_spoiled(name, good, root, draw)]


def _spoiled(name: str, line: list[str], root: Path, draw: random.Random) -> list[str]:
    options = _options(name)
    for _ in range(draw.choice((1, 1, 1, 2, 2, 3))):
        kind = draw.random()
        if kind < 0.75 and options:
            often = [
                3 if option.dest in ("model", "data", "plan", "out", "run", "folders") else 1 for option in options
            ]
            line = _with(line, draw.choices(options, often)[0], root, draw)
        elif kind < 0.83 and line:  # something is missing
            place = draw.randrange(len(line))
            line = line[:place] + line[place + 1 :]
        elif kind < 0.9:  # something is too much
            line = [*line, draw.choice((*TEXTS, "--no-such-option", "--mod", "--json=5", "-h5", *damage.paths(root)))]
        elif kind < 0.95 and line:  # something is torn
            place = draw.randrange(len(line))
            line = [*line[:place], line[place][: draw.randrange(len(line[place]) + 1)], *line[place + 1 :]]
        else:
            line = draw.sample(line, len(line))
    return line


def _with(line: list[str], option: argparse.Action, root: Path, draw: random.Random) -> list[str]:
    """The line with a bad value for an option, in place of the one that it has."""
    value = draw.choice(_values(option, root))
    if not option.option_strings:  # by its place
        return [*([] if draw.random() < 0.5 else line), value]
    flag = option.option_strings[-1]
    if flag in line and draw.random() < 0.9:
        place = line.index(flag)
        return [*line[: place + 1], value, *line[place + 2 :]]
    return [*line, *([flag, value] if draw.random() < 0.8 else [f"{flag}={value}"])]


def _values(option: argparse.Action, root: Path) -> list[str]:
    """What may go wrong with an option of that kind."""
    meta, dest = str(option.metavar or ""), option.dest
    if dest == "model":
        return [*MODELS, *damage.model_refs(root), *TEXTS]
    if dest in ("data",):
        return [*DATAS, *damage.data_refs(root), *TEXTS]
    if dest in ("out", "run", "plan", "resume", "figure", "folder", "folders"):
        return [*damage.paths(root), *TEXTS]
    if dest == "input":
        return [*SHAPES, *TEXTS]
    if dest == "keep":
        keys = ("macs", "params", "size", "latency", "nonsense", "")
        return [*(f"{key}={value}" for key in keys for value in (*NUMBERS, "2XB", "-3MB", "5ms")), *TEXTS]
    if meta in ("N", "T", "S", "R", "A", "D"):
        return [*NUMBERS, *TEXTS]
    if "," in meta:
        return [*(f"{value},{value}" for value in NUMBERS), *NUMBERS, *TEXTS]
    if "=" in meta:
        keys = ("conv1", "features.0", "samples", "order", "alpha", "levels", "cycles", "*", "")
        return [*(f"{key}={value}" for key in keys for value in NUMBERS), *TEXTS]
    if dest == "device":
        return ["cpu:99", "cuda:0", "cuda:-1", "meta", "cpu:", "CPU", "mps:7", "vulkan", "cuda:99999999999", *TEXTS]
    return [*TEXTS, *damage.paths(root)]


def _options(name: str) -> list[argparse.Action]:
    """The options of a verb that take a value."""
    verb = VERBS.declared()[name]
    parser = argparse.ArgumentParser(add_help=False)
    VERBS[name].arguments(parser)
    assert verb.name == name
    return [action for action in parser._actions if action.nargs != 0 and action.dest != "address"]
