"""The real handwritten digits that come with scikit-learn."""

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

CLASSES = tuple("0123456789")


def digits() -> tuple[Tensor, np.ndarray]:
    """1,797 scanned digits: uint8 pixels (n, 1, 32, 32), enlarged bilinearly from 8×8, and labels (n,).

    From Alpaydin & Kaynak 1998, "Optical recognition of handwritten digits", UCI machine learning repository.
    """
    from sklearn.datasets import load_digits  # here because importing scikit-learn takes a second

    data = load_digits()
    small = torch.from_numpy(data.images).float()[:, None] / data.images.max()
    large = F.interpolate(small, size=(32, 32), mode="bilinear", align_corners=False)
    return (large * 255).round().to(torch.uint8), data.target
