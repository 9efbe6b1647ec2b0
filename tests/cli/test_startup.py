"""How the command line starts: lightly, under the name that it was called by, and stopped like any other program."""

import os
import signal
import socket
import subprocess
import sys
import time
import urllib.request

import pytest

from explorer.cli import main
from explorer.cli.parser import build_parser
from explorer.cli.verb import VERBS
from explorer.ui import launcher

HEAVY = ("pandas", "scipy", "streamlit", "torch", "torchvision", "transformers")
DIRECT = urllib.request.build_opener(urllib.request.ProxyHandler({}))  # whatever proxy the environment names


@pytest.mark.parametrize(
    "arguments",
    [
        ["--help"],
        ["models"],
        ["criteria"],
        ["prune", "--help"],
        ["score", "--help"],
        ["bench", "methods", "--help"],
        ["docs", "--check"],
    ],
    ids=" ".join,
)
def test_nothing_heavy_is_imported(arguments):
    code = f"import sys; from explorer.cli import main; main(sys.argv[1:]); print(*set({HEAVY}) & sys.modules.keys())"
    done = subprocess.run([sys.executable, "-c", code, *arguments], check=True, capture_output=True, text=True)
    assert done.stdout.splitlines()[-1] == ""


@pytest.mark.parametrize("called", ["python -m explorer", "pruning-explorer"])
def test_usage_names_the_command_as_it_was_called(called, monkeypatch, capsys):
    monkeypatch.setattr(sys, "argv", ["/bin/pruning-explorer" if called == "pruning-explorer" else "/x/__main__.py"])
    assert main(["inspect"]) == 2
    assert f"see {called} inspect --help" in capsys.readouterr().err


@pytest.mark.parametrize("name", VERBS)
def test_every_verb_reads_its_help(name, capsys):
    assert main([*name.split(), "--help"]) == 0
    assert VERBS[name].explanation[1:] in " ".join(capsys.readouterr().out.split())


def test_a_verb_that_is_read_equals_the_one_that_is_imported():
    declared = VERBS.declared()
    assert list(declared) == list(VERBS)
    assert all((declared[name].help, declared[name].shared) == (verb.help, verb.shared) for name, verb in VERBS.items())
    options = build_parser().parse_args(["bench", "coverage", "--only", "x"])
    assert (options.verb.name, options.only) == ("bench coverage", ["x"])


def test_the_app_is_launched_where_it_is_asked_to_be(monkeypatch):
    launched = []
    monkeypatch.setattr(launcher, "launch", lambda **where: launched.append(where))
    assert main(["app", "--port", "1234", "--address", "0.0.0.0"]) == 0
    assert main(["app"]) == 0
    assert launched == [
        {"port": 1234, "address": "0.0.0.0", "start": None},
        {"port": None, "address": None, "start": None},
    ]


@pytest.mark.parametrize("stop", [signal.SIGTERM, signal.SIGINT])
def test_the_app_answers_and_ends_when_it_is_told_to(stop, tmp_path):
    with socket.socket() as probe:
        probe.bind(("localhost", 0))
        port = probe.getsockname()[1]
    process = subprocess.Popen(
        [sys.executable, "-m", "explorer", "app", "--port", str(port)],
        env={**os.environ, "EXPLORER_RUNS": str(tmp_path)},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler),
    )
    try:
        assert _healthy(process, f"http://localhost:{port}/_stcore/health")
        process.send_signal(stop)
        _, errors = process.communicate(timeout=60)
    finally:
        process.kill()
    assert process.returncode == 0
    assert "Traceback" not in errors


def _healthy(process: subprocess.Popen, url: str) -> bool:
    """Whether the server says that it is, before it ends or a minute is over."""
    until = time.monotonic() + 60
    while process.poll() is None and time.monotonic() < until:
        try:
            with DIRECT.open(url, timeout=2) as answer:
                return answer.read() == b"ok"
        except OSError:
            time.sleep(0.1)
    return False
