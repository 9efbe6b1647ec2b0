"""Masks over single weights: exact counts, nothing revived, patterns that hardware takes, files that lose nothing."""

import pytest
import torch
from torch import Tensor, nn

from explorer.errors import ExplorerError
from explorer.evaluation import weights
from explorer.evaluation.nonzero import nonzero, semi_structured
from explorer.pruning.packing import packed, unpacked
from explorer.pruning.unstructured import (
    apply,
    dense,
    drop_lowest,
    exchange,
    held,
    input_axes,
    keep_pattern,
    prunable,
    sparsity,
    tails,
    told,
)
from tests.nets import INPUT, Attention, Mobile, Plain

CPU = torch.device("cpu")


def random_weights(seed: int = 0) -> dict[str, Tensor]:
    generator = torch.Generator().manual_seed(seed)
    return {"a": torch.randn(7, 11, generator=generator), "b": torch.randn(5, 3, 3, 3, generator=generator)}


def magnitudes(weights: dict[str, Tensor]) -> dict[str, Tensor]:
    return {name: weight.detach().abs() for name, weight in weights.items()}


def gone(masks: dict[str, Tensor]) -> int:
    return sum(int((~mask).sum()) for mask in masks.values())


@pytest.mark.parametrize("scope", ["global", "layer"])
def test_exactly_the_share_goes_and_masks_only_grow(scope):
    masks = dense(random_weights())
    for number, share in enumerate((0.1, 0.37, 0.371, 0.95)):
        before = masks
        masks = drop_lowest(magnitudes(random_weights(number)), masks, share, scope)  # other weights every time
        assert not any((masks[name] & ~before[name]).any() for name in masks)
        pools = [list(masks)] if scope == "global" else [["a"], ["b"]]
        for names in pools:
            count = sum(masks[name].numel() for name in names)
            assert gone({name: masks[name] for name in names}) == round(share * count)
    less = drop_lowest(magnitudes(random_weights(9)), masks, 0.2, scope)
    assert all(torch.equal(less[name], masks[name]) for name in masks)


def test_equal_scores_do_not_change_the_count():
    masks = drop_lowest({"a": torch.ones(10)}, {"a": torch.ones(10, dtype=torch.bool)}, 0.3)
    assert masks["a"].tolist() == [False] * 3 + [True] * 7


def test_a_score_that_is_not_finite_is_refused():
    with pytest.raises(ExplorerError, match="finite"):
        drop_lowest({"a": torch.tensor([1.0, float("nan")])}, {"a": torch.ones(2, dtype=torch.bool)}, 0.5)


def test_signed_margins_spare_near_zeros_of_skewed_weights():
    skewed = {"a": torch.tensor([-0.1, 1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0, 8.0, 9.0])}
    whole = dense(skewed)
    by_size = drop_lowest(magnitudes(skewed), whole, 0.4)["a"]
    by_rank = drop_lowest(tails(skewed, whole), whole, 0.4)["a"]
    assert skewed["a"][~by_size].tolist() == pytest.approx([-0.1, 1, 2, 3])
    assert skewed["a"][~by_rank].tolist() == [3, 4, 5, 6]


def test_signed_margins_are_the_printed_quantiles():
    values, s = torch.randn(401, generator=torch.Generator().manual_seed(1)).exp() - 0.5, 0.6
    low, high = torch.quantile(values, torch.tensor([(1 - s) / 2, s + (1 - s) / 2]))
    whole = dense({"a": values})
    kept = drop_lowest(tails({"a": values}, whole), whole, s)["a"]
    inside = (values > low) & (values < high)
    assert abs(int(inside.sum()) - round(s * 401)) <= 1
    assert int((inside == kept).sum()) <= 2  # the count is exact, quantiles fall between two weights


def test_both_margins_are_the_same_for_symmetric_weights():
    half = torch.rand(50, generator=torch.Generator().manual_seed(0)) + 0.01
    both = {"a": torch.cat([half, -half])}
    whole = dense(both)
    chosen = [drop_lowest(scores, whole, 0.5)["a"] for scores in (magnitudes(both), tails(both, whole))]
    assert torch.equal(*chosen)


def test_later_signed_margins_count_zeros_as_inside():
    values = {"a": torch.tensor([-3.0, -2.0, -1.0, 1.0, 2.0, 3.0, 4.0, 5.0])}
    masks = drop_lowest(tails(values, dense(values)), dense(values), 0.25)
    assert values["a"][~masks["a"]].tolist() == [1, 2]
    masks = drop_lowest(tails(values, masks), masks, 0.5)
    assert values["a"][masks["a"]].tolist() == [-3, -2, 4, 5]


def trained(module: nn.Module, optimizer: torch.optim.Optimizer, steps: int = 4) -> None:
    for step in range(steps):
        x = torch.randn(4, *INPUT, generator=torch.Generator().manual_seed(step))
        optimizer.zero_grad()
        module(x).square().sum().backward()
        optimizer.step()


@pytest.mark.parametrize(
    "kind",
    [
        lambda p: torch.optim.SGD(p, lr=0.01, momentum=0.9, weight_decay=0.1),
        lambda p: torch.optim.AdamW(p, lr=0.01, weight_decay=0.1),
    ],
)
def test_neither_momentum_nor_decay_revives_a_weight(kind):
    torch.manual_seed(0)
    module = Plain().train()
    names = list(module.state_dict())
    found = prunable(module)
    masks = drop_lowest(magnitudes(found), dense(found), 0.7)
    with held(module, dense(found)):
        earlier = kind(list(module.parameters()))
        trained(module, earlier)
    before = {name: tensor.clone() for name, tensor in module.state_dict().items()}
    with held(module, masks):
        optimizer = kind(list(module.parameters()))
        optimizer.load_state_dict(earlier.state_dict())
        trained(module, optimizer)
        for name, mask in masks.items():
            layer = module.get_submodule(name.rpartition(".")[0])
            assert not layer.weight[~mask].any()
            moved = layer.parametrizations.weight.original - before[name]
            assert moved[~mask].any()  # so that they would have come back
    assert set(module.state_dict()) == set(names)
    after = module.state_dict()
    for name, mask in masks.items():
        assert not after[name][~mask].any()
        assert (after[name][mask] != before[name][mask]).all()


def test_tied_weights_share_a_mask():
    class Tied(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.a, self.b = nn.Linear(4, 4), nn.Linear(4, 4)
            self.b.weight = self.a.weight

        def forward(self, x: Tensor) -> Tensor:
            return self.b(self.a(x))

    module = Tied()
    assert list(prunable(module)) == ["a.weight"]
    masks = {"a.weight": torch.eye(4, dtype=torch.bool)}
    with held(module, masks):
        assert torch.equal(module.a.weight, module.b.weight)
        module(torch.ones(1, 4)).sum().backward()
    assert module.b.weight is module.a.weight or torch.equal(module.b.weight, module.a.weight)
    assert not module.b.weight[~masks["a.weight"]].any()


@pytest.mark.parametrize("scope", ["global", "layer"])
def test_simulated_pruning_leaves_out_the_smallest_and_lets_gradients_through(scope):
    module = nn.Sequential(nn.Linear(6, 5, bias=False), nn.Linear(5, 4, bias=False))
    values = {f"{i}.weight": 0.1 + torch.rand(p.shape) + i for i, p in enumerate(module.parameters())}
    module.load_state_dict(values)
    masks = drop_lowest({name: torch.rand(v.shape) for name, v in values.items()}, dense(values), 0.4)
    with held(module, masks) as holding:
        with holding.without_smallest(0.25, scope):
            seen = {f"{i}.weight": layer.weight for i, layer in enumerate(module)}
        sum((weight * 3).sum() for weight in seen.values()).backward()
        stored = {f"{i}.weight": layer.parametrizations.weight.original for i, layer in enumerate(module)}
        assert torch.equal(module[0].weight, stored["0.weight"] * masks["0.weight"])  # as before, afterwards
    for names in [list(masks)] if scope == "global" else [[name] for name in masks]:
        left = torch.cat([values[name][masks[name]] for name in names])
        p = 1 - left / left.max()  # eq. 2
        count = round(0.25 * len(p))
        assert sum(int((seen[name][masks[name]] == 0).sum()) for name in names) == count
        limit = p.sort(descending=True).values[count - 1]
        for name in names:
            out = (1 - values[name] / left.max() >= limit) & masks[name]
            assert torch.equal(seen[name] == 0, out | ~masks[name])
    for name, mask in masks.items():
        assert torch.equal(stored[name].grad, 3.0 * mask)  # also where left out, never where pruned


def test_exchange_gives_up_the_smallest_for_the_steepest():
    weight = torch.tensor([[5.0, 0.1, 3.0, 0.2, 0.0, 0.0, 0.0, 0.0]])
    slope = torch.tensor([[9.0, 0.0, 9.0, 0.5, -4.0, 0.3, 2.0, -0.1]])
    masks = {"a": weight != 0}
    changed = exchange({"a": weight}, {"a": slope}, masks, 0.5)["a"]
    assert changed.tolist() == [[True, False, True, False, True, False, True, False]]


def test_exchange_keeps_the_number_of_every_layer():
    values = random_weights()
    masks = drop_lowest(magnitudes(values), dense(values), 0.9)
    changed = exchange(values, random_weights(5), masks, 0.3)
    assert [int(mask.sum()) for mask in changed.values()] == [int(mask.sum()) for mask in masks.values()]
    assert not torch.equal(changed["a"], masks["a"])


def test_two_of_four_inputs_stay():
    module = Mobile()
    found = prunable(module)
    axes = input_axes(module, found)
    assert axes["up.weight"] == 0
    masks = keep_pattern(magnitudes(found), axes, 2, 4)
    assert masks["expand.weight"].all()  # three inputs
    for name in ("squeeze.weight", "excite.weight", "project.weight", "up.weight"):
        blocks = masks[name].movedim(axes[name], -1).reshape(-1, 4)
        sizes = found[name].detach().abs().movedim(axes[name], -1).reshape(-1, 4)
        assert (blocks.sum(1) == 2).all()
        assert (sizes.masked_fill(~blocks, torch.inf).amin(1) >= sizes.masked_fill(blocks, 0).amax(1)).all()


def test_only_weights_that_multiply_activations():
    assert set(prunable(Plain())) == {"conv1.weight", "conv2.weight", "fc1.weight", "fc2.weight"}
    assert "norm1.weight" not in prunable(Attention())
    embedded = nn.ModuleDict({"words": nn.Embedding(9, 4), "head": nn.Linear(4, 9)})
    assert set(prunable(embedded)) == {"head.weight"}
    embedded["head"].weight = embedded["words"].weight
    with pytest.raises(ExplorerError, match="no layer is left"):
        prunable(embedded)
    assert set(prunable(Plain(), ["conv1", "fc2"])) == {"conv2.weight", "fc1.weight"}
    with pytest.raises(ExplorerError, match=r"did you mean .*conv1"):
        prunable(Plain(), ["conv9"])


def test_what_a_page_is_told_adds_up():
    values = random_weights()
    before = drop_lowest(magnitudes(values), dense(values), 0.2)
    after = drop_lowest(magnitudes(values), before, 0.5)
    for layer in told(values, before, after):
        values_of, histogram = values[layer["name"]], layer["histogram"]
        left = before[layer["name"]] & ~after[layer["name"]]
        assert sum(histogram["kept"]) == layer["kept"] == int(after[layer["name"]].sum())
        assert sum(histogram["removed"]) == layer["removed"] == int(left.sum())
        assert histogram["high"] == pytest.approx(float(values_of.abs().max()))
        low, high = layer["margins"]
        assert values_of[left].min() == low < 0 < high == values_of[left].max()
        assert layer["sparsity"] == pytest.approx(1 - layer["kept"] / values_of.numel())
    assert told(values, after, before)[0]["regrown"] == told(values, before, after)[0]["removed"]
    assert told(values, after, after)[0]["margins"] is None


def test_packed_weights_come_back_to_the_bit(tmp_path):
    module = Plain()
    found = prunable(module)
    masks = drop_lowest(magnitudes(found), dense(found), 0.9)
    apply(module, masks)
    path = tmp_path / "sparse.safetensors"
    path.write_bytes(packed(weights(module), masks))
    tensors, again = unpacked(path)
    assert all(torch.equal(masks[name], again[name]) for name in masks)
    assert set(tensors) == set(module.state_dict())
    for name, tensor in module.state_dict().items():
        assert torch.equal(tensors[name], tensor)
        assert tensors[name].dtype == tensor.dtype
    whole, kept = sum(mask.numel() for mask in masks.values()), sum(int(mask.sum()) for mask in masks.values())
    assert whole / 8 + 4 * kept < path.stat().st_size < whole / 8 + 4 * kept + 4096
    assert sparsity(again) == pytest.approx(0.9, abs=1 / whole)


def test_a_file_of_something_else_is_refused(tmp_path):
    path = tmp_path / "sparse.safetensors"
    path.write_bytes(b"nothing")
    with pytest.raises(ExplorerError, match="holds no packed weights"):
        unpacked(path)
    with pytest.raises(ExplorerError, match="holds no packed weights"):
        unpacked(tmp_path / "missing")


def test_products_with_zeros_are_counted_one_by_one():
    module = nn.Sequential(nn.Conv2d(3, 4, 3, stride=2, padding=1), nn.ReLU(), nn.Flatten(), nn.Linear(4 * 16, 5))
    masks = {
        "0.weight": torch.rand(4, 3, 3, 3, generator=torch.Generator().manual_seed(0)) > 0.6,
        "3.weight": torch.rand(5, 64, generator=torch.Generator().manual_seed(1)) > 0.8,
    }
    apply(module, masks)
    found = nonzero(module, prunable(module), torch.zeros(2, *INPUT))  # zero activations don't count
    kept = [int(mask.sum()) for mask in masks.values()]
    assert found == {"nonzero_params": sum(kept) + 4 + 5, "nonzero_macs": kept[0] * 16 + kept[1]}


def test_speed_is_not_claimed_where_nothing_skips_zeros():
    found = semi_structured(nn.Linear(64, 64), torch.zeros(1, 64), CPU)
    assert found == {"measured": False, "reason": "cpu has no 2:4 sparse matrix units"}
