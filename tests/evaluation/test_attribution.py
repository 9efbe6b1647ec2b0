"""The evidence of an answer lies where the network looks, by every way to find it."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import nn

from explorer.errors import ExplorerError
from explorer.evaluation import ATTRIBUTIONS, evidence, where, why_no_evidence
from explorer.sources import load_pair, load_task
from explorer.ui.charts.evidence import overlay
from tests.hugging import text_folder

CPU = torch.device("cpu")


class Corner(nn.Module):
    """Answers class 1 by how bright the lower left quarter is."""

    def __init__(self):
        super().__init__()
        self.gain = nn.Parameter(torch.tensor(3.0))

    def forward(self, pictures):
        half = pictures.shape[-1] // 2
        bright = pictures[..., half:, :half].mean((1, 2, 3)) * self.gain
        return torch.stack([-bright, bright], 1)


def bright_corner():
    picture = torch.zeros(3, 32, 32)
    picture[:, 20:28, 4:12] = 4.0
    return picture


@pytest.mark.parametrize("by", ATTRIBUTIONS)
def test_evidence_lies_where_the_network_looks(by):
    module = Corner().train()
    parts = evidence(module, bright_corner(), 1, device=CPU, by=by)
    assert parts.shape == (32, 32)
    assert where(parts) == "the lower left"
    assert abs(parts[:12]).sum() < 1e-6
    assert (evidence(module, bright_corner(), 0, device=CPU, by=by) <= 1e-9)[20:28, 4:12].all()
    assert module.training
    assert module.gain.requires_grad
    assert module.gain.grad is None


@pytest.mark.parametrize("by", ATTRIBUTIONS)
@pytest.mark.parametrize("ref", ["demo:resnet20-digits", "demo:vgg-shapes", "demo:vit-shapes"])
def test_every_kind_of_bundled_network_has_it(ref, by):
    model, task = load_pair(ref)
    picture, label = task.test[0]
    parts = evidence(model.module, picture, int(label), device=CPU, by=by)
    assert parts.shape == tuple(picture.shape[1:])
    assert np.isfinite(parts).all()
    assert parts.max() > 0


def test_integrated_gradients_add_up_to_what_sharpening_changes():
    module, picture = Corner(), bright_corner()
    blurred = nn.functional.interpolate(
        nn.functional.adaptive_avg_pool2d(picture[None], 4), (32, 32), mode="bilinear", align_corners=False
    )
    both = module(torch.cat([blurred, picture[None]])).log_softmax(1)[:, 1].detach()
    assert evidence(module, picture, 1, device=CPU, by="sharpening").sum() == pytest.approx(
        float(both[1] - both[0]), rel=0.05
    )


def test_what_has_no_single_answer_says_why(tmp_path):
    assert why_no_evidence(load_task("digits")) == ""
    assert "segmentation there are many" in why_no_evidence(load_task("masks?n=200"))
    assert "on pictures" in why_no_evidence(load_pair(f"hf:{text_folder(tmp_path, num_labels=3)}", "sentences")[1])
    with pytest.raises(ExplorerError, match="no single answer"):
        evidence(nn.Conv2d(3, 2, 1), bright_corner(), 1, device=CPU)
    assert "on pictures" in why_no_evidence(replace(load_task("digits"), input_shape=(12,)))


@pytest.mark.parametrize(
    ("place", "words"),
    [((0, 0), "the upper left"), ((4, 4), "the middle"), ((4, 8), "the right part"), ((8, 4), "the lower part")],
)
def test_where_it_lies_is_said(place, words):
    parts = -np.ones((9, 9), np.float32)
    assert where(parts) == "nowhere"
    parts[place] = 1
    assert where(parts) == words


def test_evidence_is_drawn_where_it_is_and_nothing_where_there_is_none():
    picture, parts = np.full((4, 4, 3), 200, np.uint8), np.zeros((4, 4))
    assert np.unique(overlay(picture, parts)).tolist() == [200]
    parts[0, 0] = 1
    drawn = overlay(picture, parts)
    assert drawn.shape[0] > 4
    assert drawn[-1, -1].tolist() == [200] * 3
    assert len(set(drawn[0, 0].tolist())) == 3
