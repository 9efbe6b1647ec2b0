"""A class deleted with all that came of it."""

import contextlib
from pathlib import Path

from explorer.errors import ExplorerError
from explorer.learning.classes.records import Classroom, Student
from explorer.runs.removing import remove_run
from explorer.ui.parts import classroom
from explorer.ui.state import session
from explorer.ui.state.workspace import WORKSPACES


def end(room: Classroom, students: list[Student]) -> list[str]:
    """Forgets a class, its students' workspaces and their runs; gives why some of that could not go.

    What a student of it has on her screen is a new, empty workspace from then on.
    """
    desk, left = session.DESK, []
    classroom.register().delete(room.code)
    for student in students:
        for job in desk.jobs(student.workspace):
            with contextlib.suppress(ExplorerError):
                desk.cancel(job.id)
            try:
                remove_run(desk.root, Path(job.directory).name)
            except ExplorerError as error:
                left.append(str(error))
            else:
                desk.forget(Path(job.directory))
        WORKSPACES.forget(student.workspace)
        session.lessons().forget(student.workspace)
    return left
