"""The search for the best plan, against every plan that a small network has."""

import itertools
import json
from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import nn

from explorer.bench.frontier import write
from explorer.criteria import score
from explorer.errors import Cancelled, ExplorerError
from explorer.methods.spec import Spec
from explorer.methods.studies.best_plan import Tried, search, unbeaten
from explorer.methods.studies.repair import repair
from explorer.methods.studies.ways import PLAIN, WAYS
from explorer.methods.tools.repaired_curves import Repairing
from explorer.pruning import Plan
from explorer.runs.found_plans import check_plans, write_plans
from explorer.structure import Cost
from explorer.tasks import Quality, Task
from explorer.tasks.tools.task import PARTS
from tests.methods.toys import learnt, stand_in
from tests.recovery.test_finetuning import CPU

SPEC = Spec("toy", "stripes", criterion="l2", device="cpu", samples=64)


class ThreeLayers(nn.Module):
    def __init__(self):
        super().__init__()
        self.first, self.second = nn.Conv2d(1, 5, 3, padding=1), nn.Conv2d(5, 6, 3, padding=1)
        self.last = nn.Linear(6, 3)

    def forward(self, x):
        x = torch.relu(self.second(torch.relu(self.first(x))))
        return self.last(x.mean((2, 3)))


@pytest.fixture(scope="module")
def network():
    return learnt(ThreeLayers, 6, 0.05)


@pytest.fixture
def subject(monkeypatch, network):
    holder = stand_in(monkeypatch, network)
    toy = holder.subject.task
    parts = {name: getattr(toy, name) for name in PARTS}
    task = Task(toy.ref, "Stripes", ("a", "b", "c"), (1, 8, 8), (), (), **parts)
    holder.subject = replace(holder.subject, task=task)
    return holder.subject


def test_the_best_plan_is_near_the_best_of_all_plans_of_that_cost(subject):
    found = search(SPEC, [0.5], tries=8)
    (best,) = found.best
    structure, scores = subject.structure, score("l2", subject.module, subject.structure).groups
    order = {name: np.argsort(worth, kind="stable") for name, worth in scores.items()}
    whole, losses = structure.cost().macs, []
    for counts in itertools.product(*(range(group.units) for group in structure.groups.values())):
        plan = Plan("toy", {n: tuple(order[n][:k].tolist()) for n, k in zip(structure.groups, counts, strict=True)})
        if plan.cost(structure).macs <= best.cost.macs and plan.cost(structure).macs > 0.3 * whole:
            judged = repair(
                subject.module,
                structure,
                subject.task,
                plan,
                data=subject.task.validation,
                calibration=subject.task.calibration,
                device=CPU,
            )
            losses.append(judged.quality.loss)
    assert len(losses) > 4
    assert sum(loss < best.quality.loss - 1e-6 for loss in losses) <= len(losses) // 4


def test_every_target_is_met_by_its_plan_and_no_way_beats_the_best(subject):
    found = search(SPEC, [0.4, 0.7], ways=tuple(WAYS), tries=2)
    assert [best.target for best in found.best] == [0.7, 0.4]
    for best in found.best:
        step = max(
            subject.structure.saving(name).macs / group.units for name, group in subject.structure.groups.items()
        )
        assert best.kept == pytest.approx(best.target, abs=step / subject.structure.cost().macs)
        assert best.plan.cost(subject.structure) == best.cost
        assert best.quality.loss == min(t.quality.loss for t in found.tried if t.target == best.target)
    assert {tried.way for tried in found.tried} == set(WAYS)
    document = json.loads(json.dumps(found.to_json()))
    assert [document["tried"][place]["target"] for place in document["best"]] == [0.7, 0.4]
    again = search(SPEC, [0.4, 0.7], ways=tuple(WAYS), tries=2)
    assert [best.plan for best in again.best] == [best.plan for best in found.best]


def test_plans_of_several_criteria_compete_and_keep_at_most_the_target(subject):
    found = search(SPEC, [0.6, 0.4], tries=0, criteria=("group-norm", "taylor"))
    assert {each.criterion for each in found.tried if each.way in PLAIN} == {"l2", "group-norm", "taylor"}
    assert {each.criterion for each in found.tried if each.way not in PLAIN} == {"l2"}
    assert [(each.way, each.kept) for each in found.tried if each.kept > each.target] == []
    alone = search(SPEC, [0.6, 0.4], tries=0, criteria=())
    for best, before in zip(found.best, alone.best, strict=True):
        assert best.quality.loss <= before.quality.loss


def test_rows_cut_by_hand_keep_the_units_that_their_criterion_chose(subject):
    first, _ = subject.structure.groups
    found = search(SPEC, [0.5], tries=0, held={first: 2}, criteria=("group-norm",))
    assert {each.criterion for each in found.tried} == {"l2"}


@pytest.mark.parametrize(("after", "recovery"), [("none", "none"), ("bn", "bn"), ("repair", "reconstruct")])
def test_plans_are_judged_after_what_was_asked_for(subject, after, recovery):
    found = search(SPEC, [0.5], after=after, ways=("uniform",), criteria=())
    assert (found.after, found.best[0].recovery) == (after, recovery)


def test_ways_that_go_by_a_repair_are_refused_where_nothing_is_repaired(subject):
    with pytest.raises(ExplorerError, match="judge plans after the repair"):
        search(SPEC, [0.5], after="none", ways=("measured",))


def test_groups_that_are_held_stay_where_they_are(subject):
    first, second = subject.structure.groups
    found = search(SPEC, [0.5], tries=1, held={first: 2})
    assert {len(tried.plan.remove[first]) for tried in found.tried} == {2}
    found = search(replace(SPEC, locked=(second,)), [0.5], tries=1)
    assert all(second not in tried.plan.remove for tried in found.tried)


def test_what_a_single_group_predicts_is_measured_where_it_alone_is_cut_and_drawn_beside(subject, tmp_path):
    _, second = subject.structure.groups
    found = search(replace(SPEC, locked=(second,)), [0.8, 0.25], tries=0)
    for best in found.best:
        assert best.predicted == pytest.approx(best.quality.loss, rel=0.15, abs=0.02)
    assert found.best[-1].predicted > found.whole.quality.loss
    write(found, tmp_path / "both.svg")
    assert "predicted by single groups" in (tmp_path / "both.svg").read_text()
    unmeasured = search(SPEC, [0.6], ways=("uniform",))
    assert unmeasured.best[0].predicted is None
    write(unmeasured, tmp_path / "one.svg")
    assert "predicted" not in (tmp_path / "one.svg").read_text()


def test_a_curve_is_the_loss_of_a_network_whose_reader_was_solved_by_hand(subject):
    module, task, (name, *_) = subject.module, subject.task, reversed(subject.structure.groups)
    scores = score("l2", module, subject.structure)
    repairing = Repairing.of(subject, scores, task.calibration)
    curves = repairing.measured(task.validation, (0.5,))
    leaves = np.argsort(scores.groups[name], kind="stable")[:3]
    stays = np.setdiff1d(np.arange(6), leaves)

    def hidden(data):
        inputs = torch.stack([data[place][0] for place in range(len(data))])
        return torch.relu(module.second(torch.relu(module.first(inputs)))).mean((2, 3))

    with torch.no_grad():
        seen = hidden(task.calibration)
        rows = torch.cat([seen[:, stays], torch.ones(len(seen), 1)], 1)
        mix = torch.linalg.lstsq(rows, seen[:, leaves]).solution
        read = hidden(task.validation)
        read[:, leaves] = torch.cat([read[:, stays], torch.ones(len(read), 1)], 1) @ mix
        labels = torch.tensor([int(task.validation[place][1]) for place in range(len(task.validation))])
        whole, loss = (
            nn.functional.cross_entropy(module.last(each), labels) for each in (hidden(task.validation), read)
        )
    ((count, value),) = curves.points[name]
    assert count == 3
    assert -value == pytest.approx(float(loss - whole), rel=0.1, abs=0.01)


def test_scores_of_curves_keep_the_order_of_the_criterion(subject):
    scores = score("l2", subject.module, subject.structure)
    repairing = Repairing.of(subject, scores, subject.task.calibration)
    for curves in (repairing.closed_form(), repairing.measured(subject.task.validation)):
        for name, worth in repairing.scores(curves).groups.items():
            expected = np.argsort(scores.groups[name], kind="stable")
            assert np.argsort(worth, kind="stable").tolist() == expected.tolist()


def tried(kept, value):
    return Tried(
        "", "", kept, Plan(""), Cost(1, 1), kept, None, "none", Quality("top1", value, None, None, 9, 1 - value)
    )


def test_the_frontier_gets_better_with_the_cost():
    points = [tried(0.2, 0.7), tried(0.3, 0.6), tried(0.5, 0.9), tried(0.5, 0.8), tried(0.7, 0.9), tried(1.0, 0.95)]
    found = unbeaten(points, "top1")
    assert [(point.kept, point.quality.value) for point in found] == [(0.2, 0.7), (0.5, 0.9), (1.0, 0.95)]


def test_a_cancelled_search_ends_wherever_it_is(subject):
    messages = []
    search(SPEC, [0.5], tries=1, report=lambda fraction, message, **_: messages.append(fraction))
    assert messages == sorted(messages)
    for stop in np.linspace(1, len(messages), 4).astype(int).tolist():
        left = stop

        def report(fraction, message, **metrics):
            nonlocal left
            left -= 1
            if left == 0:
                raise Cancelled

        before = {name: tensor.clone() for name, tensor in subject.module.state_dict().items()}
        with pytest.raises(Cancelled):
            search(SPEC, [0.5], tries=1, report=report)
        assert all(torch.equal(tensor, before[name]) for name, tensor in subject.module.state_dict().items())
        assert not any(part._forward_pre_hooks for part in subject.module.modules())


@pytest.mark.parametrize(
    ("asked", "said"),
    [
        ({"targets": [1.0]}, "above 0 and below 1"),
        ({"targets": []}, "at least one target"),
        ({"targets": [0.5], "cost": "time"}, "unknown cost"),
        ({"targets": [0.5], "ways": ["best"]}, "unknown way"),
        ({"targets": [0.5], "tries": -1}, "from 0 to"),
        ({"targets": [0.5], "held": {"none": 1}}, "unknown group"),
    ],
)
def test_what_can_not_be_searched_is_refused(subject, asked, said):
    with pytest.raises(ExplorerError, match=said):
        search(SPEC, **asked)


def test_plans_are_written_so_that_they_open_and_nothing_else_is_replaced(subject, tmp_path):
    found = search(SPEC, [0.5], ways=("uniform",))
    folder = tmp_path / "found"
    files = write_plans(found, folder)
    assert [path.name for path in files] == ["search.json", "plan-macs-0.5.json"]
    assert Plan.from_json(files[1].read_text()) == found.best[0].plan
    other = search(SPEC, [0.7], ways=("uniform",))
    write_plans(other, folder)
    assert sorted(path.name for path in folder.glob("plan-*")) == ["plan-macs-0.7.json"]
    foreign = tmp_path / "mine"
    foreign.mkdir()
    (foreign / "note.txt").write_text("mine")
    with pytest.raises(ExplorerError, match="not of a search"):
        check_plans(foreign)


def test_data_that_means_nothing_is_refused(subject, monkeypatch):
    from explorer.methods.tools import steps

    changed = replace(subject, task=replace(subject.task, measured=False))
    monkeypatch.setattr(steps, "open_subject", lambda spec, report: changed)
    with pytest.raises(ExplorerError, match="means nothing"):
        search(SPEC, [0.5])
