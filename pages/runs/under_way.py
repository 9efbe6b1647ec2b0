"""The runs that wait or go on, with how far they are."""

from explorer.runs.labels import label_of
from explorer.ui.parts import compared, jobs, say
from explorer.ui.state.workspace import Workspace


def show(workspace: Workspace) -> None:
    """Every run of this workspace that has not ended; nothing where there is none."""
    for job in compared.under_way(workspace):
        say.caption(label_of(job.bundle, job.id).name)
        jobs.watch(job)
