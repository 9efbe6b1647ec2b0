"""Trained networks get a new last layer for the data's classes, found whatever it is called, or are refused."""

import pytest
import torch
from torch import nn

from explorer.errors import ExplorerError
from explorer.sources import build, head_of, load_model, load_to_train, with_new_head
from explorer.sources.loaded import LoadedModel
from explorer.structure import adapt


@pytest.mark.parametrize(
    ("ref", "head"),
    [
        ("demo:resnet20-digits", "fc"),
        ("demo:vit-digits", "head"),
        ("torchvision:squeezenet1_1?num_classes=7", "classifier.1"),  # a convolution, before the mean over places
        ("torchvision:mobilenet_v3_small?num_classes=7", "classifier.3"),
        ("torchvision:deeplabv3_mobilenet_v3_large?num_classes=7", "model.classifier.4"),  # before it is enlarged
        ("timm:convnext_atto?num_classes=7", "head.fc"),
    ],
)
def test_only_the_last_layer_is_another(ref, head):
    shape = None if ref.startswith("demo:") else (3, 64, 64)
    before = {name: tensor.clone() for name, tensor in load_model(ref, input_shape=shape).module.state_dict().items()}
    model = load_model(ref, input_shape=shape)
    assert head_of(model) == head
    model = with_new_head(model, 3)
    tensors = model.module.state_dict()
    changed = {name for name in before if not torch.equal(before[name], tensors[name])}
    assert changed == {name for name in before if name.rpartition(".")[0] == head}
    outputs = model.module(model.example())
    assert (model.classes, outputs.shape[1]) == (3, 3)
    rebuilt = build(model.architecture)
    adapt(rebuilt, tensors)
    assert torch.equal(rebuilt(model.example()), outputs)


def test_more_classes_than_before_can_be_built_anew():
    model = with_new_head(load_model("demo:vgg-digits"), 12)
    assert build(model.architecture)(model.example()).shape == (1, 12)


class Scaled(nn.Module):
    """Something is done to what the last layer gives."""

    def __init__(self) -> None:
        super().__init__()
        self.fc = nn.Linear(8, 5)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.fc(x.flatten(1)).softmax(1)


class Last(Scaled):
    def __init__(self) -> None:
        super().__init__()
        self.gate = nn.Linear(5, 5)  # as wide as the outputs, and called after it

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        outputs = self.fc(x.flatten(1))
        self.gate(outputs)
        return outputs


def own(module: nn.Module) -> LoadedModel:
    architecture = {"family": "python", "name": "n", "arguments": {}}
    return LoadedModel("python:n.py:n", module.eval(), (2, 2, 2), 5, True, "n", "", architecture)


def test_a_layer_that_is_not_the_outputs_is_not_replaced():
    assert head_of(own(Last())) == "fc"
    with pytest.raises(ExplorerError, match="can't get a new last layer: its 5 outputs"):
        head_of(own(Scaled()))


def test_an_untrained_network_is_built_for_the_data():
    model, task = load_to_train("torchvision:resnet18?stem=cifar", "shapes", input_shape=(3, 32, 32))
    assert (model.classes, model.trained) == (len(task.classes), False)
    with pytest.raises(ExplorerError, match="segmentation"):
        load_to_train("demo:resnet20-digits", "masks")
