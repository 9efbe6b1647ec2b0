"""Language models end to end: cut in heads, widths and layers, they train, write, reload and export."""

import copy
from functools import cache
from pathlib import Path

import pytest
import torch
from torch import Tensor, nn

from explorer.bench.families import NotInstalledError, make
from explorer.bench.families.language_models import DECODERS
from explorer.export import check_onnx, export_onnx
from explorer.pruning import CutModel, Plan, cut, mask
from explorer.structure import Structure, adapt, analyse, count
from explorer.structure.types import outermost

RATIO = 0.3
FAST = ("llama-tied", "opt", "gpt2-lm", "rwkv")
EXPORTED = ("llama", "gpt2-lm", "opt", "phi", "qwen3", "gemma2", "bloom", "mpt", "deepseek-v3", "minicpm3")
STARTING = {"rwkv"}  # the first layer norms the stream, so that it must stay
UNCACHED = {"xlstm"}  # fails to write with its cache as it is
FORGETFUL = {"rwkv"}  # as it is, it writes something else with its cache than without
NAMED = {  # they read these only when they write with a cache
    "recurrent-gemma": ("*.lru_width", "*.hidden_size"),
    "rwkv": ("*.config.hidden_size",),
}


@cache
def known(name: str) -> tuple[nn.Module, Tensor, Structure]:
    try:
        module, example = make(f"hf:{name}")
    except NotInstalledError as error:
        pytest.skip(str(error))
    return module, example, analyse(module, example[:1], attributes=NAMED.get(name, ()))


def plan_of(structure: Structure, layer: int) -> Plan:
    """30 % of the units of every group leave of which a mask is exact, and one residual block."""
    remove = {name: range(int(RATIO * group.units)) for name, group in structure.groups.items() if group.exact}
    return Plan("m", remove, (outermost(structure.blocks)[layer],))


def written(module: nn.Module, ids: Tensor, *, cached: bool) -> Tensor:
    """The logits of the three tokens that it writes."""
    settings = {"max_new_tokens": 3, "min_new_tokens": 3, "do_sample": False, "use_cache": cached}
    every = {"return_dict_in_generate": True, "output_logits": True}
    return torch.stack(module.model.generate(ids, attention_mask=torch.ones_like(ids), **settings, **every).logits)


def close(a: Tensor, b: Tensor) -> bool:
    return a.shape == b.shape and float((a - b).abs().max()) <= 1e-4 * float(b.abs().max())


def check(name: str, layer: int) -> CutModel:
    module, example, structure = known(name)
    plan = plan_of(structure, layer)
    smaller, masked = cut(module, structure, plan), mask(module, structure, plan)
    assert plan.cost(structure) == count(smaller.module, example[:1])
    again = copy.deepcopy(module)
    adapt(again, smaller.module.state_dict(), smaller.attributes)
    with torch.no_grad():
        done = smaller.module(example)
        assert close(masked(example), done)
        assert torch.equal(again(example), done)
        for cached in [False] if name in UNCACHED else [False, True]:
            text = written(smaller.module, example, cached=cached)
            assert close(written(masked, example, cached=cached), text)
            assert torch.equal(written(again, example, cached=cached), text)
            assert name in FORGETFUL or close(text, written(smaller.module, example, cached=False))
    again.train()(example).square().mean().backward()
    trained = {p: q.grad for p, q in again.named_parameters() if q.requires_grad}
    assert all(gradient is not None and gradient.isfinite().all() for gradient in trained.values())
    return smaller


@pytest.mark.parametrize("name", FAST)
def test_a_language_model_without_its_first_layer_writes_and_trains(name: str):
    assert {"ffn", "stream"} <= {group.kind for group in known(name)[2].groups.values()}
    check(name, 0)


@pytest.mark.parametrize("name", ["bloom", "mpt", "falcon-alibi", "deepseek-v2", "deepseek-v3", "minicpm3"])
def test_heads_leave_whatever_positions_do_to_them(name: str):
    """Slopes for each head come from outside (ALiBi); heads of latent attention share places that turn."""
    heads = [group.units for group in known(name)[2].groups.values() if group.kind == "heads"]
    assert heads == [4, 4]


@pytest.mark.slow
@pytest.mark.parametrize("layer", [0, -1])
@pytest.mark.parametrize("name", DECODERS)
def test_every_language_model_is_cut_in_heads_widths_and_layers(name: str, layer: int):
    assert len(outermost(known(name)[2].blocks)) == 2 - (name in STARTING)
    check(name, layer)


@pytest.mark.slow
@pytest.mark.parametrize("name", EXPORTED)
def test_cut_language_models_are_exported(name: str, tmp_path: Path):
    module, example, structure = known(name)
    smaller = cut(module, structure, plan_of(structure, 0)).module.eval()
    export_onnx(smaller, example, tmp_path / "model.onnx")
    assert check_onnx(tmp_path / "model.onnx", smaller, example, None)["max_rel_diff"] <= 1e-4
