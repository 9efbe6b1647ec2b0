"""Everything slow is imported once, before the first child."""

import importlib
import os

_HEAVY = (
    *("datasets", "torchvision", "transformers", "onnxruntime", "explorer.api", "explorer.bench.methods"),
    *("explorer.runs.execute", "explorer.runs.history.comparison"),
)


def warm_up() -> None:
    """Imports them, on one thread: a process with more can't be forked."""
    os.environ.update({"OMP_NUM_THREADS": "1", "HF_HUB_OFFLINE": "1"})
    import torch

    torch.set_num_threads(1)
    for name in _HEAVY:
        importlib.import_module(name)
