"""The grammar of the command line. Importing it loads no heavy library, so that help answers at once."""

import argparse
from collections.abc import Callable
from importlib import import_module
from typing import Any, NoReturn

from explorer import __version__
from explorer.errors import ExplorerError


class _Parser(argparse.ArgumentParser):
    """Complains in one line."""

    def error(self, message: str) -> NoReturn:
        raise ExplorerError(f"{message}; see {self.prog} --help")


def build_parser() -> argparse.ArgumentParser:
    """The parser of ``python -m explorer``; the chosen command stands in `command`."""
    parser = _Parser(
        prog="python -m explorer",
        description="See what structured pruning does to a network, choose how much to cut, keep a smaller model.",
        epilog="Every command has its own --help.",
        allow_abbrev=False,
    )
    parser.add_argument("--version", action="version", version=f"explorer {__version__}")
    commands = parser.add_subparsers(title="commands", metavar="COMMAND", required=True)
    _app(_add(commands, "app", "open the app in a browser"))
    _add(commands, "models", "list the models that can be loaded")
    _add(commands, "criteria", "list the criteria that score channels")
    _inspect(_add(commands, "inspect", "show a model's groups of channels and their cost"))
    _score(_add(commands, "score", "score every channel with one criterion"))
    _agreement(_add(commands, "agreement", "see how far criteria rank alike, and who is near to the measured effect"))
    _sensitivity(_add(commands, "sensitivity", "measure what each group alone may lose"))
    _budget(_add(commands, "budget", "share out targets and see what they come to, without cutting"))
    _latency(_add(commands, "latency", "time every group by width on this device, and check what that predicts"))
    _ladder(_add(commands, "ladder", "see accuracy as cut, recalibrated and fine-tuned, without writing anything"))
    _prune(_add(commands, "prune", "score, cut, recover, measure and export"))
    _runs(_add(commands, "runs", "list the runs in a folder, and which of them started from which"))
    _weights(_add(commands, "weights", "show which single weights a run set to zero, or what magnitude would remove"))
    _evaluate(_add(commands, "evaluate", "measure accuracy, cost, size and latency"))
    _export(_add(commands, "export", "write a pruned model as ONNX"))
    _compare(_add(commands, "compare", "set finished runs side by side: numbers, widths, shared channels"))
    _bench(commands)
    _demo(_add(commands, "demo", "train the bundled checkpoints again from nothing"))
    return parser


def _lazy(name: str) -> Callable[..., Any]:
    """The command's function, imported when it is called."""

    def command(*arguments: Any) -> Any:
        return getattr(import_module("explorer.cli.commands"), name)(*arguments)

    return command


def _add(commands: Any, name: str, what: str) -> argparse.ArgumentParser:
    parser = commands.add_parser(name, help=what, description=what.capitalize() + ".", allow_abbrev=False)
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    parser.add_argument("--quiet", action="store_true", help="no progress on standard error")
    parser.set_defaults(command=_lazy(name), shared=name == "prune")  # by processes launched together
    return parser


def _model(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--model", required=True, metavar="REF", help="for example demo:resnet20-digits")
    parser.add_argument("--input", type=_shape, metavar="CxHxW", help="input shape, as 3x224x224, or tokens")


def _data(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--data", required=True, metavar="REF", help="for example digits or folder:PATH")
    parser.add_argument("--device", metavar="NAME", help="auto, cpu, cuda or mps (default: auto)")


def _scoring(parser: argparse.ArgumentParser, *, required: bool) -> None:
    parser.add_argument("--criterion", required=required, metavar="NAME", help="see the command criteria")
    parser.add_argument(
        "--option", action="append", default=[], type=_setting, metavar="KEY=VALUE", help="an option of the criterion"
    )
    parser.add_argument("--seed", type=_whole, metavar="N", help="of every random choice (default: 0)")
    parser.add_argument("--samples", type=_whole, metavar="N", help="calibration samples to score on")


def _app(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--port", type=_whole, metavar="N", help="to listen on (default: 8501)")
    parser.add_argument("--address", metavar="HOST", help="to listen on (default: this machine only)")


def _inspect(parser: argparse.ArgumentParser) -> None:
    _model(parser)


def _score(parser: argparse.ArgumentParser) -> None:
    _model(parser)
    _data(parser)
    _scoring(parser, required=True)
    parser.add_argument("--estimate", action="store_true", help="only say how long it will take here")


def _agreement(parser: argparse.ArgumentParser) -> None:
    _model(parser)
    _data(parser)
    parser.add_argument("--criteria", type=_names, required=True, metavar="A,B,…", help="for example flow,l2,taylor")
    parser.add_argument("--seed", type=_whole, metavar="N", help="of every random choice (default: 0)")
    parser.add_argument("--samples", type=_whole, metavar="N", help="calibration samples to score on")
    parser.add_argument("--oracle", action="store_true", help="measure what removing single units does, too")
    parser.add_argument("--units", type=_whole, metavar="N", help="of every group, whose removal is measured")


def _sensitivity(parser: argparse.ArgumentParser) -> None:
    _model(parser)
    _data(parser)
    _scoring(parser, required=True)
    parser.add_argument("--ratios", type=_fractions, metavar="R,R,…", help="for example 0.1,0.3,0.5")
    parser.add_argument("--anew", action="store_true", help="measure again what the cache has")


def _budget(parser: argparse.ArgumentParser) -> None:
    _model(parser)
    _data(parser)
    _scoring(parser, required=False)
    _removing(parser)


def _latency(parser: argparse.ArgumentParser) -> None:
    _model(parser)
    parser.add_argument("--device", metavar="NAME", help="auto, cpu, cuda or mps (default: auto)")
    _timing(parser)
    parser.add_argument("--anew", action="store_true", help="time again what the cache has")


def _prune(parser: argparse.ArgumentParser) -> None:
    _model(parser)
    _data(parser)
    _scoring(parser, required=False)
    parser.add_argument(
        "--method", metavar="NAME", help="one-shot, ifap, idap, spvr, sparse or dg2pf (default: one-shot)"
    )
    _removing(parser)
    parser.add_argument(
        "--recover",
        metavar="NAME",
        help="none, bn, variance, reconstruct, lbyl, merge, finetune, distill or scratch "
        "(default: none; in steps: distill)",
    )
    parser.add_argument("--epochs", type=_whole, metavar="N", help="of fine-tuning, in each step")
    _gradual(parser)
    _sparse(parser)
    parser.add_argument("--out", required=True, metavar="DIR", help="folder for the pruned model")
    parser.add_argument("--resume", action="store_true", help="go on with an interrupted run in --out")
    parser.add_argument("--no-track", action="store_true", help="leave the run out of the history in MLflow")


def _compare(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("folders", nargs="+", metavar="RUN_DIR", help="the --out folder of a prune command")


def _runs(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("folder", nargs="?", metavar="DIR", help="with runs in it (default: $EXPLORER_RUNS, else runs)")


def _weights(parser: argparse.ArgumentParser) -> None:
    which = parser.add_mutually_exclusive_group(required=True)
    which.add_argument("--run", metavar="DIR", help="the --out folder of a sparse or dg2pf run, also of one under way")
    which.add_argument("--model", metavar="REF", help="any model: what a --sparsity by magnitude would come to")
    parser.add_argument("--layer", metavar="NAME", help="a weight, such as conv1.weight: its histogram and margins")
    parser.add_argument("--step", type=_whole, metavar="N", help="of the run (default: the last)")
    parser.add_argument("--sparsity", type=float, metavar="S", help="of the model: the share, such as 0.9")
    parser.add_argument("--scope", metavar="NAME", help="of the model: global or layer (default: global)")


def _gradual(parser: argparse.ArgumentParser) -> None:
    group = parser.add_argument_group("methods that cut in steps")
    group.add_argument("--steps", type=_whole, metavar="T", help="how many (default: 10)")
    group.add_argument("--rho", type=float, metavar="R", help="the first removes R of the units (default: by --keep)")
    group.add_argument(
        "--alpha", type=float, metavar="A", help="step t removes R·(1 + t/T)^A of the rest (default: 1.5)"
    )
    group.add_argument("--max-drop", type=float, metavar="D", help="of the validation metric (default: 0.02)")
    group.add_argument("--teacher", metavar="NAME", help="base or previous: what distillation imitates (default: base)")
    group.add_argument(
        "--blocks", type=_whole, metavar="N", help="idap removes up to N residual blocks (default: by --max-drop)"
    )
    group.add_argument(
        "--block-order", metavar="NAME", help="by divergence, or by the loss without the block (default: divergence)"
    )


def _sparse(parser: argparse.ArgumentParser) -> None:
    group = parser.add_argument_group("methods that set single weights to zero")
    group.add_argument("--sparsity", type=float, metavar="S", help="the share of the weights, such as 0.9")
    group.add_argument(
        "--set", action="append", default=[], type=_setting, metavar="KEY=VALUE", help="a setting, such as alpha=0.9"
    )


def _ladder(parser: argparse.ArgumentParser) -> None:
    _model(parser)
    _data(parser)
    _scoring(parser, required=False)
    _removing(parser)
    parser.add_argument("--up-to", choices=["none", "bn", "finetune"], default="bn", help="the last rung (default: bn)")
    parser.add_argument("--epochs", type=_whole, metavar="N", help="of fine-tuning")


def _removing(parser: argparse.ArgumentParser) -> None:
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
    parser.add_argument("--allocate", metavar="NAME", help="how targets are shared out (default: global)")
    parser.add_argument("--normalise", metavar="NAME", help="how scores of different groups are compared")
    parser.add_argument("--minimum", type=float, metavar="N", help="what every group keeps: a fraction, or units")
    parser.add_argument("--lock", action="append", default=[], metavar="GROUP", help="a group that stays whole")
    parser.add_argument("--round-to", type=_whole, metavar="N", help="leave multiples of N channels, such as 8")
    _timing(parser)


def _timing(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--runtime", metavar="NAME", help="of latency: torch or onnx (default: torch)")
    parser.add_argument("--batch", type=_whole, metavar="N", help="of latency: inputs at a time (default: 1)")


def _evaluate(parser: argparse.ArgumentParser) -> None:
    _model(parser)
    _data(parser)


def _export(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--model", required=True, metavar="run:DIR", help="a pruned model")
    parser.add_argument("--out", required=True, metavar="FILE.onnx")


def _bench(commands: Any) -> None:
    parser = commands.add_parser("bench", help="make one of the tables of the documentation", allow_abbrev=False)
    tables = parser.add_subparsers(title="tables", metavar="TABLE", required=True)
    coverage = _add(tables, "coverage", "show which models can be cut, and how well")
    coverage.add_argument("--only", action="append", default=[], metavar="NAME", help="for example torchvision:resnet*")
    coverage.add_argument("--no-onnx", action="store_true", help="leave out the export, which takes longest")
    methods = _add(tables, "methods", "compare methods and criteria over targets, recoveries and seeds")
    spvr = _add(tables, "spvr", "compare SPvR with criteria at equal size, trained from scratch")
    methods.add_argument("--small", action="store_true", help="a look at everything in minutes, on one network")
    for board in (methods, spvr):
        _board(board)
    dg2pf = _add(tables, "dg2pf", "ablate DG2PF, and compare it with magnitude pruning")
    dg2pf.add_argument("--models", type=_names, metavar="A,B,…", help="for example demo:vgg-digits")
    dg2pf.add_argument("--tables", type=_names, metavar="A,B,…", help="of s_e, s_sim, alpha, tau and methods")
    dg2pf.add_argument("--sparsities", type=_fractions, metavar="S,S,…", help="of table methods (default: 0.9,0.95)")
    dg2pf.add_argument("--seeds", type=_whole, metavar="N", help="runs of every line (default: 3)")
    dg2pf.add_argument("--epochs", type=_whole, metavar="N", help="of each of its two phases (default: 20)")
    dg2pf.add_argument("--rates", type=_fractions, metavar="R,R", help="of its two phases (default: 0.001,0.01)")
    dg2pf.add_argument("--processes", type=_whole, metavar="N", help="runs at a time (default: one a core)")
    for table in (coverage, methods, spvr, dg2pf):
        table.add_argument("--out", metavar="FILE.md", help="write the table there too")
        table.add_argument("--resume", metavar="FILE", help="keep finished rows in this file and go on from them")


def _board(parser: argparse.ArgumentParser) -> None:
    for name, example in (
        ("models", "demo:vgg-digits"),
        ("methods", "one-shot,ifap"),
        ("criteria", "flow,l1"),
        ("allocations", "global,uniform"),
        ("recoveries", "none,bn"),
        ("targets", "macs=0.5,macs=0.3"),
    ):
        parser.add_argument(f"--{name}", type=_names, metavar="A,B,…", help=f"for example {example}")
    for name, what in (
        ("seeds", "runs of every line"),
        ("epochs", "of training, in all of a run's steps together"),
        ("steps", "of methods that cut in steps"),
        ("samples", "calibration samples to score on"),
    ):
        parser.add_argument(f"--{name}", type=_whole, metavar="N", help=what)
    parser.add_argument("--processes", type=_whole, metavar="N", help="runs at a time (default: one a core)")
    parser.add_argument("--figure", metavar="FILE.svg", help="draw it there, as SVG or PNG")


def _demo(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--model", metavar="REF", help="only this one, for example demo:resnet20-digits")
    parser.add_argument("--out", metavar="DIR", help="folder for the checkpoints (default: the bundled ones)")


def _shape(text: str) -> tuple[int, ...]:
    sizes = text.lower().replace("×", "x").split("x")
    if len(sizes) not in (1, 3) or not all(size.isdecimal() and int(size) > 0 for size in sizes):
        raise argparse.ArgumentTypeError(
            f"{text!r} is no input shape: write channels x height x width, as 3x224x224, or the tokens of a text, as 64"
        )
    return tuple(int(size) for size in sizes)


def _names(text: str) -> tuple[str, ...]:
    return tuple(name for name in text.split(",") if name)


def _whole(text: str) -> int:
    try:
        return int(text)
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text!r} is no whole number") from None


def _setting(text: str) -> tuple[str, str]:
    key, equals, value = text.partition("=")
    if not equals or not key:
        raise argparse.ArgumentTypeError(f"{text!r} is no option: write KEY=VALUE")
    return key, value


def _fractions(text: str) -> tuple[float, ...]:
    try:
        return tuple(float(item) for item in text.split(","))
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text!r} is no list of fractions: write 0.1,0.3,0.5") from None
