"""First layers of torchvision's classifiers for other pictures: of other channels, or as small as CIFAR's.

`load.py` of a cut model copies this file, so it needs torch alone.
"""

from torch import nn


def with_stem(module: nn.Module, channels: int = 3, small: bool = False) -> nn.Module:
    """The network with a first convolution for pictures of so many channels; in place.

    Args:
        small: whether it begins as is usual for 32×32 pixels: a 3×3 convolution of stride 1, and no pooling before the
            next one (He et al. 2016, section 4.2).

    Raises:
        ValueError: `small`, and the network does not begin with a convolution of stride 2.
    """
    layers = [(name, layer) for name, layer in module.named_modules() if isinstance(layer, nn.Conv2d | nn.MaxPool2d)]
    (name, first), *later = layers
    if small and (first.stride != (2, 2) or first.kernel_size[0] not in (3, 7)):
        raise ValueError("it does not begin with an ordinary convolution of stride 2, so there is no stem=cifar for it")
    shape = {"kernel_size": 3, "stride": 1, "padding": 1} if small else {
        "kernel_size": first.kernel_size, "stride": first.stride, "padding": first.padding
    }  # fmt: skip
    bias = first.bias is not None
    _put(module, name, nn.Conv2d(channels, first.out_channels, **shape, bias=bias))
    if small and later and isinstance(later[0][1], nn.MaxPool2d):
        _put(module, later[0][0], nn.Identity())
    return module


def _put(module: nn.Module, path: str, layer: nn.Module) -> None:
    parent, _, name = path.rpartition(".")
    setattr(module.get_submodule(parent), name, layer)
