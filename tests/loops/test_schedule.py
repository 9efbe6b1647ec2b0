"""A network that is cut while it is trained: exact at every cut, on target at the end, and trained on after it."""

import copy
import json
import runpy
from pathlib import Path

import pytest
import torch
import torch.nn.functional as F
from torch import nn

import explorer as ex
from explorer.loops.course import moments
from explorer.loops.growth import GROWTHS
from tests.loops.nets import batches, network, one_step, problem

ROOT = Path(__file__).resolve().parents[2]
pytestmark = pytest.mark.filterwarnings("ignore:.*are too large to come nearer")  # units of narrow networks
METHODS = ("l2", "taylor", "ifap")


@pytest.mark.parametrize("method", METHODS)
def test_at_every_cut_it_answers_as_its_mask_does(method):
    module = network()
    optimizer = torch.optim.SGD(module.parameters(), 0.05, momentum=0.9)
    ours = problem(module)
    schedule = ex.Schedule(ours, keep={"macs": 0.4}, method=method, end=8, every=2, optimizer=optimizer)
    x = torch.randn(4, 1, 6, 6)
    for batch in batches(8):
        one_step(module, optimizer, batch)
        before, done = copy.deepcopy(module).eval(), schedule.plan
        made = schedule.step()
        if made is None:
            assert schedule.plan == done
            continue
        with torch.no_grad():
            masked = problem(before).mask(made.plan)(x)  # its units are those of a network that is traced anew
            torch.testing.assert_close(copy.deepcopy(module).eval()(x), masked, atol=1e-5, rtol=1e-4)
        assert made.cost == ours.cost == schedule.plan.cost(ours.done.structure)
    assert [cut.call for cut in schedule.cuts][:3] == [2, 4, 6]  # the last one may find the target met
    assert ours.cost.macs == pytest.approx(0.4 * ours.done.structure.cost().macs, rel=0.03)
    assert schedule.finished


def test_training_on_is_that_of_the_cut_network_with_what_its_optimiser_remembers():
    module = network()
    optimizer = torch.optim.SGD(module.parameters(), 0.05, momentum=0.9, nesterov=True, weight_decay=1e-3)
    schedule = ex.Schedule(problem(module), keep={"macs": 0.5}, method="l2", end=3, every=3, optimizer=optimizer)
    for batch in batches(3):
        held = one_step(module, optimizer, batch)
        schedule.step()
    other = copy.deepcopy(module)  # trained by an optimiser that never knew wide ones
    fresh = torch.optim.SGD(other.parameters(), 0.05, momentum=0.9, nesterov=True, weight_decay=1e-3)
    fresh.load_state_dict(copy.deepcopy(optimizer.state_dict()))
    for batch in batches(5):
        one_step(module, optimizer, batch)
        one_step(other, fresh, batch)
    for mine, theirs in zip(module.parameters(), other.parameters(), strict=True):
        assert torch.equal(mine, theirs)
    assert held.isfinite()


def test_gradients_that_are_added_up_over_a_cut_are_those_of_what_stays():
    module = network()
    optimizer = torch.optim.SGD(module.parameters(), 0.1)
    schedule = ex.Schedule(problem(module), keep={"macs": 0.5}, method="l2", end=1, optimizer=optimizer)
    x, y = batches(1)[0]
    F.cross_entropy(module(x), y).backward()
    before = {name: parameter.grad.clone() for name, parameter in module.named_parameters()}
    schedule.step()
    left = [unit for unit in range(16) if unit not in schedule.plan.remove.get("hidden", ())]
    torch.testing.assert_close(module.head.weight.grad, before["head.weight"][:, left])
    F.cross_entropy(module(x), y).backward()
    optimizer.step()


AVERAGES = {
    "copy": copy.deepcopy,
    "swa": lambda module: torch.optim.swa_utils.AveragedModel(module, use_buffers=True),
    "timm": lambda module: __import__("timm").utils.ModelEmaV3(module, decay=0.5),
    "timm2": lambda module: __import__("timm").utils.ModelEmaV2(module, decay=0.5),
}


@pytest.mark.parametrize("kind", AVERAGES)
def test_an_average_is_cut_along_and_averages_on(kind):
    module = network()
    average = AVERAGES[kind](module)
    inner = getattr(average, "module", average)
    with torch.no_grad():
        for parameter in inner.parameters():
            parameter.add_(torch.randn_like(parameter) * 0.1)
    before = copy.deepcopy(inner).eval()
    optimizer = torch.optim.SGD(module.parameters(), 0.05)
    ours = problem(module)
    schedule = ex.Schedule(ours, keep={"macs": 0.5}, method="l2", end=1, optimizer=optimizer, ema=average)
    schedule.step()
    masked = problem(before).mask(schedule.plan)
    x = torch.randn(4, 1, 6, 6)
    with torch.no_grad():
        torch.testing.assert_close(copy.deepcopy(inner).eval()(x), masked(x), atol=1e-5, rtol=1e-4)
    one_step(module, optimizer, batches(1)[0])
    for update in ("update", "update_parameters"):
        if hasattr(average, update):
            getattr(average, update)(module)
    assert [p.shape for p in inner.parameters()] == [p.shape for p in module.parameters()]


def test_a_dictionary_of_averages_is_cut_along():
    module = network()
    parameters = {name: parameter.detach().clone() for name, parameter in module.named_parameters()}
    everything = {name: tensor.clone() for name, tensor in module.state_dict().items()} | {"updates": 3}
    ex.Schedule(problem(module), keep={"macs": 0.5}, method="l2", end=1, ema=[parameters, everything]).step()
    assert all(torch.equal(parameters[name], parameter) for name, parameter in module.named_parameters())
    assert all(torch.equal(everything[name], tensor) for name, tensor in module.state_dict().items())


def test_a_schedule_goes_on_where_another_one_was():
    def begun() -> tuple[nn.Module, torch.optim.Optimizer, ex.Schedule]:
        module = network()
        optimizer = torch.optim.Adam(module.parameters(), 1e-2)
        options = {"method": "taylor", "end": 16, "every": 4, "penalty": 1e-3, "optimizer": optimizer}
        return module, optimizer, ex.Schedule(problem(module), keep={"macs": 0.4}, **options)

    def trained(module: nn.Module, optimizer: torch.optim.Optimizer, schedule: ex.Schedule, steps: list) -> None:
        for batch in steps:
            one_step(module, optimizer, batch)
            schedule.step()

    straight, interrupted, again = begun(), begun(), begun()
    trained(*straight, batches(20))
    trained(*interrupted, batches(20)[:10])
    module, optimizer, schedule = interrupted
    saved = json.loads(json.dumps(schedule.state_dict()))
    again[2].load_state_dict(saved)
    again[0].load_state_dict(module.state_dict())
    again[1].load_state_dict(optimizer.state_dict())
    trained(*again, batches(20)[10:])
    assert again[2].plan == straight[2].plan
    assert again[2].cuts == straight[2].cuts
    for mine, theirs in zip(again[0].parameters(), straight[0].parameters(), strict=True):
        assert torch.equal(mine, theirs)
    with pytest.raises(ex.ExplorerError, match="begun already"):
        again[2].load_state_dict(saved)


def test_what_torch_compiled_is_compiled_anew():
    module = network().eval()
    compiled = torch.compile(module, backend="eager")
    x = torch.randn(2, 1, 6, 6)
    schedule = ex.Schedule(problem(module), keep={"macs": 0.5}, method="l2", end=2, every=1)
    with torch.no_grad():
        for _ in range(2):
            compiled(x)
            assert schedule.step()
            torch.testing.assert_close(compiled(x), module(x))


def test_a_network_by_reference_is_saved_as_a_run_that_opens_again(tmp_path):
    ours = ex.open("demo:vgg-digits", device="cpu")
    schedule = ex.Schedule(ours, keep={"params": 0.5, "size": "400kB"}, method="l1", end=2, every=1, round_to=2)
    schedule.step(), schedule.step()  # two targets are two limits
    ours.save(tmp_path / "small")
    again = ex.open(f"run:{tmp_path / 'small'}", device="cpu")
    assert again.cost == ours.cost
    assert (tmp_path / "small" / "weights.safetensors").stat().st_size <= 400_000
    assert all(units % 2 == 0 for name, units in ours.structure.full.items() if name in schedule.plan.remove)


def test_growths_lead_to_the_goal():
    assert moments(10, 30, 8) == (18, 26, 30)
    assert GROWTHS["cubic"](0.4, [0.5, 1.0]) == pytest.approx([0.4 + 0.6 / 8, 0.4])
    assert GROWTHS["linear"](0.4, [0.25, 1.0]) == pytest.approx([0.85, 0.4])
    one, two, three = GROWTHS["ifap"](0.5, [1 / 3, 2 / 3, 1.0])
    first = 1 - one
    assert two / one == pytest.approx(1 - first * (4 / 3) ** 1.5)
    assert three == 0.5
    assert three / two == pytest.approx(1 - first * (5 / 3) ** 1.5)


def test_epochs_count_as_well_and_minimum_is_of_the_whole_network():
    ours = problem(network())
    whole = ours.structure.full
    schedule = ex.Schedule(ours, keep={"macs": 0.3}, method="random", end=6, every=1, minimum=0.5, locked=["hidden"])
    for _ in range(6):
        schedule.step()
    full = ours.structure.full
    assert full["hidden"] == whole["hidden"]
    assert all(2 * full[name] >= units for name, units in whole.items())


class Mixed(nn.Module):
    """A stream of twelve channels, each 8 % of the cost, and hidden features of 1 % each."""

    def __init__(self) -> None:
        super().__init__()
        self.first, self.head = nn.Linear(8, 12), nn.Linear(12, 3)
        self.up, self.down = nn.Linear(12, 100), nn.Linear(100, 12)
        with torch.no_grad():  # channels of the stream seem to be worth least
            self.up.weight.fill_(0.1)
            for layer in (self.first, self.down):
                layer.weight.mul_(torch.logspace(-9, 0, 12)[:, None])

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = self.first(x)
        return self.head(x + self.down(self.up(x).relu()))


@pytest.mark.parametrize("keep", [0.63, 0.55, 0.47, 0.38])
@pytest.mark.parametrize("growth", ["cubic", "linear", "ifap"])
@pytest.mark.filterwarnings("error:.*is not met")
def test_the_last_cut_lands_on_the_target_with_the_finest_units_that_there_are(keep, growth):
    ours = ex.Problem(Mixed(), example=torch.zeros(1, 8), device="cpu")
    whole = ours.cost.macs
    schedule = ex.Schedule(ours, keep={"macs": keep}, method="l1", growth=growth, end=3)
    for _ in range(3):
        schedule.step()
    assert ours.cost.macs == pytest.approx(keep * whole, rel=0.01)


def test_it_says_what_its_scores_take():
    def said(method: str) -> str:
        return ex.Schedule(problem(network()), keep={"macs": 0.9}, method=method, end=1, samples=50).scoring

    assert "weights alone" in said("l2")
    assert "gradients of training" in said("taylor")
    assert said("ifap").startswith("flow looks at 50 training samples at every cut")


REFUSED = {
    "unknown method": ({"method": "l22"}, "did you mean l2"),
    "a method of its own": ({"method": "idap"}, "can't follow a loop"),
    "unknown growth": ({"growth": "square"}, "known are cubic"),
    "out of reach": ({"keep": {"macs": 0.01}}, "can't be met"),
    "no target": ({"keep": {}}, "no target"),
    "latency": ({"keep": {"latency": 0.5}}, "time the network"),
    "never": ({"start": 4, "end": 4}, "no cut lies between"),
    "unknown setting": ({"method": "l2", "size": 3}, "unknown option of criterion l2"),
    "unknown group": ({"locked": ["stam"]}, "did you mean stem"),
    "negative penalty": ({"penalty": -1.0}, "penalty of -1"),
    "no optimiser": ({"optimizer": "adam"}, "is no torch.optim.Optimizer"),
    "an average of another": ({"ema": nn.Linear(2, 2)}, "no average of this network"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_what_can_not_be_is_refused_before_training(case):
    given, said = REFUSED[case]
    options = {"keep": {"macs": 0.5}, "end": 4, "method": "l2"} | given
    with pytest.raises(ex.ExplorerError, match=said):
        ex.Schedule(problem(network()), **options)


def test_a_schedule_is_about_a_problem():
    with pytest.raises(ex.ExplorerError, match=r"not Small: give ex\.Problem"):
        ex.Schedule(network(), keep={"macs": 0.5}, end=1)


def test_networks_that_others_hold_in_one_shape_are_refused():
    module = network()
    for wrapped, said in (
        (nn.DataParallel(module), "the one inside"),
        (torch.compile(module, backend="eager"), "passed to torch.compile"),
    ):
        ours = problem(module)
        ours.module = wrapped
        with pytest.raises(ex.ExplorerError, match=said):
            ex.Schedule(ours, keep={"macs": 0.5}, method="l2", end=1)
    store = torch.distributed.HashStore()
    torch.distributed.init_process_group("gloo", store=store, rank=0, world_size=1)
    try:
        with pytest.raises(ex.ExplorerError, match="train in one process"):
            ex.Schedule(problem(module), keep={"macs": 0.5}, method="l2", end=1)
    finally:
        torch.distributed.destroy_process_group()


def test_in_inference_mode_nothing_is_cut():
    schedule = ex.Schedule(problem(network()), keep={"macs": 0.5}, method="l2", end=1)
    with torch.inference_mode(), pytest.raises(ex.ExplorerError, match="outside of it"):
        schedule.step()


@pytest.mark.parametrize("method", ["taylor", "ifap"])
def test_the_example_learns_digits_while_it_shrinks(method, tmp_path):
    main = runpy.run_path(str(ROOT / "examples" / "own_loop.py"))["main"]
    epochs = 3 if method == "ifap" else 8
    ours, schedule = main(method, epochs, str(tmp_path / "small"))
    assert schedule.finished
    assert ours.cost.macs == pytest.approx(0.4 * ours.done.structure.cost().macs, rel=0.03)  # units are 2 to 3 %
    if method == "taylor":
        assert ours.evaluate() > 0.85
    assert json.loads((tmp_path / "small" / "plan.json").read_text()) == schedule.plan.to_json()


def test_what_is_missing_is_named():
    bare = problem(network(), train=None, loss=None, metric=None)
    with pytest.raises(ex.ExplorerError, match="needs data"):
        ex.Schedule(bare, keep={"macs": 0.5}, method="ifap", end=1)
    for options in ({"method": "taylor"}, {"method": "l2", "penalty": 0.1}):
        schedule = ex.Schedule(bare, keep={"macs": 0.5}, end=1, **options)
        with pytest.raises(ex.ExplorerError, match="give the schedule your optimiser"):
            schedule.step()
    schedule.watch(torch.optim.SGD(bare.module.parameters(), 0.1))
    silent = ex.Schedule(bare, keep={"macs": 0.5}, method="taylor", end=1)
    silent.watch(torch.optim.SGD(bare.module.parameters(), 0.1))
    with pytest.raises(ex.ExplorerError, match="no gradients were seen"):
        silent.step()
