"""A place of work whose work the test does by hand."""


class Hand:
    """A link to nobody; `all` are those opened so far, each with what it was `sent`."""

    all: list["Hand"]
    pid = 0

    def __init__(self, lane, log, on_event, on_exit):
        self._on_event, self._on_exit = on_event, on_exit
        self.sent = []
        self.all.append(self)

    def send(self, message):
        self.sent.append(message)

    @property
    def job(self):
        return next(message["job"] for message in reversed(self.sent) if "job" in message)

    def tell(self, event, **fields):
        self._on_event(self, {"event": event, "job": self.job, **fields})

    def point(self, step, fraction):
        metrics = {"step": step, "macs": 100 - step, "params": 100 - step, "rolled_back": 0, "top1": 0.9}
        self.tell("progress", fraction=fraction, message=f"step {step}", metrics=metrics)

    def die(self):
        self._on_exit(self, "the worker died")

    def kill(self):
        self.die()

    def close(self, grace):
        self.tell("cancelled")  # as a worker does whose line is closed
        self.die()
