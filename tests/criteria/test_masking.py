"""Masking: the ranking function, Algorithm 1, masks against cuts by brute force, and fast passes against plain ones."""

import copy

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.utils.data import TensorDataset
from torch.utils.flop_counter import FlopCounterMode

from explorer.bench.families import stir
from explorer.criteria import score
from explorer.criteria.masking import correlations, rank, similar_sets, softmax_change, stages
from explorer.criteria.tools import masked_passes, segments
from explorer.criteria.tools.context import Context
from explorer.criteria.tools.scoring import prepared
from explorer.device import BatchSize
from explorer.errors import Cancelled, ExplorerError
from explorer.progress import silent
from explorer.pruning import Plan, mask
from explorer.sources import load_model
from explorer.structure import Structure, analyse
from tests.nets import EXACT, INPUT, alive, conv

CPU = torch.device("cpu")


class Many(nn.Module):
    """Most of what changes can be followed through, or not: batch norms at odd places, writes, gates, views."""

    def __init__(self) -> None:
        super().__init__()
        self.a, self.bn_a, self.b = conv(3, 8), nn.BatchNorm2d(8), conv(8, 8)
        self.late, self.deep = nn.BatchNorm2d(16), conv(16, 16, groups=16)
        self.c, self.relu = conv(16, 6, 1), nn.ReLU(inplace=True)
        self.down, self.up = nn.Linear(6, 4), nn.Linear(4, 6)
        self.scale = nn.Parameter(torch.rand(6, 1, 1))
        self.hidden, self.fc = nn.Linear(6 * 16, 10), nn.Linear(10, 5)

    def forward(self, x: Tensor) -> Tensor:
        a = self.relu(self.bn_a(self.a(x)))
        b = self.b(a)
        b += a
        b = F.silu(b)
        c = F.hardswish(self.deep(F.max_pool2d(self.late(torch.cat([a, b], 1)), 2)))
        c = self.relu(self.c(c)) * self.scale
        gate = torch.sigmoid(self.up(F.relu(self.down(c.mean((2, 3))))))
        c = self.relu(c - 0.1) * gate[:, :, None, None]
        return self.fc(F.softplus(self.hidden(c.flatten(1))))


class Reading(nn.Module):
    """Its code asks what the data is."""

    def __init__(self) -> None:
        super().__init__()
        self.a, self.b, self.fc = conv(3, 6), conv(6, 4), nn.Linear(4, 3)

    def forward(self, x: Tensor) -> Tensor:
        x = F.relu(self.a(x))
        x = x / float(x.detach().numpy().max())
        return self.fc(F.relu(self.b(x)).mean((2, 3)))


def context(module: nn.Module, structure: Structure, data: TensorDataset, batch: int = 100) -> Context:
    return Context(module, structure, data, CPU, BatchSize(batch), 0, silent)


def made(name: str) -> tuple[nn.Module, Structure, TensorDataset]:
    torch.manual_seed(0)
    if name.startswith("demo:"):
        model = load_model(name)
        module, shape, count = model.module, model.input_shape, 3
    else:
        module, shape, count = alive({**EXACT, "many": Many}[name]), INPUT, 7
    data = TensorDataset(torch.randn(count, *shape), torch.zeros(count))
    return module, analyse(module, data[0][0][None], trial=False), data


def test_the_worked_example_of_the_paper():
    p = torch.tensor([[0.1, 0.3, 0.6]] * 3)
    after = torch.tensor([[0.1, 0.6, 0.3], [0.01, 0.1, 0.89], [0.1, 0.8, 0.1]])
    assert softmax_change(p, after).tolist() == pytest.approx([1.30, 0.29, 1.50])
    divergence = F.kl_div(after.log(), p, reduction="none").sum(1)  # which ranks the second mask above the first
    assert divergence.tolist() == pytest.approx([0.208, 0.323, 0.781], abs=5e-4)


def test_pixels_add_up():
    before, after = torch.rand(2, 3, 4, 5).softmax(1), torch.rand(2, 3, 4, 5).softmax(1)
    flat = [tensor.movedim(1, -1).reshape(2 * 20, 3) for tensor in (before, after)]
    torch.testing.assert_close(softmax_change(before, after), softmax_change(*flat).view(2, 20).sum(1))


def test_algorithm_1_by_hand():
    """0 goes with 3, which correlates most; 1 with 4, not with 5, its opposite; 2 is constant."""
    x, y = np.array([1.0, 2, 3, 4, 5]), np.array([2.0, 0, 1, 5, 1])
    columns = np.stack([x, y, np.full(5, 7.0), 2 * x + 1, y + 0.1 * x, -y], axis=1)
    found = correlations(5, columns.sum(0), columns.T @ columns)
    expected = np.corrcoef(np.delete(columns, 2, 1), rowvar=False)
    np.testing.assert_allclose(np.delete(np.delete(found, 2, 0), 2, 1), expected)
    assert np.isnan(found[2]).all()
    assert [units.tolist() for units in similar_sets(found, 2)] == [[2], [0, 3], [1, 4], [5]]
    assert [units.tolist() for units in similar_sets(found, 3)] == [[2], [0, 3, 4], [1, 5]]


@pytest.mark.parametrize("name", ["plain", "residual", "many"])
def test_importance_is_what_removing_the_set_does(name):
    """Wherever one layer makes all of a group, its mask is that of the pruned network."""
    module, structure, data = made(name)
    inputs = data.tensors[0]
    with torch.no_grad():
        before, seen = module(inputs).softmax(1), 0
        for each in rank(context(module, structure, data), 3):
            group = structure.groups[each.layer.group]
            if len(group.of_role("producer")) == 1 and group.exact:
                for units, importance in zip(each.sets, each.importance, strict=True):
                    if len(units) < group.units:
                        plan = Plan("", {group.name: tuple(units.tolist())})
                        after = mask(module, structure, plan)(inputs.clone()).softmax(1)
                        assert importance == pytest.approx(softmax_change(before, after).mean().item(), abs=1e-5)
                        seen += 1
    assert seen > 3


def test_literally_only_the_weights_are_zero():
    """The batch norm's shift still passes."""
    module, structure, data = made("plain")
    inputs = data.tensors[0]
    before = module(inputs).softmax(1)
    for each in rank(context(module, structure, data), 3, "weights"):
        for units, importance in zip(each.sets, each.importance, strict=True):
            masked = copy.deepcopy(module)
            with torch.no_grad():
                masked.get_parameter(each.layer.member.tensor)[units] = 0.0
                after = masked(inputs).softmax(1)
            assert importance == pytest.approx(softmax_change(before, after).mean().item(), abs=1e-5)


@pytest.mark.parametrize("name", [*EXACT, "many", "demo:resnet20-digits", "demo:vgg-shapes", "demo:vit-digits"])
@pytest.mark.parametrize("masked", ["activation", "weights"])
def test_fast_passes_give_what_whole_passes_give(name, masked):
    module, structure, data = made(name)
    size = 64 if name.startswith("demo:") else 3
    with prepared(module, CPU):
        fast, plain = (rank(context(module, structure, data, 4), size, masked, reuse=reuse) for reuse in (True, False))
    assert len(fast) == len(plain) > 0
    for one, other in zip(fast, plain, strict=True):
        np.testing.assert_allclose(one.importance, other.importance, atol=1e-5, err_msg=one.layer.gauge.module)


@pytest.mark.parametrize("name", [*EXACT, "many", "demo:resnet20-digits"])
def test_outputs_are_the_same_without_whole_passes(name, monkeypatch):
    """All logits, which say more than scores; only modules that are called twice take a whole pass."""
    module, structure, data = made(name)
    tasks = _tasks(module, structure, data)
    passes = masked_passes.MaskedPasses(module, tasks)
    whole = []
    plain = masked_passes.straightforward
    monkeypatch.setattr(masked_passes, "straightforward", lambda *given: whole.append(given[2].module) or plain(*given))
    with torch.inference_mode():
        for number, which, found in passes(data.tensors[0]):
            place, sets = tasks[number]
            expected = torch.cat([plain(module, data.tensors[0], place, sets[each]) for each in which])
            assert float((found - expected).abs().max()) < 1e-4 * float(expected.abs().max())
    assert not passes.refused
    assert set(whole) <= {"twice"}


def _tasks(module, structure, data):
    from explorer.criteria import masking

    given = context(module, structure, data)
    layers = masking._layers(given)
    sets = [[layer.units[:2], layer.units[2:4]] for layer in layers]
    return [masking._task(given, *pair, "activation") for pair in zip(layers, sets, strict=True)]


@pytest.mark.parametrize("name", ["plain", "residual", "many", "demo:vit-digits"])
def test_masks_share_passes_of_as_many_as_are_asked_for(name):
    module, structure, data = made(name)
    tasks = _tasks(module, structure, data)
    with torch.inference_mode():
        passes = masked_passes.MaskedPasses(module, tasks)
        found = {most: [which for _, which, _ in passes(data.tensors[0], most)] for most in (1, 2)}
    assert found == {1: [range(1), range(1, 2)] * len(tasks), 2: [range(2)] * len(tasks)}


def test_a_pass_of_several_masks_keeps_to_its_room(monkeypatch):
    """Behind the first layer 16 maps of 8 × 8 are alive for every sample and mask, behind the second 5 numbers."""
    layers = conv(3, 6), nn.ReLU(), conv(6, 16), nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(16, 5)
    module, inputs = nn.Sequential(*layers).eval(), torch.randn(7, 3, 8, 8)
    places = segments.Place("0", 1), segments.Place("2", 1)
    tasks = [masked_passes.Task(place, list(torch.arange(6).split(1))) for place in places]
    monkeypatch.setattr(masked_passes, "_ROOM", (2 * 7 * 16 * 8 * 8 * 4, 0))
    with torch.inference_mode():
        found = [(number, len(which)) for number, which, _ in masked_passes.MaskedPasses(module, tasks)(inputs)]
    assert found == [(0, 2), (0, 2), (0, 2), (1, 6)]


@pytest.mark.parametrize("room", [0, 1 << 30])
def test_longer_batches_are_tried_out_where_masks_have_room_together(room, monkeypatch):
    module, structure, data = made("residual")
    monkeypatch.setattr(masked_passes, "_ROOM", (room, 0))
    record, lengths = masked_passes.record, set()
    monkeypatch.setattr(masked_passes, "record", lambda *a, **k: lengths.add(len(a[1])) or record(*a, **k))
    with torch.inference_mode():
        list(masked_passes.MaskedPasses(module, _tasks(module, structure, data))(data.tensors[0]))
    count = len(data.tensors[0])
    assert lengths == ({count, 2 * count} if room else {count})


def test_samples_that_meet_are_never_of_two_masks():
    """Of a network that computes with the whole batch every pass has one mask, so that its scores are the same."""

    class Centred(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.a, self.b, self.fc = conv(3, 6), conv(6, 4), nn.Linear(4, 3)

        def forward(self, x: Tensor) -> Tensor:
            x = F.relu(self.b(F.relu(self.a(x)))).mean((2, 3))
            return self.fc(x - x.mean(0))

    module = alive(Centred)
    data = TensorDataset(torch.randn(5, *INPUT), torch.zeros(5))
    structure = analyse(module, data[0][0][None], trial=False)
    tasks = _tasks(module, structure, data)
    with torch.inference_mode():
        passes = masked_passes.MaskedPasses(module, tasks)
        for number, which, found in passes(data.tensors[0]):
            place, sets = tasks[number]
            expected = masked_passes.straightforward(module, data.tensors[0], place, sets[which[0]])
            torch.testing.assert_close(found, expected, rtol=1e-4, atol=1e-5)
    assert not passes.refused


def test_where_memory_is_short_fewer_masks_go_together(monkeypatch, caplog):
    module, structure, data = made("residual")
    expected = rank(context(module, structure, data), 3)
    outputs, sizes = masked_passes._Rest.outputs, []

    def short(self, sets):
        sizes.append(len(sets))
        if len(sets) > 1:
            raise torch.OutOfMemoryError("CUDA out of memory")
        return outputs(self, sets)

    monkeypatch.setattr(masked_passes._Rest, "outputs", short)
    found = rank(context(module, structure, data), 3)
    assert max(sizes) > 1
    assert "out of memory: going on with batches of 7" in caplog.text
    for one, other in zip(found, expected, strict=True):
        np.testing.assert_allclose(one.importance, other.importance, atol=1e-5)


def test_little_is_computed(monkeypatch):
    """Behind a mask only, and of the first convolution there only what the masked channels change."""
    layers = [layer for _ in range(5) for layer in (conv(48, 48), nn.BatchNorm2d(48), nn.ReLU())]
    module = nn.Sequential(conv(3, 48), nn.ReLU(), *layers, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(48, 5))
    data = TensorDataset(torch.randn(2, *INPUT), torch.zeros(2))
    structure = analyse(module.eval(), data[0][0][None], trial=False)

    def operations(*, reuse: bool) -> int:
        with prepared(module, CPU), FlopCounterMode(display=False) as counter:
            rank(context(module, structure, data), 8, reuse=reuse, masks=1)
        return counter.get_total_flops()

    plain, ours = operations(reuse=False), operations(reuse=True)
    monkeypatch.setattr(segments, "through_layer", lambda *_: None)
    assert ours < 0.85 * operations(reuse=True) < 0.6 * plain


def test_what_cannot_be_repeated_takes_whole_passes_and_says_so():
    module, messages = alive(Reading), []
    data = TensorDataset(torch.randn(5, *INPUT), torch.zeros(5))
    structure = analyse(module, data[0][0][None], trial=False)

    def report(fraction: float, message: str, **_metrics: object) -> None:
        messages.append(message)

    found = score("masking", module, structure, data, device="cpu", report=report)
    assert set(found.groups) == set(structure.groups)
    assert any("each by a whole pass: its code reads values" in message for message in messages)


def test_it_can_be_cancelled_between_two_passes():
    module, structure, data = made("plain")
    heard = []

    def report(fraction: float, message: str, **_metrics: object) -> None:
        heard.append(fraction)
        if message.startswith("masked") and len(heard) > 5:
            raise Cancelled

    with pytest.raises(Cancelled):
        score("masking", module, structure, data, device="cpu", report=report)
    assert heard == sorted(heard)


def test_units_of_a_set_share_its_importance_and_layers_are_joined():
    module, structure, data = made("residual")
    options = {"size": "4", "members": "max"}
    found = score("masking", module, structure, data, options=options, device="cpu").groups
    with prepared(module, CPU):
        ranked = rank(context(module, structure, data), 4)
    stream = [each for each in ranked if each.layer.group == "stem"]
    assert len(stream) == 2
    values = np.zeros((2, structure.groups["stem"].units))
    for row, each in zip(values, stream, strict=True):
        for units, importance in zip(each.sets, each.importance, strict=True):
            row[units] = importance
    np.testing.assert_allclose(found["stem"], values.max(0))


def test_all_layers_of_a_stage_shrink_in_step():
    """As when a set leaves any layer, and each of the others loses the least important that it has left."""
    model = load_model("demo:resnet20-digits")
    module = stir(model.module)  # no dead channels, whose set would be of another size
    structure = analyse(module, model.example(), trial=False)
    first, second, third = stages(structure)
    assert first == ("conv1", *(f"layer1.{i}.conv1" for i in range(3)))
    assert second == ("layer2.0.conv2", *(f"layer2.{i}.conv1" for i in range(3)))
    data = TensorDataset(torch.randn(4, *model.input_shape), torch.zeros(4))
    options = {"size": "16", "coupling": "stages"}
    found = score("masking", module, structure, data, options=options, device="cpu").groups
    with prepared(module, CPU):
        ranked = rank(context(module, structure, data), 16)
    for stage, steps in ((second, 2), (third, 4)):
        left = [np.sort(each.importance).tolist() for each in ranked if each.layer.group in stage]
        expected = []
        for _ in range(steps):
            expected.append(min(values[0] for values in left))
            left = [values[1:] for values in left]
        for name in stage:
            np.testing.assert_allclose(np.sort(found[name]), np.repeat(expected, 16))


def test_numbers_that_are_no_classes_are_refused():
    module = nn.Sequential(conv(3, 6), nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(6, 1)).eval()
    data = TensorDataset(torch.randn(3, *INPUT), torch.zeros(3))
    with pytest.raises(ExplorerError, match="compares probabilities of classes"):
        score("masking", module, analyse(module, data[0][0][None]), data, device="cpu")
