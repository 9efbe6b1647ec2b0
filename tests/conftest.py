"""Settings of all tests."""

import pytest
import torch

# One thread a process: small tensors gain nothing from two, and tests that run side by side lose much.
torch.set_num_threads(1)


@pytest.fixture(scope="session", autouse=True)
def _outside_the_repository(tmp_path_factory):
    """Runs and their history go to a temporary folder, also those of processes that a test starts.

    The history is left out: opening it takes seconds, and only its own tests look at it.
    """
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("EXPLORER_RUNS", str(tmp_path_factory.mktemp("runs")))
        patch.setenv("EXPLORER_CACHE", str(tmp_path_factory.mktemp("cache")))
        patch.setenv("EXPLORER_TRACK", "0")
        patch.setenv("OMP_NUM_THREADS", "1")  # of processes that a test starts
        patch.delenv("MLFLOW_TRACKING_URI", raising=False)
        yield
