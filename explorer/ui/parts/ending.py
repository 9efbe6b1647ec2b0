"""A class deleted with all that came of it."""

import contextlib
import time
from pathlib import Path

from explorer.errors import ExplorerError
from explorer.learning.classes.records import Classroom
from explorer.learning.missions.points import forget
from explorer.runs.queue.desk import Desk
from explorer.runs.queue.job import Job
from explorer.runs.removing import remove_run
from explorer.ui.parts import classroom, mission_play
from explorer.ui.state import session
from explorer.ui.state.workspace import WORKSPACES

PATIENCE = 8.0  # seconds: a job that does not stop by itself is ended after five


def remove(room: Classroom, nickname: str) -> None:
    """Takes a student out of a class, with what she has handed in there; her workspace stays hers.

    Her nickname is free then, and who takes it next begins with nothing of hers.
    """
    classroom.register().remove(room.code, nickname)
    forget(mission_play.store(), room.code, nickname)


def end(room: Classroom) -> list[str]:
    """Forgets a class, its students' workspaces and their runs; gives why some of that could not go.

    What a student of it has on her screen is a new, empty workspace from then on.
    """
    desk = session.DESK
    students = classroom.register().delete(room.code)
    forget(mission_play.store(), room.code)
    jobs = [job for student in students for job in desk.jobs(student.workspace)]
    for job in jobs:
        with contextlib.suppress(ExplorerError):  # one of another server
            desk.cancel(job.id)
    for student in students:
        WORKSPACES.forget(student.workspace)
        session.lessons().forget(student.workspace)
    return [why for job in jobs if (why := _removed(desk, job))]


def _removed(desk: Desk, job: Job) -> str:
    """Why a run's folder stays; empty where it is deleted. One that was just stopped takes a moment to let go of it."""
    why, folder, end = "", Path(job.directory), time.monotonic() + PATIENCE
    while time.monotonic() < end:
        try:
            remove_run(desk.root, folder.name)
        except ExplorerError as error:
            why = str(error)
            time.sleep(0.2)
        else:
            desk.forget(folder)
            return ""
    return why
