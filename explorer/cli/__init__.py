"""The command line: the same verbs as the pages, headless.

Exit codes: 0, 1 where a table shows something that falls short or the program has a fault (one line that names the
file with its trace), 2 for bad input (one line on standard error), 130 when interrupted. With ``--json`` standard
output carries exactly one JSON object; progress and warnings go to standard error.
"""

import logging
import os
import shlex
import sys
import warnings
from collections.abc import Sequence

from explorer.cli.console import Console
from explorer.cli.own_code import allow_named
from explorer.cli.parser import build_parser
from explorer.distributed import is_main, processes
from explorer.errors import ExplorerError, lacks_package, missing_package
from explorer.mishaps import told
from explorer.plain import visible
from explorer.runs.output import reserved_stdout

INTERRUPTED = 130
BAD_INPUT = 2
FAULT = 1
_LONGEST = 1500  # characters of an error


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs one command and returns its exit code."""
    arguments = list(sys.argv[1:] if arguments is None else arguments)
    try:
        return _run(arguments)
    except ExplorerError as error:
        return _complain(str(error))
    except KeyboardInterrupt:
        print("interrupted", file=sys.stderr)
        return INTERRUPTED
    except BrokenPipeError:  # the reader, `head` for example, has seen enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except OSError as error:
        where = f" {error.filename}" if error.filename else ""
        return _complain(f"can't use{where or ' a file'}: {error.strerror or error}")
    except Exception as error:
        if _is_out_of_memory(error):
            return _complain("the machine has not enough memory for this: use a smaller model, batch or sample")
        if lacks_package(error):
            return _complain(missing_package(error))
        return _complain(told(error, shlex.join(["explorer", *arguments])), FAULT)


def _run(arguments: list[str]) -> int:
    if any("\0" in argument for argument in arguments):
        raise ExplorerError("an argument holds a NUL, which no name or path can: leave it out")
    parser = build_parser()
    if not arguments:
        parser.print_help()
        return 0
    try:
        options = parser.parse_args(arguments)
    except SystemExit as finished:  # --help and --version have been printed
        return int(finished.code or 0)
    if processes() > 1 and not options.verb.shared:
        raise ExplorerError("only prune shares its work among processes: launch this command in one process")
    with reserved_stdout() as answers, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        console = Console(answers, as_json=options.json, quiet=options.quiet or not is_main())
        with console.listening(logging.getLogger("explorer")):
            allow_named(options)
            answer = options.verb.function(options, console.report)
            if is_main():
                console.answer(answer)
    return answer.code


def _is_out_of_memory(error: Exception) -> bool:
    if "torch" not in sys.modules:  # which is slow to import, and whose errors need its help to be known
        return isinstance(error, MemoryError)
    from explorer.device import is_out_of_memory

    return is_out_of_memory(error)


def _complain(message: str, code: int = BAD_INPUT) -> int:
    """Prints one line; of a very long one, which repeats very long input, the beginning and the end."""
    line = " ".join(message.split())
    shown = line if len(line) <= _LONGEST else f"{line[: _LONGEST - 300]} … {line[-300:]}"
    print(f"error: {visible(shown)}", file=sys.stderr)
    return code
