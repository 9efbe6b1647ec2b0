"""Writing that is whole or not there, and a standard output that carries nothing but answers."""

import contextlib
import os
import shutil
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any, TextIO

from explorer.errors import ExplorerError
from explorer.strict_json import dumps

PARTIAL = ".partial"  # how a folder of finished steps ends


def write_text(path: Path, text: str) -> None:
    """Replaces the file in one step: readers see the old text or the new, never a part."""
    descriptor, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(descriptor, "w", encoding="utf-8") as stream:
            stream.write(text)
        os.replace(temporary, path)
    except BaseException:
        with contextlib.suppress(OSError):
            os.unlink(temporary)
        raise


def write_json(path: Path, document: Any) -> None:
    """Like `write_text`, for a document of plain types."""
    write_text(path, dumps(document, indent=1) + "\n")


def default_root() -> Path:
    """The folder of the runs: ``$EXPLORER_RUNS``, else ``runs``."""
    return Path(os.environ.get("EXPLORER_RUNS") or "runs")


def partial(out: Path) -> Path:
    """The folder for the finished steps of the run that will write `out`, beside it."""
    return out.with_name(out.name + PARTIAL)


def steps_in(folder: Path) -> list[str]:
    """Names of the finished steps that a folder of `explorer.runs.checkpoint` holds."""
    return sorted(path.stem for path in folder.glob("*.safetensors"))


def place(source: Path, path: Path) -> None:
    """Copies a finished file to `path` in one step.

    Raises:
        ExplorerError: the place can't be written; whatever was there is still there.
    """
    temporary = path.with_name(f".{path.name}.{os.getpid()}.partial")
    try:
        shutil.copyfile(source, temporary)
        os.replace(temporary, path)
    except OSError as error:
        raise ExplorerError(f"can't write {path}: {error.strerror}; choose another place") from None
    finally:
        with contextlib.suppress(OSError):
            temporary.unlink()


@contextlib.contextmanager
def reserved_stdout() -> Iterator[TextIO]:
    """The real standard output, while everything that prints by itself goes to standard error.

    Libraries print from Python and from C; both are turned away, the second by descriptor.
    """
    with contextlib.ExitStack() as stack:
        try:
            sys.stdout.flush()
            number = sys.stdout.fileno()
        except (OSError, ValueError, AttributeError):  # captured by a test or a notebook: no descriptor
            answers = sys.stdout
        else:
            answers = stack.enter_context(os.fdopen(os.dup(number), "w", encoding="utf-8"))
            saved = os.dup(number)
            os.dup2(sys.stderr.fileno(), number)
            stack.callback(_restore, saved, number)
        stack.enter_context(contextlib.redirect_stdout(sys.stderr))
        yield answers


def _restore(saved: int, number: int) -> None:
    os.dup2(saved, number)
    os.close(saved)
