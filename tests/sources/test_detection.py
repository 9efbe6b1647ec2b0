"""Detectors as networks of one tensor: cut like any network, they still detect and train as their authors meant."""

import copy

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torchvision.models import detection
from torchvision.models.detection.backbone_utils import resnet_fpn_backbone
from torchvision.ops.misc import FrozenBatchNorm2d

from explorer.bench.families import settle, stir
from explorer.errors import ExplorerError
from explorer.export import check_onnx, export_onnx
from explorer.pruning import Plan, cut, mask
from explorer.sources.networks.detectors import (
    DETECTORS,
    Detector,
    QueryDetector,
    TwoStageDetector,
    build_detector,
    detector_loss,
)
from explorer.structure import analyse, count

CLASSES = 5
SMALL = {
    "detr": {
        "backbone_config": {
            "model_type": "resnet", "embedding_size": 16, "hidden_sizes": [16, 32, 48, 64], "depths": [1, 1, 1, 1],
            "out_features": ["stage4"],
        },
        "d_model": 48, "num_queries": 6, "encoder_layers": 1, "decoder_layers": 1, "encoder_attention_heads": 4,
        "decoder_attention_heads": 4, "encoder_ffn_dim": 96, "decoder_ffn_dim": 96, "init_std": 0.2,
    },
}  # fmt: skip
PIXELS = {"ssdlite320_mobilenet_v3_large": 160, "ssd300_vgg16": 300}
QUICK = ("ssdlite320_mobilenet_v3_large", "fasterrcnn_mobilenet_v3_large_320_fpn", "detr")
ALL = [name if name in QUICK else pytest.param(name, marks=pytest.mark.slow) for name in DETECTORS]


def images(name: str, count: int = 2) -> Tensor:
    torch.manual_seed(1)
    return torch.randn(count, 3, PIXELS.get(name, 96), PIXELS.get(name, 96))


def detector(name: str) -> Detector:
    module = build_detector(name, CLASSES, **SMALL.get(name, {}))
    torch.manual_seed(0)
    return settle(stir(module), images(name)).eval()


def targets() -> list[dict[str, Tensor]]:
    boxes = torch.tensor([[8.0, 8, 60, 70], [30, 20, 90, 90]])
    return [
        {"boxes": boxes, "labels": torch.tensor([1, 3])},
        {"boxes": boxes[:1] + 4, "labels": torch.tensor([2])},
    ]


def third(name: str, structure) -> Plan:
    return Plan(name, {n: tuple(range(0, g.units, 3))[: g.units - 1] for n, g in structure.groups.items()})


def check(name: str, module: Detector, pixels: Tensor) -> Detector:
    """The cut detector, after everything that must hold of it."""
    structure = analyse(module, pixels[:1])
    assert {blocked.reason for blocked in structure.blocked} == {"these are the model's outputs"}
    assert all(group.exact for group in structure.groups.values())
    plan = third(name, structure)
    smaller = cut(module, structure, plan).module
    with torch.no_grad():
        whole, masked, done = module(pixels), mask(module, structure, plan)(pixels), smaller(pixels)
    assert (masked - done).abs().max() <= 1e-5 * done.abs().max()
    assert (whole - done).abs().max() > 0.1 * done.abs().max()  # else the line above says nothing
    assert structure.cost(plan.kept(structure)) == count(smaller, pixels[:1])
    for found in smaller.detect(pixels):
        assert found["boxes"].shape == (len(found["scores"]), 4)
        assert found["labels"].shape == found["scores"].shape
        assert found["labels"].dtype == torch.int64
        assert (found["boxes"][:, 2:] >= found["boxes"][:, :2]).all()
        assert (found["scores"].diff() <= 0).all()
    assert not smaller.training
    smaller.train()
    optimiser = torch.optim.SGD(smaller.parameters(), lr=1e-4)
    loss = detector_loss(smaller, pixels, targets())
    loss.backward()
    assert all(p.grad is not None and p.grad.isfinite().all() for p in smaller.parameters() if p.requires_grad)
    optimiser.step()
    assert detector_loss(smaller, pixels, targets()).isfinite()
    return smaller.eval()


@pytest.mark.parametrize("name", ALL)
def test_a_cut_detector_is_its_mask_costs_as_computed_detects_and_trains(name: str):
    check(name, detector(name), images(name))


def test_the_outputs_are_those_of_torchvisions_heads():
    module = detector("ssdlite320_mobilenet_v3_large")
    pixels = images("ssdlite320_mobilenet_v3_large")
    with torch.no_grad():
        heads = module.model.head(list(module.model.backbone(pixels).values()))
        assert torch.equal(module(pixels), torch.cat([heads["cls_logits"], heads["bbox_regression"]], -1))
    assert module(pixels).shape[-1] == CLASSES + 4


@pytest.mark.parametrize("name", [QUICK[0], QUICK[1], pytest.param("ssd300_vgg16", marks=pytest.mark.slow)])
def test_detections_and_losses_are_torchvisions(name: str):
    """Its own transform, told to leave images as they are, gives the same."""
    module, pixels = detector(name), images(name)
    theirs = getattr(detection, name)(weights=None, weights_backbone=None, num_classes=CLASSES).eval()
    theirs.load_state_dict(module.model.state_dict())
    side = pixels.shape[-1]
    theirs.transform.min_size, theirs.transform.max_size, theirs.transform.fixed_size = (side,), side, (side, side)
    theirs.transform.image_mean, theirs.transform.image_std = [0.0] * 3, [1.0] * 3
    with torch.no_grad():
        for ours, expected in zip(module.detect(pixels), theirs(list(pixels)), strict=True):
            for key in expected:
                torch.testing.assert_close(ours[key], expected[key], atol=1e-4, rtol=1e-4)
        theirs.transform._skip_resize = True  # it draws a size, and would shift the samples drawn after it
        torch.manual_seed(0)
        expected = theirs.train()(list(pixels), targets())
        torch.manual_seed(0)
        torch.testing.assert_close(detector_loss(module.train(), pixels, targets()), sum(expected.values()))


def test_losses_in_evaluation_mode_leave_the_statistics_alone():
    module, pixels = detector(QUICK[0]), images(QUICK[0])
    before = copy.deepcopy(module.state_dict())
    assert detector_loss(module, pixels, targets()).isfinite()
    assert all(torch.equal(before[key], value) for key, value in module.state_dict().items())
    assert not any(layer.training for layer in module.modules())


@pytest.mark.parametrize("pixels", [64, 96])
def test_positions_with_buffers_are_transformers(pixels: int):
    import transformers

    torch.manual_seed(0)
    config = transformers.DetrConfig(num_labels=CLASSES, use_timm_backbone=False, **SMALL["detr"])
    theirs = transformers.DetrForObjectDetection(config).eval()
    state = copy.deepcopy(theirs.state_dict())
    images = torch.randn(2, 3, pixels, pixels)
    with torch.no_grad():
        expected = theirs(pixel_values=images)
        ours = QueryDetector(theirs).eval()
        ours.model.load_state_dict(state)  # a checkpoint of transformers', without the buffers
        found = ours(images)
    torch.testing.assert_close(found, torch.cat([expected.logits, expected.pred_boxes], -1), atol=1e-5, rtol=1e-4)


def test_queries_become_boxes_in_pixels_without_the_class_that_means_nothing():
    module = detector("detr")
    logits, boxes = torch.tensor([[0.0, 1, 2], [3, 0, 9]]), torch.tensor([[0.5, 0.5, 0.2, 0.4], [0.25, 0.5, 0.5, 1]])
    module.forward = lambda pixels: torch.cat([logits, boxes], -1)[None]
    (found,) = module.detect(torch.zeros(1, 3, 10, 20))
    scores = logits.softmax(-1)[:, :2].amax(1)
    assert found["scores"].tolist() == scores.sort(descending=True).values.tolist()
    assert found["labels"].tolist() == [1, 0]
    torch.testing.assert_close(found["boxes"], torch.tensor([[8.0, 3, 12, 7], [0, 0, 10, 10]]))


def test_detr_is_trained_on_fractions_of_the_image():
    module, pixels = detector("detr"), images("detr")
    labels = [
        {"class_labels": torch.tensor([1, 3]), "boxes": torch.tensor([[34.0, 39, 52, 62], [60, 55, 60, 70]]) / 96},
        {"class_labels": torch.tensor([2]), "boxes": torch.tensor([[38.0, 43, 52, 62]]) / 96},
    ]
    expected = module.model(pixel_values=pixels, labels=labels).loss
    torch.testing.assert_close(detector_loss(module, pixels, targets()), expected)


class Frozen(nn.Module):
    """A residual network whose batch norms are torchvision's frozen ones."""

    def __init__(self) -> None:
        super().__init__()
        self.stem, self.norm = nn.Conv2d(3, 8, 3, bias=False), FrozenBatchNorm2d(8)
        self.branch, self.branch_norm = nn.Conv2d(8, 8, 3, padding=1, bias=False), FrozenBatchNorm2d(8)
        self.inner, self.inner_norm = nn.Conv2d(8, 6, 1, bias=False), FrozenBatchNorm2d(6)
        self.out = nn.Conv2d(6, 4, 1)

    def forward(self, x: Tensor) -> Tensor:
        x = F.relu(self.norm(self.stem(x)))
        x = F.relu(x + self.branch_norm(self.branch(x)))
        return self.out(F.hardswish(self.inner_norm(self.inner(x)))).mean((2, 3))


def freeze(module: nn.Module) -> nn.Module:
    """Random frozen norms, in place."""
    torch.manual_seed(0)
    for layer in module.modules():
        if isinstance(layer, FrozenBatchNorm2d):
            for buffer in layer.buffers():
                nn.init.uniform_(buffer, 0.5, 1.5)
    return module


def test_frozen_norms_are_cut_with_their_channels():
    module, example = freeze(Frozen()), torch.randn(1, 3, 12, 12)
    structure = analyse(module, example)
    assert {name: (group.kind, group.units) for name, group in structure.groups.items()} == {
        "stem": ("stream", 8), "inner": ("conv", 6),
    }  # fmt: skip
    affine = {m.tensor for m in structure.groups["inner"].of_role("affine")}
    assert affine == {f"inner_norm.{name}" for name in ("weight", "bias", "running_mean", "running_var")}
    assert structure.groups["inner"].why == "Only inner makes these channels."
    (tap,) = structure.groups["inner"].taps
    assert (tap.module, tap.activation, tap.axis) == ("inner_norm", "hardswish", 1)
    assert {tap.module for tap in structure.groups["stem"].taps} == {"norm", "branch_norm"}
    plan = third("frozen", structure)
    smaller = cut(module, structure, plan).module
    with torch.no_grad():
        torch.testing.assert_close(mask(module, structure, plan)(example), smaller(example))
    assert len(smaller.inner_norm.running_var) == 4
    assert structure.cost(plan.kept(structure)) == count(smaller, example)


@pytest.mark.slow
def test_a_detector_with_frozen_norms_is_cut_like_any():
    backbone = resnet_fpn_backbone(backbone_name="resnet18", weights=None, trainable_layers=5)
    assert any(isinstance(layer, FrozenBatchNorm2d) for layer in backbone.modules())
    module = TwoStageDetector(freeze(stir(detection.FasterRCNN(backbone, CLASSES)))).eval()
    check("frozen", module, images("", 2))


@pytest.mark.slow
def test_a_cut_one_stage_detector_is_exported(tmp_path):
    module, pixels = detector(QUICK[0]), images(QUICK[0], 5)
    structure = analyse(module, pixels[:1], trial=False)
    smaller = cut(module, structure, third("", structure)).module
    export_onnx(smaller, pixels[:2], tmp_path / "detector.onnx")
    assert check_onnx(tmp_path / "detector.onnx", smaller, pixels, None)["max_rel_diff"] < 1e-4


def test_unknown_detectors_are_refused():
    with pytest.raises(ExplorerError, match="did you mean ssd300_vgg16"):
        build_detector("ssd300_vgg", 3)
    with pytest.raises(ExplorerError, match="can't be built"):
        build_detector("detr", 3, d_model="wide")
