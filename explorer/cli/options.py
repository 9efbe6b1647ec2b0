"""Options that several verbs have, the kinds of values that options take, and the spec that they describe."""

import argparse
from pathlib import Path
from typing import TYPE_CHECKING, Any

from explorer.cli.choices import all_settings, names_of, records
from explorer.errors import ExplorerError

if TYPE_CHECKING:
    from explorer.methods.spec import Spec

Options = argparse.Namespace
Parser = argparse.ArgumentParser

# Options that are called as in a spec, and need no reading.
_ALIKE = (
    *("model", "data", "method", "criterion", "allocate", "normalise", "recover", "epochs", "samples"),
    *("seed", "device", "minimum", "steps", "round_to", "runtime", "batch", "sparsity"),
)


def add_model(parser: Parser) -> None:
    """A model, and what its input is like."""
    from explorer.sources.registries import MODEL_SOURCES

    known = names_of([f"{name}:{source.takes}" for name, source in records(MODEL_SOURCES).items()])
    parser.add_argument("--model", required=True, metavar="REF", help=f"{known}, for example demo:resnet20-digits")
    add_trust(parser)
    parser.add_argument("--input", type=shape, metavar="CxHxW", help="input shape, as 3x224x224, or tokens")


def add_trust(parser: Parser) -> None:
    """Whether code that somebody else may have written runs."""
    parser.add_argument("--trust", action="store_true", help="let a saved run's own code run: it can do anything")


def add_device(parser: Parser) -> None:
    """What to compute on."""
    parser.add_argument("--device", metavar="NAME", help="auto, cpu, cuda or mps (default: auto)")


def add_data(parser: Parser) -> None:
    """A task's data, and what to compute on."""
    add_data_ref(parser)
    add_device(parser)


def add_data_ref(parser: Parser) -> None:
    """A task's data."""
    from explorer.sources.registries import DATA_SOURCES

    sources = records(DATA_SOURCES).items()
    known = names_of([f"{name}:{source.takes}" if source.takes else name for name, source in sources])
    parser.add_argument("--data", required=True, metavar="REF", help=known)


def add_sampling(parser: Parser) -> None:
    """What random choices and scores begin with."""
    parser.add_argument("--seed", type=whole, metavar="N", help="of every random choice (default: 0)")
    parser.add_argument("--samples", type=whole, metavar="N", help="calibration samples to score on")


def add_out(parser: Parser, about: str) -> None:
    """Where a run writes, whether it goes on with what lies there, and whether a history is kept of it."""
    parser.add_argument("--out", required=True, metavar="DIR", help=about)
    parser.add_argument("--resume", action="store_true", help="go on with an interrupted run in --out")
    parser.add_argument("--no-track", action="store_true", help="leave the run out of the history in MLflow")


def add_scoring(parser: Parser, *, required: bool) -> None:
    """A criterion, what it is told, and what it scores on."""
    from explorer.criteria import CRITERIA
    from explorer.methods.spec import CRITERION, CRITERION_WHY

    criteria = records(CRITERIA)
    known = f"{names_of(criteria)}; see the command criteria"
    if not required:
        known += f" (default: the method's own, else {CRITERION}: {CRITERION_WHY})"
    parser.add_argument("--criterion", required=required, metavar="NAME", help=known)
    parser.add_argument(
        "--option", action="append", default=[], type=setting, metavar="KEY=VALUE", help="an option of the criterion"
    )
    add_sampling(parser)
    if lines := all_settings(criteria):
        parser.add_argument_group("options of criteria, each by --option KEY=VALUE", "\n".join(lines))


def add_removing(parser: Parser) -> None:
    """What is to go: by targets, by ratios, by a plan or as whole blocks."""
    from explorer.budget import ALLOCATORS, NORMALISERS

    parser.add_argument(
        "--keep",
        action="append",
        default=[],
        metavar="macs=0.5",
        help="what to keep of macs, params, size or latency: a fraction, or an amount as size=2MB; several are limits",
    )
    parser.add_argument(
        "--ratio", action="append", default=[], metavar="GROUP=0.3", help="fraction of one group to remove"
    )
    parser.add_argument("--plan", metavar="FILE", help="a plan.json: the units and blocks to remove, chosen before")
    parser.add_argument(
        "--skip",
        action="append",
        default=[],
        metavar="BLOCK",
        help="a residual block to take out, also with ratios or a plan",
    )
    parser.add_argument(
        "--allocate",
        metavar="NAME",
        help=f"how targets are shared out: {names_of(records(ALLOCATORS))} (default: global)",
    )
    parser.add_argument(
        "--normalise",
        metavar="NAME",
        help=f"how scores of different groups are compared: {names_of(records(NORMALISERS))} (default: mean)",
    )
    parser.add_argument("--minimum", type=float, metavar="N", help="what every group keeps: a fraction, or units")
    parser.add_argument("--lock", action="append", default=[], metavar="GROUP", help="a group that stays whole")
    parser.add_argument("--round-to", type=whole, metavar="N", help="leave multiples of N channels, such as 8")
    add_timing(parser)


def add_timing(parser: Parser) -> None:
    """What latency is measured with."""
    parser.add_argument("--runtime", metavar="NAME", help="of latency: torch or onnx (default: torch)")
    parser.add_argument("--batch", type=whole, metavar="N", help="of latency: inputs at a time (default: 1)")


def spec_from(options: Options) -> "Spec":
    """The spec that options describe; what was not given stays at its default, the preset's or the method's."""
    from explorer.budget import Target, parse_ratio
    from explorer.methods.asking import asked_for
    from explorer.methods.spec import KEYED
    from explorer.pruning import Plan
    from explorer.reading import read_json

    given: dict[str, Any] = {name: getattr(options, name, None) for name in _ALIKE}
    given["input_shape"] = options.input
    given["options"] = _unique(getattr(options, "option", []), "option")
    given["settings"] = _unique(getattr(options, "set", []), "setting")
    given["ratios"] = _unique([parse_ratio(text) for text in getattr(options, "ratio", [])], "ratio")
    given["locked"] = tuple(getattr(options, "lock", ()))
    given["skip"] = tuple(getattr(options, "skip", ()))
    if getattr(options, "keep", None):
        targets = map(Target.parse, options.keep)
        given["keep"] = _unique([(target.kind, target.value) for target in targets], "target")
    if getattr(options, "plan", None) is not None:
        plan = Plan.from_json(read_json(Path(options.plan)))
        given["plan"], given["skip"] = dict(plan.remove), (*plan.blocks, *given["skip"])
    known = {name: value for name, value in given.items() if value is not None}
    beside = {name: getattr(options, keyed.key, None) for name, keyed in KEYED.items()}
    settings = {name: value for name, value in beside.items() if value is not None}
    return asked_for(known, settings, getattr(options, "preset", None))


def _unique(pairs: list[tuple[str, Any]], what: str) -> dict[str, Any]:
    for name, _ in pairs:
        if sum(name == other for other, _ in pairs) > 1:
            raise ExplorerError(f"{what} {name!r} is given twice: give it once")
    return dict(pairs)


def shape(text: str) -> tuple[int, ...]:
    """An input's sizes: ``3x224x224``."""
    sizes = text.lower().replace("×", "x").split("x")
    if len(sizes) not in (1, 3) or not all(size.isdecimal() and int(size) > 0 for size in sizes):
        raise argparse.ArgumentTypeError(
            f"{text!r} is no input shape: write channels x height x width, as 3x224x224, or the tokens of a text, as 64"
        )
    return tuple(int(size) for size in sizes)


def names(text: str) -> tuple[str, ...]:
    """Names between commas; at least one."""
    found = tuple(name for name in text.split(",") if name)
    if not found:
        raise argparse.ArgumentTypeError(f"{text!r} names nothing: write A,B")
    return found


def folder(text: str) -> Path:
    """A folder, which an empty text would not name: it could be taken for the folder one is in, or for no option."""
    if not text:
        raise argparse.ArgumentTypeError("it is empty: write a folder, or leave the option out")
    return Path(text)


def whole(text: str) -> int:
    """A whole number."""
    try:
        return int(text)
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text!r} is no whole number") from None


def setting(text: str) -> tuple[str, str]:
    """A name and its value: ``KEY=VALUE``."""
    key, equals, value = text.partition("=")
    if not equals or not key:
        raise argparse.ArgumentTypeError(f"{text!r} is no option: write KEY=VALUE")
    return key, value


def fractions(text: str) -> tuple[float, ...]:
    """Numbers between commas."""
    try:
        return tuple(float(item) for item in text.split(","))
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text!r} is no list of fractions: write 0.1,0.3,0.5") from None
