"""The latency table with a clock that is known: time is a function of the network's own widths."""

from functools import partial
from math import prod
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from torch import nn

from explorer.budget import LatencyModel, LatencyTable, Target, allocate
from explorer.budget.latency_table import fitted
from explorer.budget.limits import Meter
from explorer.criteria import score
from explorer.errors import Cancelled, ExplorerError
from explorer.methods.studies import latency_profile as latency
from explorer.methods.tools.runtimes import onnx_runtime, torch_runtime
from explorer.methods.tools.stopwatch import Stopwatch
from explorer.methods.tools.timed_plans import widths
from explorer.structure import analyse


def network():
    torch.manual_seed(0)
    return nn.Sequential(
        nn.Conv2d(3, 16, 3, padding=1),
        nn.ReLU(),
        nn.Conv2d(16, 24, 3, padding=1),
        nn.ReLU(),
        nn.Conv2d(24, 32, 3, padding=1),
        nn.AdaptiveAvgPool2d(1),
        nn.Flatten(),
        nn.Linear(32, 5),
    ).eval()


def channels(module):
    return [layer.out_channels for layer in module if isinstance(layer, nn.Conv2d)]


def additive(module):
    return 1e-3 * (2 + sum(c * n for c, n in zip((0.1, 0.05, 0.02), channels(module), strict=True)))


def multiplied(module):
    return 1e-3 * (1 + sum(0.002 * prod(layer.weight.shape[:2]) for layer in module if isinstance(layer, nn.Conv2d)))


def stairs(module):
    return 1e-3 * (2 + sum(0.1 * 8 * -(-n // 8) + (0.5 if n % 8 else 0.0) for n in channels(module)))


class Clock:
    """A runtime that tells the time of a formula, with noise that only adds, and counts."""

    def __init__(self, formula, noise=0.0):
        self.formula, self.calls, self._noise, self._draw = formula, 0, noise, np.random.default_rng(0)

    def __call__(self, module):
        seconds = self.formula(module)

        def once():
            self.calls += 1
            return seconds * (1 + self._noise * self._draw.exponential())

        return once


@pytest.fixture
def watch(monkeypatch, tmp_path):
    monkeypatch.setenv("EXPLORER_CACHE", str(tmp_path))
    module = network()
    structure = analyse(module, torch.zeros(1, 3, 8, 8))

    def make(formula, **given):
        return Stopwatch(module, structure, torch.zeros(2, 3, 8, 8), make=Clock(formula, **given))

    make.module, make.structure = module, structure
    return make


def test_times_that_add_up_are_predicted_exactly(watch):
    table = watch(additive).table(seconds=0.0)
    model = LatencyModel(table, watch.structure)
    assert table.base_ms == pytest.approx(1e3 * additive(watch.module))
    assert (table.scale, table.overlap) == (pytest.approx(1), pytest.approx(0, abs=1e-9))
    assert model({"0": 4, "2": 11, "4": 30}) == pytest.approx(2 + 0.1 * 4 + 0.05 * 11 + 0.02 * 30)
    assert table.error == pytest.approx(0, abs=1e-9)


def test_what_two_groups_save_in_one_layer_is_not_counted_twice(watch):
    table = watch(multiplied).table(seconds=0.0)
    plain = np.median([abs(check.additive / check.measured - 1) for check in table.checks])
    assert table.overlap > 0
    assert table.error < plain / 2
    assert table.error < 0.1


def test_noise_that_only_adds_is_seen_through(watch):
    table = watch(additive, noise=0.3).table(seconds=0.05)
    assert table.error < 0.05
    for rows in table.groups.values():
        assert all(row.low <= row.ms <= row.high for row in rows)


def test_stairs_are_found_and_marked(watch):
    table = watch(stairs).table(seconds=0.0)
    picture = table.staircase(watch.structure)["4"]
    points = {point["width"]: point["ms"] for point in picture["points"]}
    assert points[31] - points[32] == pytest.approx(0.5)
    assert points[24] - points[32] == pytest.approx(-0.8)
    found = {(cliff["width"], cliff["to"]): cliff["why"] for cliff in picture["cliffs"]}
    assert found[32, 31] == "slower"
    assert found[31, 24] == "jump"
    model = LatencyModel(table, watch.structure)
    assert model.delta("4", 16) == pytest.approx(-1.6)  # not on the line from 15 to 17
    assert model.delta("4", 20) > model.delta("4", 24)


def test_an_interrupted_table_goes_on_where_it_stopped(watch):
    first = watch(additive)

    def stop(fraction, message, **metrics):
        if message == "timing 4":
            raise Cancelled

    with pytest.raises(Cancelled):
        first.table(stop, seconds=0.0)
    again = watch(additive)
    table = again.table(seconds=0.0)
    whole = watch(additive)
    assert 0 < again._make.calls < first._make.calls + again._make.calls
    assert whole.table(seconds=0.0) == table
    assert whole._make.calls == 0
    anew = Stopwatch(watch.module, watch.structure, torch.zeros(2, 3, 8, 8), make=Clock(additive), anew=True)
    anew.table(seconds=0.0)
    assert anew._make.calls > again._make.calls


def test_what_was_timed_is_told_again_without_timing(watch):
    loaded = SimpleNamespace(ref="net", module=watch.module, example=lambda: torch.zeros(1, 3, 8, 8))
    tell = partial(latency.cached_latency, loaded, watch.structure, device="cpu")
    assert tell(batch=2) is None
    table, kept = watch(stairs).table(seconds=0.0), {"0": 4, "2": 11, "4": 30}
    found = tell(batch=2).to_json()
    assert (found["groups"], found["error"]) == (table.staircase(watch.structure), table.error)
    models = (LatencyModel(each, watch.structure) for each in (LatencyTable.of(found), table))
    assert next(models)(kept) == pytest.approx(next(models)(kept))
    assert tell(batch=1) is None
    assert tell(batch=2, runtime="onnx") is None


def test_a_latency_target_is_met_on_the_measured_stairs(watch):
    watcher = watch(stairs)
    meter = Meter(watch.structure, latency=LatencyModel(watcher.table(seconds=0.0), watch.structure))
    scores = score("l1", watch.module, watch.structure)
    found = allocate("knapsack", watch.structure, scores, Target("latency", 0.6), meter=meter)
    kept = {name: units - len(found.remove.get(name, ())) for name, units in watch.structure.full.items()}
    assert watcher.ratio(kept) <= 0.6 * 1.05
    assert sum(count % 8 == 0 for count in kept.values()) >= 2


def test_widths_are_multiples_of_eight_and_others(watch):
    assert widths(watch.structure, "4") == [4, 7, 8, 15, 16, 23, 24, 31]
    assert widths(watch.structure, "4", minimum=16) == [16, 23, 24, 31]


def test_both_runtimes_time_the_network_itself(watch):
    inputs = torch.zeros(2, 3, 8, 8)
    for runtime in (torch_runtime(inputs, torch.device("cpu")), onnx_runtime(inputs)):
        assert runtime(watch.module)() > 0


def test_few_noisy_plans_do_not_run_away_with_the_fit():
    draw = np.random.default_rng(0)
    changes, twice = -draw.uniform(0, 1, 8), draw.uniform(0, 0.05, 8)
    scale, overlap = fitted(changes, twice, changes + draw.normal(0, 2, 8), base=4.0)
    assert 0.5 <= scale <= 2
    assert 0 <= overlap <= 4
    assert fitted(np.empty(0), np.empty(0), np.empty(0), 1.0) == (1.0, 0.0)


def test_bad_input():
    module = network()
    structure = analyse(module, torch.zeros(1, 3, 8, 8))
    with pytest.raises(ExplorerError, match="unknown runtime 'onxx': did you mean onnx"):
        Stopwatch(module, structure, torch.zeros(1, 3, 8, 8), runtime="onxx")
    with pytest.raises(ExplorerError, match="batch is 0"):
        latency.latency_of("demo:resnet20-digits", batch=0)
