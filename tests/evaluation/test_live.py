"""Live evaluation against evaluating every masked and every cut model from nothing."""

import threading
from collections.abc import Callable, Sequence

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn
from torch.utils.data import Dataset, TensorDataset

from explorer.errors import Cancelled, ExplorerError
from explorer.evaluation import Live, favourite, who_pays
from explorer.evaluation.live import evaluator
from explorer.evaluation.live.recording import record
from explorer.evaluation.live.resident import Resident, first_change
from explorer.pruning import Plan, cut, exact, mask
from explorer.sources import load_pair
from explorer.structure import Structure, analyse
from explorer.tasks import evaluate
from tests import nets
from tests.hugging import BERT, text_folder
from tests.structure.awkward import TOYS

CPU = torch.device("cpu")
SAMPLES = 19
IMAGES = torch.randn(SAMPLES, *nets.INPUT, generator=torch.Generator().manual_seed(1))
DATA = TensorDataset(IMAGES, torch.arange(SAMPLES) % 5)
PLENTY = 10**9


class Base(nn.Module):
    """Three convolutions on one stream; subclasses say what happens between them."""

    def __init__(self) -> None:
        super().__init__()
        self.a, self.b, self.c = nets.conv(3, 8), nets.conv(8, 8), nets.conv(8, 6)
        self.fc = nn.Linear(6, 5)

    def forward(self, x: Tensor) -> Tensor:
        return self.head(self.between(self.a(x)))

    def between(self, x: Tensor) -> Tensor:
        return self.b(x)

    def head(self, x: Tensor) -> Tensor:
        return self.fc(F.relu(self.c(x)).mean((2, 3)))


class InPlace(Base):
    """A stream that is written into as long as it lives, through views too."""

    def between(self, x: Tensor) -> Tensor:
        x.relu_()
        x += self.b(x)
        x[:, :, 0].mul_(2.0)
        return x.add_(self.b(x.tanh()))


class Overlapping(Base):
    """Two views of one memory are alive while it is written into."""

    def between(self, x: Tensor) -> Tensor:
        rows = x[:, :, ::2]
        y = self.b(x)
        x.relu_()
        return y + x + rows.repeat_interleave(2, 2)


class Branching(Base):
    """What it computes depends on values that any mask changes."""

    def between(self, x: Tensor) -> Tensor:
        guess = self.head(x)[0]
        return self.b(x).tanh() + x if guess[0] > guess[1] else self.b(x)


class Scaled(Base):
    """A number that is read while it runs, and that any mask changes."""

    def between(self, x: Tensor) -> Tensor:
        return self.b(x) / self.head(x).abs().max().item()


class Choosing(Base):
    """What it computes depends on its inputs, not on its weights."""

    def forward(self, x: Tensor) -> Tensor:
        self.positive = bool(x.mean() > 0)
        return super().forward(x)

    def between(self, x: Tensor) -> Tensor:
        return self.b(x).tanh() + x if self.positive else self.b(x)


class Constants(Base):
    """Tensors that are made from Python numbers on the way, and written into; and two in one memory."""

    def __init__(self) -> None:
        super().__init__()
        self.waves = torch.linspace(0, 1, 16).chunk(2)

    def between(self, x: Tensor) -> Tensor:
        x = x * self.waves[0] + self.waves[1]
        total = torch.tensor([0.0])
        total += 2.0
        order = torch.tensor([1, 0, 3, 2, 5, 4, 7, 6])
        return self.b(x.index_select(2, order)) * total + x[:, :, [1] * 8]


class Listing(Base):
    """Reads values in a way that the dispatcher does not see."""

    def between(self, x: Tensor) -> Tensor:
        return self.b(x) * (1.0 + abs(self.b(x).mean((0, 2, 3)).tolist()[0]))


class Counting(Base):
    """Writes into one of its buffers."""

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("calls", torch.zeros(1))

    def between(self, x: Tensor) -> Tensor:
        self.calls += 1
        return self.b(x)


class Overwriting(Base):
    """Writes into its inputs."""

    def forward(self, x: Tensor) -> Tensor:
        return super().forward(x.mul_(1.5))


class Remembering(Base):
    """Has made a tensor the first time that it needed it."""

    grid = None

    def between(self, x: Tensor) -> Tensor:
        if self.grid is None:
            self.grid = torch.linspace(0, 1, x.shape[-1])
        return self.b(x) + self.grid


class Packed(Base):
    """Gives its outputs in a list."""

    def forward(self, x: Tensor) -> Sequence[Tensor]:
        return [super().forward(x)]


OWN = (InPlace, Overlapping, Branching, Scaled, Choosing, Constants, Listing, Counting, Remembering)
CASES: dict[str, tuple[nn.Module, Structure]] = {
    name.lower(): (module := nets.alive(net), analyse(module, torch.randn(1, *nets.INPUT)))
    for name, net in {**nets.EXACT, **{net.__name__: net for net in OWN}}.items()
}


CASES["mixture"] = (mixture := TOYS["whole_experts"].make()), analyse(mixture, torch.randn(1, *nets.INPUT))
CASES["overwriting"] = nets.alive(Overwriting), CASES["remembering"][1]  # its analysis would overwrite the example


def plainly(name: str, plan: Plan, way: Callable = mask) -> float:
    """The loss, which hardly two models share."""
    twin = way(*CASES[name], plan)
    return evaluate(twin if way is mask else twin.module, DATA, device=CPU, batch_size=2).loss


@st.composite
def drags(draw: st.DrawFn, structure: Structure) -> list[Plan]:
    """Plans each of which differs from the one before in a group or two."""
    removed, plans = {}, []
    for _ in range(draw(st.integers(2, 5))):
        for group in draw(st.lists(st.sampled_from(list(structure.groups.values())), min_size=1, max_size=2)):
            units = st.sets(st.integers(0, group.units - 1), max_size=group.units - group.least)
            removed[group.name] = tuple(draw(units, label=group.name))
        plans.append(Plan("", removed))
    return plans


@settings(max_examples=40, deadline=None)
@given(st.data(), st.sampled_from(sorted(CASES)), st.sampled_from([0, 20_000, 60_000, PLENTY]))
def test_every_drag_gives_what_a_fresh_evaluation_gives(data: st.DataObject, name: str, memory: int):
    module, structure = CASES[name]
    live = Live(module, structure, DATA, device=CPU, memory=memory)
    for plan in data.draw(drags(structure)):
        found, by_mask = live.evaluate(plan), exact(structure, plan)
        assert found.quality.loss == pytest.approx(plainly(name, plan, mask if by_mask else cut), rel=1e-6)
        assert found.quality.loss == pytest.approx(plainly(name, plan, cut), rel=1e-3)
        assert (found.by, found.answers.shape) == ("mask" if by_mask else "cut", (SAMPLES,))
        assert live.resident_bytes <= memory
    refuses = name in ("listing", "counting", "overwriting", "branching", "scaled")
    assert refuses or not live.refused


@pytest.mark.parametrize("ref", ["demo:resnet20-digits", "demo:vgg-digits", "demo:vit-digits"])
def test_a_trained_network_answers_as_its_mask_and_its_cut_do(ref: str):
    model, task = load_pair(ref)
    structure = analyse(model.module, model.example())
    data = TensorDataset(*task.validation[:64])
    live = Live(model.module, structure, data, device=CPU)
    live.evaluate(Plan(""))
    generator, removed, names = np.random.default_rng(0), {}, list(structure.groups)
    for name in (names[0], names[-1], names[len(names) // 2], names[-1]):
        units = structure.groups[name].units
        removed[name] = tuple(generator.permutation(units)[: max(1, units // 5)].tolist())
        plan = Plan(ref, removed)
        found = live.evaluate(plan)
        masked = evaluate(mask(model.module, structure, plan), data, device=CPU, batch_size=8)
        done = evaluate(cut(model.module, structure, plan).module, data, device=CPU)
        assert found.quality == masked
        assert found.answers.tolist() == masked.predictions.tolist() == done.predictions.tolist()
        assert found.quality.loss == pytest.approx(done.loss, rel=1e-4)
    assert found.reused > 0.8


@pytest.mark.parametrize("name", sorted(CASES))
def test_a_mask_changes_nothing_before_the_first_change(name: str):
    module, structure = CASES[name]
    for group in structure.groups.values():
        twin = mask(module, structure, Plan("", {group.name: range(group.units - group.least)}))
        fresh = dict([*twin.named_parameters(), *twin.named_buffers()])
        touched = {
            key for key, tensor in [*module.named_parameters(), *module.named_buffers()] if fresh[key] is not tensor
        }
        touched |= {path for path, layer in twin.named_modules() if "forward" in vars(layer)}
        if name not in ("listing", "counting", "overwriting"):
            whole = {norm.module for other in structure.groups.values() for norm in other.norms}
            with torch.inference_mode():
                tape, _ = record(module, IMAGES[:2], whole=whole, tick=lambda fraction: None)
            assert first_change(tape, group) == min(tape.first[key] for key in touched if key in tape.first)


def test_what_lies_before_a_change_is_not_computed_again():
    module, structure = CASES["plain"]
    live = Live(module, structure, DATA, device=CPU, memory=PLENTY)
    assert live.evaluate(Plan("")).reused == 0
    removed, shares = {}, []
    for name in ("conv1", "conv2", "fc1"):
        removed[name] = (0,)
        shares.append(live.evaluate(Plan("", removed)).reused)
    # convolution, batch norm, rectifier, pooling; convolution, batch norm, rectifier; linear, sigmoid; linear
    work = [512 * 27 + 2 * 512 + 128, 192 * 72 + 2 * 192, 1920 + 10, 50]
    assert shares == pytest.approx([sum(work[:done]) / sum(work) for done in (1, 2, 3)])


def test_an_early_cut_stays_reused_while_a_later_line_is_dragged():
    module, structure = CASES["residual"]
    live = Live(module, structure, DATA, device=CPU, memory=PLENTY)
    early = {"stem": (1, 2)}
    live.evaluate(Plan("", early))
    again = [live.evaluate(Plan("", early | {"c": (unit,)})).reused for unit in range(3)]
    assert min(again) == max(again) > 0.5


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("listing", "reads values"),
        ("counting", "writes into its inputs or weights"),
        ("overwriting", "writes into its inputs or weights"),
        ("scaled", "values that its weights change"),
    ],
)
def test_networks_that_can_not_be_resumed_are_evaluated_plainly_and_it_is_said(name: str, reason: str):
    live = Live(*CASES[name], DATA, device=CPU)
    assert not live.refused
    for unit in range(3):
        plan = Plan("", {"a": (unit,)})
        assert live.evaluate(plan).quality.loss == pytest.approx(plainly(name, plan), rel=1e-6)
    assert live.evaluate(Plan("", {"c": (1,)})).reused == 0
    assert reason in live.refused
    assert live.resident_bytes == 0


def test_batches_that_go_their_own_ways_are_resumed_all_the_same():
    live = Live(*CASES["choosing"], DATA, device=CPU, memory=PLENTY)
    assert len({bool(images.mean() > 0) for images in IMAGES.split(live.batch_size)}) == 2
    live.evaluate(Plan(""))
    plans = [Plan("", {"c": (unit,)}) for unit in range(3)]
    found = [live.evaluate(plan) for plan in plans]
    assert [answer.quality.loss for answer in found] == [pytest.approx(plainly("choosing", plan)) for plan in plans]
    assert found[-1].reused > 0.8
    assert not live.refused


def test_outputs_that_are_no_tensor_are_the_models_own_error():
    module = nets.alive(Packed)
    live = Live(module, analyse(module, IMAGES[:1]), DATA, device=CPU)
    with pytest.raises(AttributeError):
        live.evaluate(Plan(""))
    assert "one new tensor" in live.refused


def test_a_network_that_draws_noise_is_noticed():
    class Noisy(Base):
        def between(self, x: Tensor) -> Tensor:
            return self.b(x) + torch.randn_like(x)

    module = nets.alive(Noisy)
    live = Live(module, analyse(module, IMAGES[:1]), DATA, device=CPU)
    live.evaluate(Plan(""))
    assert "something else each time" in live.refused


def test_where_a_mask_is_no_cut_it_cuts():
    module = nets.alive(nets.Normed)
    structure = analyse(module, IMAGES[:1])
    plan = Plan("", dict.fromkeys(structure.groups, (0,)))
    found = Live(module, structure, DATA, device=CPU).evaluate(plan)
    assert (found.by, found.reused) == ("cut", 0.0)
    done = evaluate(cut(module, structure, plan).module, DATA, device=CPU, batch_size=2)
    assert found.quality == done


def test_recent_answers_are_remembered():
    live = Live(*CASES["plain"], DATA, device=CPU)
    plans = [Plan("", {"conv1": range(count)}) for count in range(evaluator.RECENT)]
    found = [live.evaluate(plan) for plan in plans]
    again = [live.evaluate(plan) for plan in plans]
    assert [answer.quality for answer in again] == [answer.quality for answer in found]
    assert {answer.reused for answer in again} == {1.0}
    live.evaluate(Plan("", {"conv2": (1,)}))
    assert live.evaluate(plans[0]).reused < 1


@pytest.mark.parametrize("patience", [0, 1, 17, 30, 60])
def test_a_cancelled_evaluation_leaves_everything_usable(patience: int, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(evaluator, "PAUSE", -1.0)  # hears every operator
    heard = []

    def report(fraction: float, message: str, **metrics: float) -> None:
        heard.append((fraction, metrics.get("top1")))
        if len(heard) > patience:
            raise Cancelled

    live = Live(*CASES["residual"], DATA, device=CPU)
    live.evaluate(Plan("", {"stem": (1,)}))
    with pytest.raises(Cancelled):
        live.evaluate(Plan("", {"stem": (2, 3), "c": (1,)}), report)
    assert len(heard) == patience + 1
    for removed in ({"c": (1, 2)}, {"stem": (2, 3), "c": (1,)}, {}):
        assert live.evaluate(Plan("", removed)).quality.loss == pytest.approx(plainly("residual", Plan("", removed)))


def test_progress_rises_and_tells_the_accuracy_so_far(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(evaluator, "PAUSE", -1.0)
    heard: list[tuple[float, dict]] = []
    live = Live(*CASES["plain"], DATA, device=CPU)
    live.evaluate(Plan(""))
    found = live.evaluate(
        Plan("", {"conv1": (0,)}), lambda fraction, message, **metrics: heard.append((fraction, metrics))
    )
    fractions = [fraction for fraction, _ in heard]
    assert fractions == sorted(fractions)
    assert len(fractions) > 50
    assert heard[-1] == (1.0, {"top1": pytest.approx(found.quality.top1)})


def test_out_of_memory_frees_what_is_kept_and_gives_the_same(monkeypatch: pytest.MonkeyPatch):
    live = Live(*CASES["plain"], DATA, device=CPU)
    live.evaluate(Plan(""))
    with monkeypatch.context() as patch:

        def full(*args: object) -> None:
            raise torch.OutOfMemoryError("no room")

        patch.setattr(Resident, "outputs", full)
        plan = Plan("", {"conv1": (3,)})
        assert live.evaluate(plan).quality.loss == pytest.approx(plainly("plain", plan))
    assert live.resident_bytes == 0
    plan = Plan("", {"conv1": (4,)})
    assert live.evaluate(plan).quality.loss == pytest.approx(plainly("plain", plan))


def test_threads_take_turns():
    name = "dense"
    live = Live(*CASES[name], DATA, device=CPU)
    plans = [Plan("", {group: (unit,)}) for unit in range(2) for group in CASES[name][1].groups]
    losses = {}

    def work(mine: Sequence[Plan]) -> None:
        for plan in mine:
            losses[id(plan)] = live.evaluate(plan).quality.loss

    threads = [threading.Thread(target=work, args=(plans[start::3],)) for start in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [losses[id(plan)] for plan in plans] == [pytest.approx(plainly(name, plan)) for plan in plans]


def test_the_model_is_left_alone_and_the_data_is_read_once():
    class Read(Dataset):
        reads = 0

        def __len__(self) -> int:
            return len(DATA)

        def __getitem__(self, index: int) -> tuple[Tensor, int]:
            Read.reads += 1
            return DATA[index]

    module = nets.alive(nets.Plain).train()
    structure = CASES["plain"][1]
    before = {name: value.clone() for name, value in module.state_dict().items()}
    live = Live(module, structure, Read(), device=CPU)
    for unit in range(3):
        live.evaluate(Plan("", {"conv1": (unit,)}))
    assert Read.reads == SAMPLES
    assert all(layer.training for layer in module.modules())
    assert all(torch.equal(value, before[name]) for name, value in module.state_dict().items())
    assert not any(layer._forward_hooks or layer._forward_pre_hooks for layer in module.modules())
    live.forget()
    assert live.resident_bytes == 0
    assert live.evaluate(Plan("", {"fc1": (2,)})).reused == 0


def test_bad_plans_and_no_data_are_refused():
    module, structure = CASES["plain"]
    live = Live(module, structure, DATA, device=CPU)
    with pytest.raises(ExplorerError, match="unknown group"):
        live.evaluate(Plan("", {"conv9": (0,)}))
    assert live.evaluate(Plan("")).quality.samples == SAMPLES
    with pytest.raises(ExplorerError, match="no samples"):
        Live(module, structure, TensorDataset(IMAGES[:0], torch.arange(0)), device=CPU)
    assert Live(module, structure, TensorDataset(IMAGES[:3], torch.arange(3)), device=CPU).evaluate(Plan("")).quality


def test_segmentation():
    class Segmenter(Base):
        def forward(self, x: Tensor) -> Tensor:
            return self.c(F.relu(self.b(F.relu_(self.a(x)))))

    module = nets.alive(Segmenter)
    structure = analyse(module, IMAGES[:1])
    data = TensorDataset(IMAGES, torch.randint(0, 6, (SAMPLES, 16, 16)))
    live = Live(module, structure, data, kind="segmentation", device=CPU)
    live.evaluate(Plan(""))
    plan = Plan("", {"b": (0, 2)})
    found = live.evaluate(plan)
    expected = evaluate(mask(module, structure, plan), data, kind="segmentation", device=CPU, batch_size=2)
    assert (found.quality, found.answers) == (expected, None)
    assert found.reused > 0.5


def test_detection_is_evaluated_plainly():
    class Finder(nets.Plain):
        def detect(self, images: Tensor) -> list[dict[str, Tensor]]:
            box = torch.tensor([[2.0, 2.0, 8.0, 8.0]])
            scores = self(images).softmax(1)[:, :1]
            return [{"boxes": box, "labels": torch.tensor([1]), "scores": score} for score in scores]

    truth = {"boxes": torch.tensor([[2.0, 2.0, 8.0, 8.0]]), "labels": torch.tensor([1])}
    live = Live(nets.alive(Finder), CASES["plain"][1], [(IMAGES[0], truth)] * 3, kind="detection", device=CPU)
    found = live.evaluate(Plan("", {"conv1": (0,)}))
    assert (found.quality.value, found.answers, found.reused) == (1.0, None, 0.0)
    assert "boxes" in live.refused


def test_a_text_classifier(tmp_path):
    folder = text_folder(tmp_path / "bert", num_labels=3, **BERT)
    model, task = load_pair(f"hf:{folder}", "sentences?n=300")
    structure = analyse(model.module, model.example())
    live = Live(model.module, structure, task.validation, kind=task.kind, device=CPU)
    live.evaluate(Plan(""))
    removed = {}
    for name in reversed(structure.groups):
        removed[name] = (0,)
        plan = Plan("", removed)
        twin = mask(model.module, structure, plan)
        expected = evaluate(twin, task.validation, kind=task.kind, device=CPU, batch_size=live.batch_size)
        found = live.evaluate(plan)
        assert found.quality.loss == pytest.approx(expected.loss, rel=1e-6)
        assert found.quality.others == expected.others
    assert live.evaluate(Plan("", removed | {next(reversed(structure.groups)): (1,)})).reused > 0.5
    assert not live.refused


def test_who_pays():
    labels = np.array([0, 0, 1, 1, 1, 3])
    before = np.array([0, 1, 1, 1, 0, 3])  # 1/2, 2/3, –, 1
    after = np.array([0, 0, 1, 0, 2, 3])  # 1, 1/3, –, 1
    found = who_pays(before, after, labels, 4)
    assert found.change == pytest.approx([0.5, -1 / 3, np.nan, 0.0], nan_ok=True)
    assert found.worst == 1
    assert found.flipped.tolist() == [1, 3, 4]
    assert found.lost.tolist() == [3]
    assert found.losing == (1,)
    assert who_pays(before, before, labels, 4).worst is None
    assert who_pays(before, before, labels, 4).losing == ()


def test_ties_among_those_who_pay_are_told_to_the_whole_point():
    labels = np.repeat([0, 1, 2], 300)
    after = labels.copy()
    after[:100], after[300:401] = 2, 2  # a third of class 0, and a third and one sample of class 1
    assert who_pays(labels, after, labels, 3).losing == (1,)
    after[400] = 1
    assert who_pays(labels, after, labels, 3).losing == (0, 1)


@pytest.mark.parametrize(("threes", "expected"), [(81, 3), (80, None), (0, None)])
def test_a_favourite_is_answered_to_more_than_four_fifths(threes, expected):
    answers = np.array([3] * threes + list(range(4, 104 - threes)))
    assert favourite(answers) == expected
