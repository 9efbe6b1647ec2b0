"""How the class is joined: the address and the code in large type, and who is here."""

from functools import lru_cache

import streamlit as st

from explorer.learning.classes.addresses import for_the_board
from explorer.learning.classes.records import Classroom, Student
from explorer.ui.parts import classroom, say
from explorer.ui.state import classes
from explorer.ui.state.workspace import Workspace


def show(workspace: Workspace, room: Classroom, students: list[Student]) -> None:
    address = f"{base()}/class"
    told = {
        "view": "join",
        "label": "How to join",
        "code": room.code,
        "address": address.partition("://")[2],
        "qr": _square(f"{address}?{classes.CODE}={room.code}"),
        "names": [student.nickname for student in students],
    }
    if is_alone():
        say.warning("This server only answers on this machine: start it by python -m explorer app --class.")
    classroom.tell(told)


def base() -> str:
    """What all addresses of this server begin with, as a room reaches it."""
    return for_the_board(st.context.url or "", st.get_option("server.port"))


def is_alone() -> bool:
    """Whether nobody but this machine can reach the server."""
    return st.get_option("server.address") in ("localhost", "127.0.0.1", "::1")


@lru_cache(64)
def _square(link: str) -> list[str]:
    """The QR code of a link, a text of 0 and 1 for each row."""
    import segno

    return ["".join("1" if module else "0" for module in row) for row in segno.make(link, micro=False).matrix]
