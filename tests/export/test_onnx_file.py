"""ONNX files: written whole by whichever exporter can, refused when they compute something else."""

import copy

import onnx
import pytest
import torch
from torch import Tensor, nn

from explorer.errors import ExplorerError
from explorer.export import check_onnx, export_onnx
from explorer.export.onnx_file import tolerance
from explorer.structure import analyse, cut_module
from tests.nets import Plain, Residual

SHAPE = (3, 8, 8)


@pytest.fixture(scope="module")
def module():
    torch.manual_seed(0)
    return Residual().eval()


@pytest.fixture(scope="module")
def path(module, tmp_path_factory):
    path = tmp_path_factory.mktemp("onnx") / "model.onnx"
    assert export_onnx(module, SHAPE, path)["exporter"] == "dynamo"
    return path


@pytest.fixture(scope="module")
def images():
    return torch.randn(23, *SHAPE, generator=torch.Generator().manual_seed(0))


class Branching(nn.Module):
    """Control flow on values, which only the older exporter lets pass (as the branch that it saw)."""

    def __init__(self) -> None:
        super().__init__()
        self.fc = nn.Linear(3 * 64, 5)

    def forward(self, x: Tensor) -> Tensor:
        x = x.flatten(1)
        return self.fc(x) if bool(x.sum() > -1e9) else self.fc(2 * x)


class Impossible(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.zeros(1))

    def forward(self, x: Tensor) -> Tensor:
        raise ValueError("not for export\nsecond line")


def test_parity_on_real_inputs(path, module, images):
    labels = module(images).argmax(1)
    labels[:5] = (labels[:5] + 1) % 5
    found = check_onnx(path, module, images, labels, batch_size=10)
    assert found["top1_onnx"] == found["top1_torch"] == 18 / 23
    assert (found["agreement"], found["samples"], found["batches"]) == (1.0, 23, [1, 2, 5])
    assert found["max_abs_diff"] < 1e-4


def test_without_labels_there_is_agreement_but_no_accuracy(path, module, images):
    found = check_onnx(path, module, images, None)
    assert (found["top1_onnx"], found["top1_torch"], found["agreement"]) == (None, None, 1.0)


def test_nothing_is_said_and_the_module_stays_as_it_was(tmp_path, capfd):
    module = Plain().train()
    export_onnx(module, SHAPE, tmp_path / "model.onnx")
    assert capfd.readouterr() == ("", "")
    assert module.training
    assert [entry.name for entry in tmp_path.iterdir()] == ["model.onnx"]


def test_the_older_exporter_steps_in_and_is_named(tmp_path, images):
    module = Branching().eval()
    found = export_onnx(module, SHAPE, tmp_path / "model.onnx")
    assert found["exporter"] == "torchscript"
    assert found["reason"]
    assert found["size_bytes"] == (tmp_path / "model.onnx").stat().st_size
    assert check_onnx(tmp_path / "model.onnx", module, images, None)["samples"] == 23


def test_a_model_that_no_exporter_can_write(tmp_path):
    with pytest.raises(ExplorerError) as caught:
        export_onnx(Impossible(), SHAPE, tmp_path / "model.onnx")
    assert "can't be written as ONNX" in str(caught.value)
    assert "\n" not in str(caught.value)
    assert list(tmp_path.iterdir()) == []


def test_a_place_that_can_not_be_written(tmp_path, module):
    with pytest.raises(ExplorerError, match="can't write"):
        export_onnx(module, SHAPE, tmp_path / "missing" / "model.onnx")


def test_other_logits_are_refused(path, module, images):
    other = copy.deepcopy(module)
    with torch.no_grad():
        other.fc.bias += 0.01
    with pytest.raises(ExplorerError, match=r"logits differ by 0\.01"):
        check_onnx(path, other, images, None)


def test_other_top_classes_are_refused_even_when_logits_are_close(tmp_path, images):
    """A difference of 4e-4 passes as rounding, but not where it decides."""

    class Narrow(nn.Module):
        def __init__(self, lead: float) -> None:
            super().__init__()
            self.bias = nn.Parameter(torch.tensor([1.0, 1.0 + lead]))

        def forward(self, x: Tensor) -> Tensor:
            return x.mean((1, 2, 3), keepdim=True)[:, :, 0, 0] * 0 + self.bias

    export_onnx(Narrow(2e-4), SHAPE, tmp_path / "model.onnx")
    assert check_onnx(tmp_path / "model.onnx", Narrow(5e-4), images, None)["agreement"] == 1.0
    with pytest.raises(ExplorerError, match="another class first on 31"):
        check_onnx(tmp_path / "model.onnx", Narrow(-2e-4), images, None)


def test_a_fixed_batch_is_refused(path, module, images, tmp_path):
    model = onnx.load(path)
    model.graph.input[0].type.tensor_type.shape.dim[0].dim_value = 2
    onnx.save(model, tmp_path / "fixed.onnx")
    with pytest.raises(ExplorerError, match="can't run the file on a batch of 1"):
        check_onnx(tmp_path / "fixed.onnx", module, images, None)


def test_a_damaged_file_is_refused(path, module, images, tmp_path):
    (tmp_path / "half.onnx").write_bytes(path.read_bytes()[:500])
    with pytest.raises(ExplorerError, match="does not hold"):
        check_onnx(tmp_path / "half.onnx", module, images, None)


@pytest.mark.parametrize(("scale", "allowed"), [(0.01, 1e-5), (1.0, 1e-3), (10.0, 1e-3), (1000.0, 0.1)])
def test_tolerance_follows_the_logits(scale, allowed):
    assert tolerance(scale) == pytest.approx(allowed)


class Wide(nn.Module):
    """Attention whose code takes the width of its heads from what it reads."""

    def __init__(self) -> None:
        super().__init__()
        self.heads, self.made, self.qkv, self.out = 4, nn.Linear(5, 16), nn.Linear(16, 48), nn.Linear(16, 3)

    def forward(self, x: Tensor) -> Tensor:
        x = self.made(x)
        batch, tokens, width = x.shape
        q, k, v = self.qkv(x).reshape(batch, tokens, 3, self.heads, width // self.heads).permute(2, 0, 3, 1, 4)
        mixed = ((q @ k.transpose(2, 3)) * 0.5).softmax(-1) @ v
        return self.out(mixed.transpose(1, 2).reshape(batch, tokens, width).mean(1))


@pytest.mark.parametrize("heads", [2, 1])
def test_shapes_that_follow_a_cut_do_so_in_the_file_too(heads, tmp_path):
    module, example = Wide().eval(), torch.randn(3, 6, 5, generator=torch.Generator().manual_seed(0))
    structure = analyse(module, example[:1])
    smaller, attributes = cut_module(module, structure, {"qkv": tuple(range(heads)), "made": (1, 7, 9)})
    assert "fitted_shapes" in attributes[""]
    export_onnx(smaller, example, tmp_path / "model.onnx")
    assert check_onnx(tmp_path / "model.onnx", smaller, example, None)["agreement"] == 1.0
