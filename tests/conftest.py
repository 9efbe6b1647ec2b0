"""Settings of all tests."""

import torch

# One thread a process: small tensors gain nothing from two, and tests that run side by side lose much.
torch.set_num_threads(1)
