"""Where runs lie, and the folders of their finished steps."""

import os
from pathlib import Path

PARTIAL = ".partial"  # how a folder of finished steps ends


def default_root() -> Path:
    """The folder of the runs: ``$EXPLORER_RUNS``, else ``runs``."""
    return Path(os.environ.get("EXPLORER_RUNS") or "runs")


def partial(out: Path) -> Path:
    """The folder for the finished steps of the run that will write `out`, beside it."""
    return out.with_name(out.name + PARTIAL)


def steps_in(folder: Path) -> list[str]:
    """Names of the finished steps that a folder of `explorer.runs.checkpoint` holds."""
    return sorted(path.stem for path in folder.glob("*.safetensors"))
