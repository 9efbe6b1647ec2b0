"""Files of weights as training programs leave them behind: each writes one network's weights in a way of its own."""

import argparse
import collections
import datetime
import enum
import pathlib
import pickle
import zipfile
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors.torch import save_file
from torch import nn
from torch.nn.utils import parametrizations, prune
from torch.optim.swa_utils import AveragedModel

from explorer.sources import build

DEMO = {"family": "demo", "name": "resnet20", "arguments": {"classes": 10, "channels": 1}}
BASE = "demo:resnet20-digits"
State = dict[str, torch.Tensor]


def network(seed: int) -> nn.Module:
    """A network of `BASE` whose numbers are its own, those of its norms too."""
    generator = torch.Generator().manual_seed(seed)
    module = build(DEMO, seed)
    for name, buffer in module.named_buffers():
        if buffer.is_floating_point():
            buffer.copy_(torch.rand(buffer.shape, generator=generator) + (0.5 if "var" in name else 0))
    return module


class Phase(enum.Enum):
    FIT = "fit"


class Settings(dict):
    """As configurations with entries as attributes are made."""


@dataclass
class Checkpoint:
    weights: State
    epoch: int = 3
    log: dict[str, Any] = field(default_factory=dict)


class Pair(collections.OrderedDict):
    """As wrappers of state dicts are."""


def before(prefix: str, state: State) -> State:
    return {prefix + name: tensor for name, tensor in state.items()}


def lightning(state: State) -> dict[str, Any]:
    """As Lightning's checkpoints are laid out."""
    return {
        "epoch": 3,
        "global_step": 120,
        "pytorch-lightning_version": "2.5.0",
        "state_dict": state,
        "loops": {"fit_loop": {"state_dict": {}, "epoch_progress": {"total": {"ready": 4}}}},
        "callbacks": {
            "ModelCheckpoint{'monitor': 'val_loss'}": {"best_model_score": torch.tensor(0.1), "dirpath": Path("a")},
            Phase: {"best": np.float64(0.5)},
        },
        "optimizer_states": [optimiser(state)],
        "lr_schedulers": [{"base_lrs": [0.1], "_step_count": 3}],
        "hparams_name": "kwargs",
        "hyper_parameters": Settings(lr=0.1, net=Settings(width=3), act=nn.functional.relu, phase=Phase.FIT),
    }


def optimiser(state: State) -> dict[str, Any]:
    moments = {
        number: {"momentum_buffer": torch.rand_like(tensor), "step": torch.tensor(3.0)}
        for number, tensor in enumerate(
            tensor for name, tensor in state.items() if tensor.is_floating_point() and "running" not in name
        )
    }
    return {"state": moments, "param_groups": [{"lr": 0.1, "params": list(moments)}]}


def extras() -> dict[str, Any]:
    return {
        "args": argparse.Namespace(lr=0.1, output=pathlib.PurePosixPath("/out"), device=torch.device("cpu")),
        "started": datetime.datetime(2026, 1, 2, tzinfo=datetime.UTC),
        "took": datetime.timedelta(seconds=3),
        "path": Path("/data"),
        "best": np.float32(0.5),
        "losses": np.arange(3.0),
        "history": collections.defaultdict(list, {"loss": [1.0]}),
        "recent": collections.deque([0.1], maxlen=3),
        "phase": Phase.FIT,
        "settings": Settings(width=3, dtype=torch.float16),
        "seen": {1, 2},
        "frozen": frozenset({"fc"}),
        "rng": {"torch": torch.get_rng_state(), "numpy": np.random.get_state()},
        "generator": np.random.default_rng(0),
        "note": None,
    }


def pruned(module: nn.Module) -> nn.Module:
    """The network with half of its weights masked, as `torch.nn.utils.prune` leaves them split."""
    for name, layer in module.named_modules():
        if isinstance(layer, nn.Conv2d | nn.Linear) and name != "fc":
            prune.l1_unstructured(layer, "weight", 0.5)
    prune.random_unstructured(module.fc, "bias", 0.5)
    return module


def normed(module: nn.Module, norm: Callable[[nn.Module], object]) -> nn.Module:
    """The network with every convolution's weight computed by a norm."""
    for layer in [layer for layer in module.modules() if isinstance(layer, nn.Conv2d)]:
        norm(layer)
    return module.eval()


def shadow(module: nn.Module) -> dict[str, Any]:
    """Averages of the parameters alone, as a list."""
    return {"decay": 0.9, "num_updates": 3, "shadow_params": [p.detach() for p in module.parameters()]}


def without_dots(module: nn.Module) -> State:
    """Averages of the parameters alone, under names without dots."""
    return {name.replace(".", ""): parameter.detach() for name, parameter in module.named_parameters()}


def wrapped_inside(state: State) -> State:
    """As layers are named that are wrapped one by one, to be spread over processes or computed again."""
    inner = {"layer1.": "layer1._fsdp_wrapped_module.", ".conv1.": "._checkpoint_wrapped_module.conv1."}
    found = {}
    for name, tensor in state.items():
        for old, new in inner.items():
            name = name.replace(old, new)
        found[f"_fsdp_wrapped_module.{name}"] = tensor
    return found


def in_two_parts(state: State) -> State:
    return {f"{'head' if name.startswith('fc.') else 'backbone'}.{name}": tensor for name, tensor in state.items()}


def renamed(state: State) -> State:
    """Other names for everything, in the same order."""
    return {f"block_{number}.{name.rpartition('.')[2]}": tensor for number, (name, tensor) in enumerate(state.items())}


def is_counter(name: str) -> bool:
    return name.endswith("num_batches_tracked")


def saved(content: Any, path: Path, **options: Any) -> Path:
    torch.save(content, path, **options)
    return path


def on_another_device(state: State, path: Path) -> Path:
    """As saved where there is a GPU."""
    torch.save(state, path)
    with zipfile.ZipFile(path) as archive:
        entries = {name: archive.read(name) for name in archive.namelist()}
    with zipfile.ZipFile(path, "w") as archive:
        for name, content in entries.items():
            archive.writestr(name, content.replace(b"X\x03\0\0\0cpu", b"X\x06\0\0\0cuda:0"))
    return path


WAYS: dict[str, Callable[[nn.Module, Path], Path]] = {
    # formats and suffixes
    "torch": lambda m, p: saved(m.state_dict(), p / "a.pth"),
    "old format": lambda m, p: saved(m.state_dict(), p / "a.pth", _use_new_zipfile_serialization=False),
    "tar": lambda m, p: saved({"state_dict": m.state_dict(), "arch": "resnet"}, p / "best.pth.tar"),
    "bin": lambda m, p: saved(m.state_dict(), p / "pytorch_model.bin"),
    "pkl": lambda m, p: saved(m.state_dict(), p / "a.pkl"),
    "no suffix": lambda m, p: saved(m.state_dict(), p / "weights"),
    "protocol 4": lambda m, p: saved({"model": m.state_dict()}, p / "a.pt", pickle_protocol=4),
    "torch as safetensors": lambda m, p: saved(m.state_dict(), p / "a.safetensors"),
    "safetensors as bin": lambda m, p: save_file(m.state_dict(), p / "a.bin") or p / "a.bin",
    "safetensors as onnx": lambda m, p: save_file(m.state_dict(), p / "a.onnx") or p / "a.onnx",
    "safetensors with a prefix": lambda m, p: save_file(before("model.", m.state_dict()), p / "a.sft") or p / "a.sft",
    "another device": lambda m, p: on_another_device(m.state_dict(), p / "a.pth"),
    "parameters": lambda m, p: saved(dict(m.named_parameters()) | dict(m.named_buffers()), p / "a.pth"),
    # prefixes
    "DataParallel": lambda m, p: saved(nn.DataParallel(m).state_dict(), p / "a.pth"),
    "compiled": lambda m, p: saved(before("_orig_mod.", m.state_dict()), p / "a.pth"),
    "compiled and parallel": lambda m, p: saved(before("module._orig_mod.", m.state_dict()), p / "a.pth"),
    "net": lambda m, p: saved(before("net.", m.state_dict()), p / "a.pth"),
    "deep prefix": lambda m, p: saved(before("learner.0.backbone.", m.state_dict()), p / "a.pth"),
    "wrapped inside": lambda m, p: saved(wrapped_inside(m.state_dict()), p / "a.pth"),
    "wrapped part": lambda m, p: saved(
        {n.replace("layer1.", "layer1.module."): t for n, t in m.state_dict().items()}, p / "a.pth"
    ),
    "in two parts": lambda m, p: saved({"state_dict": in_two_parts(m.state_dict())}, p / "a.pth"),
    "in two parts, safetensors": lambda m, p: save_file(in_two_parts(m.state_dict()), p / "a.st") or p / "a.st",
    "beside a loss": lambda m, p: saved(
        {**before("backbone.", m.state_dict()), "criterion.weight": torch.ones(10)}, p / "a.pth"
    ),
    "flat beside a loss": lambda m, p: saved({**m.state_dict(), "loss_fn.weight": torch.ones(10)}, p / "a.pth"),
    "profiled": lambda m, p: saved({**m.state_dict(), "fc.total_ops": torch.ones(1).double()}, p / "a.pth"),
    # wrappers
    "model_state_dict": lambda m, p: saved(
        {"epoch": 3, "model_state_dict": m.state_dict(), "optimizer_state_dict": optimiser(m.state_dict())}, p / "a.pt"
    ),
    "any wrapper": lambda m, p: saved({"what I kept": m.state_dict()}, p / "a.pt"),
    "nested": lambda m, p: saved({"result": {"best": {"net": before("module.", m.state_dict())}}}, p / "a.pt"),
    "in a list": lambda m, p: saved([3, m.state_dict()], p / "a.pt"),
    "by part": lambda m, p: saved(
        {
            part: {n.partition(".")[2]: t for n, t in m.state_dict().items() if n.partition(".")[0] == part}
            for part, _ in m.named_children()
        },
        p / "a.pt",
    ),
    "Lightning": lambda m, p: saved(lightning(before("model.", m.state_dict())), p / "epoch=3.ckpt"),
    "DeepSpeed": lambda m, p: saved(
        {"module": m.state_dict(), "ds_config": {"a": 1}, "global_steps": 3}, p / "mp_rank_00_model_states.pt"
    ),
    "flat with an optimiser": lambda m, p: saved(
        {**m.state_dict(), "optimizer": optimiser(m.state_dict())}, p / "a.pt"
    ),
    "extras": lambda m, p: saved({"model": m.state_dict(), **extras()}, p / "a.pth"),
    "extras, old format": lambda m, p: saved(
        {"model": m.state_dict(), **extras()}, p / "a.pth", _use_new_zipfile_serialization=False
    ),
    "extras, protocol 5": lambda m, p: saved({"model": m.state_dict(), **extras()}, p / "a.pth", pickle_protocol=5),
    "a record": lambda m, p: saved(Checkpoint(m.state_dict()), p / "a.pth"),
    "a class of dictionaries": lambda m, p: saved(Pair(m.state_dict()), p / "a.pth"),
    "averages without dots inside": lambda m, p: saved(
        lightning({**m.state_dict(), **before("model_ema.", without_dots(network(5)))}), p / "a.ckpt"
    ),
    # averages and what layers keep split
    "AveragedModel": lambda m, p: saved(AveragedModel(m).state_dict(), p / "a.pth"),
    "only averages": lambda m, p: saved({"ema": before("module.", m.state_dict()), "updates": 3}, p / "a.pth"),
    "averages after": lambda m, p: saved(
        {"model_ema": network(7).state_dict(), "model": m.state_dict(), "epoch": 3}, p / "a.pth"
    ),
    "masks": lambda m, p: saved(pruned(m).state_dict(), p / "a.pth"),
    "masks in a wrapper": lambda m, p: saved({"state_dict": before("module.", pruned(m).state_dict())}, p / "a.pth"),
    "old weight norm": lambda m, p: saved(normed(m, nn.utils.weight_norm).state_dict(), p / "a.pth"),
    "weight norm": lambda m, p: saved(normed(m, parametrizations.weight_norm).state_dict(), p / "a.pth"),
    "weight norm over all": lambda m, p: saved(
        normed(m, lambda layer: parametrizations.weight_norm(layer, dim=None)).state_dict(), p / "a.pth"
    ),
    "old spectral norm": lambda m, p: saved(normed(m, nn.utils.spectral_norm).state_dict(), p / "a.pth"),
    "spectral norm": lambda m, p: saved(normed(m, parametrizations.spectral_norm).state_dict(), p / "a.pth"),
    # numbers and names
    "half precision": lambda m, p: saved(m.half().state_dict(), p / "a.pth"),
    "bfloat16": lambda m, p: saved(m.bfloat16().state_dict(), p / "a.pth"),
    "double precision": lambda m, p: saved(m.double().state_dict(), p / "a.pth"),
    "bfloat16 safetensors": lambda m, p: save_file(m.bfloat16().state_dict(), p / "a.st") or p / "a.st",
    "without counters": lambda m, p: saved({n: t for n, t in m.state_dict().items() if not is_counter(n)}, p / "a.pth"),
    "other names": lambda m, p: saved(renamed(m.state_dict()), p / "a.pth"),
    "other names, old weights": lambda m, p: saved(
        {"params": renamed({n: t for n, t in m.state_dict().items() if not is_counter(n)})}, p / "a.pth"
    ),
    "another name of the head": lambda m, p: saved(
        {n.replace("fc.", "classifier."): t for n, t in m.state_dict().items()}, p / "a.pth"
    ),
    "another name of the head, safetensors": lambda m, p: (
        save_file({n.replace("fc.", "classifier."): t for n, t in m.state_dict().items()}, p / "a.safetensors")
        or p / "a.safetensors"
    ),
    "one memory": lambda m, p: saved(in_one_memory(m.state_dict()), p / "a.pth"),
}
"""What saves a network to a folder, and gives the path."""


def in_one_memory(state: State) -> State:
    """Tensors that are views of one, as networks spread over processes keep theirs."""
    flat, place, found = torch.cat([tensor.flatten().float() for tensor in state.values()]), 0, {}
    for name, tensor in state.items():
        found[name] = flat[place : place + tensor.numel()].view(tensor.shape)
        place += tensor.numel()
    return found


class _Net(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.layer = nn.Linear(2, 2)

    def forward(self, values: torch.Tensor) -> torch.Tensor:
        return self.layer(values)


def _bytes(name: str, content: bytes) -> Callable[[nn.Module, Path], Path]:
    def write(_: nn.Module, place: Path) -> Path:
        (place / name).write_bytes(content)
        return place / name

    return write


def _archive(name: str, *entries: str) -> Callable[[nn.Module, Path], Path]:
    def write(_: nn.Module, place: Path) -> Path:
        with zipfile.ZipFile(place / name, "w") as archive:
            for entry in entries:
                archive.writestr(entry, b"x")
        return place / name

    return write


def _script(_: nn.Module, place: Path) -> Path:
    torch.jit.script(_Net()).save(place / "a.pt")
    return place / "a.pt"


def _exported(_: nn.Module, place: Path) -> Path:
    torch.export.save(torch.export.export(_Net(), (torch.ones(1, 2),)), place / "a.pt2")
    return place / "a.pt2"


def _onnx(_: nn.Module, place: Path) -> Path:
    from onnx import TensorProto, helper, save

    value = helper.make_tensor_value_info("x", TensorProto.FLOAT, [1])
    save(helper.make_model(helper.make_graph([], "g", [value], [value]), producer_name="pytorch"), place / "a.bin")
    return place / "a.bin"


def _numpy(_: nn.Module, place: Path) -> Path:
    np.savez(place / "a.npz", weight=np.ones(3))
    return place / "a.npz"


def _plain_pickle(_: nn.Module, place: Path) -> Path:
    (place / "a.pkl").write_bytes(pickle.dumps({"fc.weight": np.ones(3).tolist()}))
    return place / "a.pkl"


def without(module: nn.Module, *names: str) -> State:
    return {name: tensor for name, tensor in module.state_dict().items() if name not in names}


REFUSED: dict[str, tuple[Callable[[nn.Module, Path], Path], str]] = {
    "TorchScript": (
        _script,
        "TorchScript archive, which holds a program: where that may run, torch.save(torch.jit.load",
    ),
    "torch.export": (_exported, "a program of torch.export"),
    "a whole network": (lambda m, p: saved(m, p / "a.pt"), "holds a whole network (explorer.sources.networks.zoo"),
    "a whole network, old format": (
        lambda m, p: saved(m, p / "a.pt", _use_new_zipfile_serialization=False),
        "torch.save(model.state_dict(), PATH)",
    ),
    "a whole network inside": (
        lambda m, p: saved({"epoch": 3, "model": m, "ema": None}, p / "a.pt"),
        "holds a whole network (explorer.sources.networks.zoo",
    ),
    "ONNX": (_onnx, "an ONNX graph, which is not read back: save the state dict"),
    "HDF5": (_bytes("a.h5", b"\x89HDF\r\n\x1a\n" + bytes(64)), "HDF5 file of Keras or TensorFlow"),
    "HDF5 by content": (_bytes("a.pth", b"\x89HDF\r\n\x1a\n" + bytes(64)), "HDF5 file of Keras or TensorFlow"),
    "Keras": (_archive("a.keras", "config.json", "metadata.json", "model.weights.h5"), "a model of Keras"),
    "NumPy archive": (_numpy, "torch.from_numpy(array)"),
    "NumPy array": (_bytes("a.npy", b"\x93NUMPY\x01\0" + bytes(64)), "one array of NumPy"),
    "TFLite": (_bytes("a.tflite", b"\x1c\0\0\0TFL3" + bytes(64)), "TensorFlow Lite"),
    "GGUF": (_bytes("a.gguf", b"GGUF\x03\0\0\0" + bytes(64)), "GGUF file of llama.cpp, whose weights are quantised"),
    "Flax": (_bytes("a.msgpack", b"\x83" + bytes(64)), "of JAX or Flax"),
    "Git LFS": (_bytes("a.pth", b"version https://git-lfs.github.com/spec/v1\noid sha256:1\n"), "git lfs pull"),
    "web page": (_bytes("a.pth", b"\n<!DOCTYPE html>\n<html>sign in</html>"), "a web page"),
    "gzip": (_bytes("a.tar.gz", b"\x1f\x8b\x08" + bytes(64)), "unpack it"),
    "zip": (_archive("a.zip", "model/weights.pth", "model/config.json"), "unpack it"),
    "index": (_bytes("model.safetensors.index.json", b'{"weight_map": {"a": "model-1.safetensors"}}'), "hf:FOLDER"),
    "plain pickle": (_plain_pickle, "a plain pickle"),
    "arrays": (
        lambda m, p: saved({n: t.numpy() for n, t in m.state_dict().items()}, p / "a.pth"),
        "is no tensor but numpy.ndarray",
    ),
    "noise": (_bytes("a.pth", bytes(range(7, 200)) * 9), "begins neither as those of torch.save nor as safetensors"),
    "folder": (lambda m, p: p, "is a folder"),
    "optimiser alone": (lambda m, p: saved(optimiser(m.state_dict()), p / "a.pth"), "those of another network"),
    "another network": (
        lambda m, p: saved(_Net().state_dict(), p / "a.pth"),
        "those of another network: none of its 2 tensors (layer.weight, layer.bias) goes with",
    ),
    "a part": (
        lambda m, p: saved({n: t for n, t in m.state_dict().items() if not n.startswith("layer3")}, p / "a.pth"),
        "don't fit the network, 72 of its 107 tensors do: 35 missing (layer3.0.bn1.bias, ",
    ),
    "a head for other classes": (
        lambda m, p: saved({**m.state_dict(), "fc.weight": torch.ones(7, 64), "fc.bias": torch.ones(7)}, p / "a.pth"),
        "2 of another shape (fc.weight (7, 64) instead of (10, 64), fc.bias (7,) instead of (10,)); the file is for 7",
    ),
    "other channels": (
        lambda m, p: saved({**m.state_dict(), "conv1.weight": torch.ones(16, 3, 3, 3)}, p / "a.pth"),
        "its pictures have 3 channels: say ?in=3",
    ),
    "more layers": (
        lambda m, p: saved({**m.state_dict(), "layer1.0.se.fc.weight": torch.ones(4, 16)}, p / "a.pth"),
        "1 unexpected (layer1.0.se.fc.weight)",
    ),
    "spread over processes": (
        lambda m, p: saved({n: torch.empty(0) for n in m.state_dict()}, p / "a.pth"),
        "zero_to_fp32.py",
    ),
    "flat parameters": (
        lambda m, p: saved({"_fsdp_wrapped_module._flat_param": torch.ones(999)}, p / "a.pth"),
        "FSDP: a full state dict",
    ),
    "distributed": (lambda m, p: saved(m.state_dict(), p / "__0_0.distcp"), "dcp_to_torch FOLDER PATH"),
    "a name of several lines": (
        lambda m, p: saved({**m.state_dict(), "fc.a\nb": torch.ones(2, 2)}, p / "a.pth"),
        r"1 unexpected ('fc.a\nb')",
    ),
    "no number": (
        lambda m, p: saved({**m.state_dict(), "fc.bias": torch.full((10,), float("nan"))}, p / "a.pth"),
        "hold NaN or infinity in 1 tensors (fc.bias",
    ),
    "too large for float32": (
        lambda m, p: saved({**m.state_dict(), "fc.bias": torch.full((10,), 1e300, dtype=torch.float64)}, p / "a.pth"),
        "hold NaN or infinity",
    ),
    "quantised": (
        lambda m, p: saved(
            {**m.state_dict(), "fc.bias": torch.quantize_per_tensor(torch.ones(10), 0.1, 0, torch.qint8)}, p / "a.pth"
        ),
        "the tensor fc.bias in ",
    ),
    "other names, no order": (
        lambda m, p: save_file(renamed(m.state_dict()), p / "a.safetensors") or p / "a.safetensors",
        "a safetensors file keeps no order",
    ),
}
"""What saves something else, and words of the answer."""
