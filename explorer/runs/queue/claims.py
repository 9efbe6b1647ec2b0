"""Which jobs a server has to itself, where several share a folder."""

from pathlib import Path

from filelock import FileLock, Timeout

from explorer.runs.queue.job import Job

LOCK = "desk.lock"


class Claims:
    """The jobs of this process: a lock in the folder of each, which goes with the process, however that ends."""

    def __init__(self) -> None:
        self._locks: dict[str, FileLock] = {}

    def __contains__(self, id: str) -> bool:
        return id in self._locks

    def take(self, job: Job) -> bool:
        """Whether the job is this process's now; not where another one has it.

        Raises:
            OSError: the job's folder is gone, or can't be written.
        """
        lock = FileLock(Path(job.directory) / LOCK, thread_local=False)
        try:
            lock.acquire(blocking=False)
        except Timeout:
            return False
        self._locks[job.id] = lock
        return True

    def give_back(self, job: Job) -> None:
        """Leaves the job to whoever takes it; nothing happens where it is not this process's."""
        if (lock := self._locks.pop(job.id, None)) is not None:
            lock.release()
