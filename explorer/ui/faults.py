"""What nobody foresaw, on a page: a calm sentence with the way on, in place of Streamlit's box."""

import secrets
import threading
import traceback
from collections import OrderedDict
from pathlib import Path

import streamlit as st

from explorer.device import is_out_of_memory
from explorer.errors import ExplorerError, lacks_package, missing_package
from explorer.mishaps import kept
from explorer.ui.parts import say
from explorer.ui.text import words

_REMEMBERED = 64
_lock = threading.Lock()
_traces: OrderedDict[tuple[str, ...], Path | None] = OrderedDict()


def tell(error: Exception) -> bool:
    """Shows an error that no page has caught, where it came up; Streamlit calls it, and shows nothing else then.

    The button lets the script run again: what a callback or a part of a page has spoilt stands there anew.
    """
    say.error(sentence(error), icon=":material/error:")
    st.button("Show the page again", icon=":material/refresh:", key=f"again {secrets.token_hex(4)}")
    return True


def sentence(error: Exception) -> str:
    """What a person is told of an error: its own line where it was foreseen, else the file that has its trace."""
    if isinstance(error, ExplorerError):
        return words.sentence(str(error))
    if lacks_package(error):
        return words.sentence(missing_package(error))
    if is_out_of_memory(error):
        return "The server's memory ran out: use a smaller model, or data of fewer or smaller samples."
    trace = _trace(error)
    where = f"its trace is in {trace} on the server: please report it with that file" if trace else "please report it"
    return (
        f"Something went wrong that nobody foresaw ({type(error).__name__}), and it is not your fault; {where}. "
        "Your workspace and your runs are kept."
    )


def _trace(error: Exception) -> Path | None:
    """The file with the error's trace, one for each place in the program: a part of a page may fail every second."""
    lines = traceback.extract_tb(error.__traceback__)
    key = (type(error).__name__, *(f"{line.filename}:{line.lineno}" for line in lines))
    with _lock:
        path = _traces.get(key)
        if path is None or not path.exists():
            path = _traces[key] = kept(error, f"the page {(st.context.url or '').partition('?')[0]}")
        while len(_traces) > _REMEMBERED:
            _traces.popitem(last=False)
    return path
