"""``python -m explorer``, and the installed command ``pruning-explorer``."""

import os
import signal
import sys

# Threads that spin while they wait double the time of a run on a machine that does anything else; torch reads this
# when it is first imported.
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")


def start() -> None:
    """Runs the command line and leaves with its exit code."""
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))  # cleans up like any other end
    try:
        from explorer.cli import main
    except ImportError as error:
        from explorer.errors import missing_package

        sys.exit(f"error: {missing_package(error)}")
    sys.exit(main())


if __name__ == "__main__":
    start()
