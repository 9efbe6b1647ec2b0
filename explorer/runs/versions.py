"""What a result depends on besides its spec."""

import platform
from importlib.metadata import PackageNotFoundError, version

from explorer.version import __version__

PACKAGES = ("torch", "torchvision", "numpy", "safetensors", "onnx", "onnxscript", "onnxruntime")


def versions() -> dict[str, str]:
    """Versions of this program, of Python and of the packages that compute."""
    found = {"explorer": __version__, "python": platform.python_version()}
    for package in PACKAGES:
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            continue
    return found
