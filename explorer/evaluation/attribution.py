"""What of a picture an answer rests on, by Captum."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from explorer.batches import evaluating
from explorer.errors import ExplorerError
from explorer.modules import borrowed
from explorer.tasks import TASK_KINDS, Task

STEPS = 24  # of integrated gradients
WINDOWS = 7  # places a side at which a part is covered, each half over the next
_AT_ONCE = 32  # covered pictures of a batch
_BLUR = 4  # fields a side of what is left of a picture when it is blurred

Answer = Callable[[Tensor], Tensor]  # pictures (n, C, H, W) → the log-probability of one class, (n,)


@dataclass(frozen=True)
class Attribution:
    """A way to find the evidence of an answer.

    Args:
        title: for a person.
        explanation: what it does, in a sentence.
        passes: how much it computes, in forward passes of one picture.
        function: (answer, picture (1, C, H, W), blurred picture) → the part of every value, (1, C, H, W).
    """

    title: str
    explanation: str
    passes: int
    function: Callable[[Answer, Tensor, Tensor], Tensor] = field(repr=False)


def _covering(answer: Answer, picture: Tensor, blurred: Tensor) -> Tensor:
    from captum.attr import Occlusion  # slow to import

    channels, *sides = picture.shape[1:]
    strides = tuple(max(1, side // (WINDOWS + 1)) for side in sides)
    windows = tuple(min(side, 2 * stride) for side, stride in zip(sides, strides, strict=True))
    with torch.inference_mode():
        return Occlusion(answer).attribute(
            picture,
            sliding_window_shapes=(channels, *windows),
            strides=(channels, *strides),
            baselines=blurred,
            perturbations_per_eval=_AT_ONCE,
        )


def _sharpening(answer: Answer, picture: Tensor, blurred: Tensor) -> Tensor:
    from captum.attr import IntegratedGradients  # slow to import

    return IntegratedGradients(answer).attribute(
        picture, baselines=blurred, n_steps=STEPS, internal_batch_size=_AT_ONCE
    )


ATTRIBUTIONS: Mapping[str, Attribution] = {
    "covering": Attribution(
        "Cover a part",
        "Each part of the picture is blurred in turn: where that takes most from the answer, the evidence lies.",
        WINDOWS**2 + 1,
        _covering,
    ),
    "sharpening": Attribution(
        "Sharpen slowly",
        "The picture goes from blurred to sharp, and the gradient adds up what each pixel gives to the answer.",
        3 * STEPS,
        _sharpening,
    ),
}
"""Occlusion (Zeiler and Fergus 2014, arXiv:1311.2901) and integrated gradients (Sundararajan et al. 2017,
arXiv:1703.01365), both against a blurred picture (Fong and Vedaldi 2017, arXiv:1704.03296)."""


def evidence(
    module: nn.Module, picture: Tensor, answer: int, *, device: torch.device, by: str = "covering"
) -> np.ndarray:
    """What every pixel adds to the log-probability of an answer, against a blurred picture: float32 (H, W).

    Positive where it speaks for the answer, negative where it speaks against it.

    Args:
        picture: (C, H, W), normalised as the module wants it.
        answer: the number of a class.
        by: a key of `ATTRIBUTIONS`.

    Raises:
        ExplorerError: the module's outputs are not (batch, classes).
    """
    one = picture[None].to(device)
    blurred = F.interpolate(F.adaptive_avg_pool2d(one, _BLUR), one.shape[2:], mode="bilinear", align_corners=False)
    with evaluating(module, device), borrowed(module, gradients=False), torch.enable_grad():

        def log_probability(pictures: Tensor) -> Tensor:
            outputs = module(pictures).float()
            if outputs.dim() != 2:
                raise ExplorerError(f"outputs of shape {tuple(outputs.shape)} are no single answer to a picture")
            return outputs.log_softmax(1)[:, answer]

        parts = ATTRIBUTIONS[by].function(log_probability, one, blurred)
    return parts[0].sum(0).detach().float().cpu().numpy()


def why_no_evidence(task: Task) -> str:
    """Why there is no single answer to a picture of the task whose evidence could be shown; empty where there is."""
    kind = TASK_KINDS[task.kind]
    if len(task.input_shape) != 3:
        return "the evidence of an answer is shown on pictures, and this network reads something else"
    if not kind.classifies:
        return f"evidence is that of one answer to the whole picture; for {kind.title.lower()} there are many"
    return ""


def where(parts: np.ndarray) -> str:
    """Where the evidence has its centre, in words: "the middle", "the upper left", "the lower part"."""
    weight = np.clip(parts, 0, None).astype(np.float64)
    if not weight.any():
        return "nowhere"
    down, across = (np.average(places, weights=weight) for places in np.indices(parts.shape))
    found = [
        *_third(down / max(1, parts.shape[0] - 1), "upper", "lower"),
        *_third(across / max(1, parts.shape[1] - 1), "left", "right"),
    ]
    if not found:
        return "the middle"
    return f"the {' '.join(found)}" if len(found) == 2 else f"the {found[0]} part"


def _third(share: float, first: str, last: str) -> list[str]:
    """The word for where a share from 0 to 1 lies; none in the middle."""
    return [first] if share < 0.4 else [last] if share > 0.6 else []
