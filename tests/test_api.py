"""The public interface: a module, data, loss and metric that nothing here knows."""

import copy
import importlib.util
import json
import subprocess
import sys
from pathlib import Path

import onnxruntime
import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.utils.data import DataLoader, Dataset, IterableDataset

import explorer as ex
from explorer.errors import ExplorerError
from explorer.pruning import Plan, cut
from explorer.sources.own import OwnData, Ports

ROOT = Path(__file__).resolve().parents[1]


class TwoIn(nn.Module):
    """A picture and the id of a place in; a class and a size out, in a dictionary."""

    def __init__(self, width: int = 12) -> None:
        super().__init__()
        self.stem = nn.Conv2d(1, width, 3, padding=1)
        self.norm = nn.BatchNorm2d(width)
        self.body = nn.Conv2d(width, width, 3, padding=1)
        self.places = nn.Embedding(5, width)
        self.loss = nn.Linear(width, 8)  # a name that the engine could want
        self.kind = nn.Linear(8, 3)
        self.size = nn.Linear(8, 1)

    def forward(self, picture: Tensor, place: Tensor) -> dict[str, Tensor]:
        x = F.relu(self.norm(self.stem(picture)))
        x = (x + F.relu(self.body(x))).mean((2, 3)) + self.places(place)
        x = F.relu(self.loss(x))
        return {"kind": self.kind(x), "size": self.size(x)[:, 0]}


class Samples(Dataset):
    def __init__(self, count: int = 96, seed: int = 0) -> None:
        generator = torch.Generator().manual_seed(seed)
        self.pictures = torch.randn(count, 1, 6, 6, generator=generator)
        self.places = torch.randint(5, (count,), generator=generator)
        self.kinds = (self.pictures.mean((1, 2, 3)) > 0).long() + (self.places > 2).long()

    def __len__(self) -> int:
        return len(self.kinds)

    def __getitem__(self, index: int) -> dict:
        picture = self.pictures[index]
        return {
            "picture": picture,
            "place": self.places[index],
            "kind": self.kinds[index],
            "size": float(picture.std()),
        }


def loss(outputs: dict[str, Tensor], targets: dict[str, Tensor]) -> Tensor:
    return F.cross_entropy(outputs["kind"], targets["kind"]) + F.mse_loss(outputs["size"], targets["size"])


def hits(outputs: dict[str, Tensor], targets: dict[str, Tensor]) -> Tensor:
    return (outputs["kind"].argmax(1) == targets["kind"]).float().mean()


EXAMPLE = {"picture": torch.zeros(2, 1, 6, 6), "place": torch.zeros(2, dtype=torch.long)}


@pytest.fixture(scope="module")
def network() -> nn.Module:
    torch.manual_seed(0)
    network, samples = TwoIn(), DataLoader(Samples(), batch_size=32, shuffle=True)
    optimizer = torch.optim.AdamW(network.parameters(), 1e-2)
    for _ in range(12):
        for batch in samples:
            optimizer.zero_grad()
            loss(network(batch["picture"], batch["place"]), batch).backward()
            optimizer.step()
    return network.eval()


@pytest.fixture
def problem(network) -> ex.Problem:
    data = DataLoader(Samples(), batch_size=32)
    return ex.Problem(
        network, example=EXAMPLE, train=data, test=Samples(48, seed=1), loss=loss, metric=hits, device="cpu"
    )


@pytest.fixture
def plan(problem):
    return problem.plan(problem.score("l2"), keep={"macs": 0.6})


def answers(module: nn.Module) -> dict[str, Tensor]:
    samples = Samples(16, seed=2)
    with torch.no_grad():
        return module(samples.pictures, samples.places)


def test_a_masked_copy_and_a_cut_network_answer_alike_and_the_network_stays(problem, plan, network):
    before = {name: tensor.clone() for name, tensor in network.state_dict().items()}
    masked, smaller = problem.mask(plan), problem.cut(plan)
    for name, found in answers(smaller.module).items():
        torch.testing.assert_close(found, answers(masked)[name])
        assert not torch.allclose(found, answers(network)[name])
    assert type(smaller.module) is type(masked) is TwoIn
    assert list(smaller.module.state_dict()) == list(before)
    assert all(torch.equal(tensor, before[name]) for name, tensor in network.state_dict().items())
    assert type(network) is TwoIn
    assert not hasattr(network, "own_")


def inputs_alone(samples):
    """A loader of one's own: batches of inputs, without targets."""
    for start in range(0, len(samples), 20):
        stop = start + 20
        yield {"picture": samples.pictures[start:stop], "place": samples.places[start:stop]}


@pytest.mark.parametrize("kind", ["inputs alone", "loader", "data set", "training data"])
def test_any_loader_repairs_without_a_task(network, problem, plan, kind):
    """Without a loss, a metric, or targets; every kind of loader gives what the same samples give."""
    samples = Samples(60, seed=3)
    data = {
        "inputs alone": inputs_alone(samples),
        "loader": DataLoader(samples, batch_size=7),
        "data set": samples,
        "training data": None,
    }[kind]
    bare = problem if data is None else ex.Problem(network, example=EXAMPLE, device="cpu")
    module, as_cut = (problem.cut(plan).module for _ in range(2))
    history = bare.repair(module, plan, data, samples=60)
    assert history.recovery == "reconstruct"
    for name, whole in answers(network).items():
        before, after = ((answers(net)[name] - whole).square().mean() for net in (as_cut, module))
        assert after < before
    again = problem.cut(plan).module
    bare.repair(again, plan, samples if data is not None else None, samples=60)
    for name, tensor in module.state_dict().items():
        torch.testing.assert_close(tensor, again.state_dict()[name])


def test_a_repair_says_what_it_lacks(network, problem, plan):
    bare = ex.Problem(network, example=EXAMPLE, device="cpu")
    with pytest.raises(ex.ExplorerError, match="give it data, any loader"):
        bare.repair(problem.cut(plan).module, plan)
    with pytest.raises(ex.ExplorerError, match="not what the plan makes of this network"):
        bare.repair(network, plan, Samples(8))


class Sorted(Dataset):
    """Samples sorted by class, as in folders, which remembers who was asked for; 200 of them."""

    def __init__(self) -> None:
        self.asked: list[int] = []

    def __len__(self) -> int:
        return 200

    def __getitem__(self, index: int) -> tuple[Tensor, int]:
        self.asked.append(index)
        generator = torch.Generator().manual_seed(index)
        return torch.randn(2, 6, 6, generator=generator), index // 50


def flat() -> tuple[ex.Problem, Plan]:
    torch.manual_seed(0)
    net = nn.Sequential(nn.Conv2d(2, 4, 3), nn.ReLU(), nn.Conv2d(4, 3, 1), nn.Flatten(), nn.Linear(48, 4)).eval()
    return ex.Problem(net, example=torch.zeros(1, 2, 6, 6), device="cpu"), Plan("", {"0": (1,)})


@pytest.mark.parametrize("loaded", [False, True])
def test_a_repair_looks_all_over_a_data_set_that_is_sorted_by_class(loaded):
    problem, plan = flat()
    samples = Sorted()
    data = DataLoader(samples, batch_size=16, drop_last=True) if loaded else samples
    problem.repair(problem.cut(plan).module, plan, data, samples=20)
    assert samples.asked == list(range(0, 200, 10))


def test_a_loader_that_draws_or_batches_by_itself_is_read_as_it_is():
    problem, plan = flat()
    for settings in ({"sampler": range(30, 60), "batch_size": 10}, {"batch_sampler": [range(30, 40), range(40, 60)]}):
        samples = Sorted()
        problem.repair(problem.cut(plan).module, plan, DataLoader(samples, **settings), samples=20)
        assert set(range(30, 50)) <= set(samples.asked) <= set(range(30, 60))


def test_a_repair_takes_what_was_cut_from_the_network_as_the_engine_sees_it():
    problem, plan = flat()
    two = problem.cut(plan).module
    seen = cut(problem.network, problem.structure, plan).module
    for module in (two, seen):
        problem.repair(module, plan, Sorted(), samples=20)
    for name, tensor in two.state_dict().items():
        torch.testing.assert_close(seen.state_dict()[name], tensor)


def test_a_target_out_of_reach_is_said(problem):
    with pytest.warns(UserWarning, match="is not met, the nearest feasible is"):
        assert not problem.plan(problem.score("l2"), keep={"macs": 0.001}).empty


def test_the_report_is_what_the_functions_say(problem, plan, network):
    report = problem.cut(plan).report
    samples = Samples(48, seed=1)
    targets = {"kind": samples.kinds}
    with torch.no_grad():
        expected = float(hits(network(samples.pictures, samples.places), targets))
    assert report.whole == problem.evaluate() == pytest.approx(expected)
    assert report.as_cut == report.recovered == pytest.approx(problem.evaluate(problem.mask(plan)))
    assert report.cut_cost.macs < 0.61 * report.whole_cost.macs
    assert report.samples == 48


ONE_CLASS = {"conductance", "lrp", "shapley", "tvsprune"}  # these explain one answer a sample
FROM_ONES = {"synflow", "dfpc"}  # these begin with an input of ones, which numbered places have not


@pytest.mark.parametrize("name", sorted({*ex.CRITERIA} - ONE_CLASS - FROM_ONES))
def test_criteria_score_it(problem, name):
    scores = problem.score(name, samples=16)
    assert {*scores.groups, *scores.skipped} == set(problem.structure.groups)


@pytest.mark.parametrize("name", sorted(ONE_CLASS | FROM_ONES))
def test_criteria_that_can_not_say_why(problem, name):
    with pytest.raises(ExplorerError, match="use "):
        problem.score(name, samples=16)


@pytest.mark.parametrize("name", [name for name in ex.RECOVERIES if name != "scratch"])
def test_every_recovery_that_needs_batches_and_a_loss(problem, plan, name):
    report = problem.cut(plan, recover=name, epochs=1).report
    assert report.recovery == name
    assert 0 <= report.recovered <= 1
    if name == "finetune":
        assert report.recovered > report.as_cut


def test_training_from_scratch_needs_a_network_that_can_be_built(problem, plan):
    with pytest.raises(ExplorerError, match="scratch"):
        problem.cut(plan, recover="scratch", epochs=1)


def test_saved_and_loaded_into_a_fresh_network(problem, plan, tmp_path):
    smaller = problem.cut(plan)
    smaller.save(tmp_path / "small")
    again = ex.load(tmp_path / "small", TwoIn())
    for name, found in answers(again).items():
        assert torch.equal(found, answers(smaller.module)[name])
    assert json.loads((tmp_path / "small" / "report.json").read_text())["change"]["whole_cost"]["macs"]
    with pytest.raises(ExplorerError, match="does not fit Linear"):
        ex.load(tmp_path / "small", nn.Linear(2, 2))
    with pytest.raises(ExplorerError, match="give it: load"):
        ex.load(tmp_path / "small")
    with pytest.raises(ExplorerError, match="no saved network"):
        ex.load(tmp_path, TwoIn())


def test_the_onnx_file_has_the_networks_own_inputs_and_outputs(problem, plan, tmp_path):
    smaller = problem.cut(plan)
    found = smaller.onnx(tmp_path / "small.onnx")
    assert found["inputs"] == ["picture", "place"]
    assert found["outputs"] == ["kind", "size"]
    samples = Samples(7, seed=3)
    session = onnxruntime.InferenceSession(tmp_path / "small.onnx")
    kind, size = session.run(None, {"picture": samples.pictures.numpy(), "place": samples.places.numpy()})
    with torch.no_grad():
        wanted = smaller.module(samples.pictures, samples.places)
    torch.testing.assert_close(torch.from_numpy(kind), wanted["kind"], atol=1e-5, rtol=1e-4)
    torch.testing.assert_close(torch.from_numpy(size), wanted["size"], atol=1e-5, rtol=1e-4)


def test_without_data_there_are_groups_cost_and_scores_that_need_none(network):
    problem = ex.Problem(network, example=EXAMPLE)
    plan = problem.plan(problem.score("l1"), remove=dict.fromkeys(problem.structure.groups, 0.5))
    report = problem.cut(plan).report
    assert report.whole is None
    assert report.cut_cost.params < report.whole_cost.params
    with pytest.raises(ExplorerError, match="nothing to judge by"):
        problem.evaluate()
    with pytest.raises(ExplorerError, match="needs data"):
        problem.score("taylor")
    with pytest.raises(ExplorerError, match="needs data"):
        problem.cut(plan, recover="finetune")


def test_a_loss_alone_judges_and_less_of_it_is_better(network, plan):
    problem = ex.Problem(network, example=EXAMPLE, train=Samples(), loss=loss, device="cpu")
    report = problem.cut(plan, recover="finetune", epochs=2).report
    assert 0 < report.recovered < report.as_cut
    assert len(problem._task.validation) + len(problem._task.train) == 96


class Stream(IterableDataset):
    def __iter__(self):
        return iter(pairs())


def pairs(count: int = 10) -> list[tuple[Tensor, Tensor]]:
    return [(torch.full((2,), float(place)), torch.tensor(place % 3)) for place in range(count)]


@pytest.mark.parametrize(
    "source",
    [
        DataLoader(pairs(), batch_size=4),
        [(torch.stack([x for x, _ in part]), torch.stack([y for _, y in part])) for part in (pairs()[:7], pairs()[7:])],
        DataLoader(Stream(), batch_size=3),
    ],
    ids=["loader", "batches", "stream"],
)
def test_data_of_any_source_is_the_same_samples(source):
    data = OwnData(source, Ports.of(torch.zeros(1, 2)))
    assert len(data) == 10
    for place, (x, y) in enumerate(pairs()):
        found, targets = data[place]
        assert torch.equal(found, x)
        assert int(targets["value"]) == int(y)


def test_inputs_travel_side_by_side_and_come_back_exactly():
    example = (torch.zeros(1, 2, 3), {"ids": torch.zeros(1, 4, dtype=torch.long)})
    ports = Ports.of(example)
    given = (torch.randn(5, 2, 3), {"ids": torch.randint(2**24 - 1, (5, 4))})
    first, second = ports.unpack(ports.pack(given))
    assert torch.equal(first, given[0])
    assert torch.equal(second["ids"], given[1]["ids"])
    assert second["ids"].dtype == torch.long
    with pytest.raises(ExplorerError, match="packed exactly"):
        ports.pack((given[0], {"ids": torch.full((5, 4), 2**24)}))
    with pytest.raises(ExplorerError, match="make them alike"):
        ports.pack((torch.randn(5, 2, 4), given[1]))


@pytest.mark.parametrize("bad", [3, "text", [], torch.tensor(1.0), (torch.zeros(1, 2), torch.zeros(2, 2))])
def test_an_example_that_is_none_is_refused(network, bad):
    with pytest.raises(ExplorerError, match="example"):
        ex.Problem(network, example=bad)


def test_by_reference_it_is_what_the_app_opens(tmp_path):
    problem = ex.open("demo:vgg-digits", device="cpu")
    plan = problem.plan(problem.score("l1"), keep={"macs": 0.8})
    smaller = problem.cut(plan, recover="bn")
    smaller.save(tmp_path / "small")
    again = ex.open(f"run:{tmp_path / 'small'}", device="cpu")
    assert again.cost == smaller.report.cut_cost
    assert again.evaluate() == pytest.approx(smaller.report.recovered)
    with torch.no_grad():
        picture = torch.randn(1, 1, 28, 28)
        torch.testing.assert_close(ex.load(tmp_path / "small")(picture), smaller.module(picture))


@pytest.mark.slow
def test_a_run_writes_what_the_command_line_writes(tmp_path):
    small = tmp_path / "small"
    result = ex.run("demo:resnet20-digits", "digits", out=small, keep={"macs": 0.5}, criterion="l1")
    assert (result.out, result.spec["criterion"], result.spec["method"]) == (small, "l1", "one-shot")
    assert result.achieved["macs"] == pytest.approx(0.5, abs=0.01)
    assert {"onnx", "checks"} <= result.bundle.keys()
    assert sum(tensor.numel() for tensor in ex.load(small).parameters()) == result.pruned["params"]


def test_a_run_is_told_its_methods_settings():
    with pytest.raises(ex.ExplorerError, match="max_drop"):
        ex.run("demo:resnet20-digits", "digits", method="ifap", keep={"macs": 0.5}, max_drop="much")
    with pytest.raises(ex.ExplorerError, match="did you mean ifap"):
        ex.run("demo:resnet20-digits", "digits", method="ifapp")


def test_importing_it_imports_nothing_heavy():
    code = "import sys, explorer as ex; print('torch' in sys.modules)"
    light = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=ROOT)
    assert light.stdout.strip() == "False"


def test_the_example_runs_from_top_to_bottom(tmp_path, monkeypatch):
    spec = importlib.util.spec_from_file_location("own_network", ROOT / "examples" / "own_network.py")
    example = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(example)
    smaller = example.main(epochs=3, folder=str(tmp_path / "small"))
    assert smaller.report.cut_cost.macs <= 0.505 * smaller.report.whole_cost.macs
    assert smaller.report.recovered > smaller.report.as_cut
    assert (tmp_path / "small" / "model.onnx").is_file()


def test_narrowed_in_place_it_is_about_what_stays_and_saves_the_way_there(network, tmp_path):
    problem = ex.Problem(copy.deepcopy(network), example=EXAMPLE, train=Samples(), loss=loss, metric=hits, device="cpu")
    whole, module = problem.cost, problem.module
    for keep in (0.8, 0.7):  # of what there is
        plan = problem.plan(problem.score("taylor", samples=16), keep={"macs": keep})
        masked = answers(problem.mask(plan))
        problem.narrow(plan)
        for name, found in answers(module).items():
            torch.testing.assert_close(found, masked[name], atol=1e-5, rtol=1e-4)
    assert problem.cost.macs == pytest.approx(0.56 * whole.macs, rel=0.03)
    assert problem.done.plan.cost(problem.done.structure) == problem.cost
    problem.save(tmp_path / "small")
    again = ex.load(tmp_path / "small", TwoIn())
    for name, found in answers(again).items():
        torch.testing.assert_close(found, answers(module)[name])
    written = json.loads((tmp_path / "small" / "report.json").read_text())["change"]
    assert written["whole_cost"]["macs"] == whole.macs
    assert written["recovered"] == problem.evaluate()
    smaller = problem.cut(problem.plan(problem.score("l2"), keep={"macs": 0.8}))  # a copy, on top of that
    smaller.save(tmp_path / "smaller")
    for name, found in answers(ex.load(tmp_path / "smaller", TwoIn())).items():
        torch.testing.assert_close(found, answers(smaller.module)[name])


def test_what_each_group_keeps_can_be_said_for_itself(problem):
    name, group = next(iter(problem.structure.groups.items()))
    plan = problem.plan(problem.score("l1"), keep={"params": 0.01}, minimum={name: group.units - 1})
    assert len(plan.remove[name]) == 1
    assert all(kept == 1 for other, kept in plan.kept(problem.structure).items() if other != name)
