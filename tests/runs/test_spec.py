"""Specs: strict JSON, and early answers to what can't work."""

import json
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from explorer.errors import ExplorerError
from explorer.methods.spec import Spec

SPEC = Spec(model="demo:resnet20-digits", data="digits", keep={"macs": 0.5})

names = st.text(st.characters(codec="ascii", categories=("L", "N")), min_size=1, max_size=12)
specs = st.builds(
    Spec,
    model=names,
    data=names,
    options=st.dictionaries(names, names, max_size=2),
    keep=st.none() | st.fixed_dictionaries({"macs": st.floats(0.01, 1)}),
    ratios=st.dictionaries(names, st.floats(0, 0.99), max_size=3),
    plan=st.none() | st.dictionaries(names, st.tuples(st.integers(0, 99)), max_size=3),
    epochs=st.none() | st.integers(1, 50),
    input_shape=st.none() | st.tuples(*[st.integers(1, 300)] * 3),
    minimum=st.integers(1, 9) | st.floats(0, 0.9),
    locked=st.tuples(names),
    rho=st.none() | st.floats(0.01, 0.1),
    max_drop=st.floats(0, 1),
)


@settings(deadline=None)  # the first example pays for imports
@given(specs)
def test_json_round_trip(spec):
    again = Spec.from_json(json.loads(json.dumps(spec.to_json())))
    assert again == spec
    assert again.digest() == spec.digest()


def test_digest_changes_with_any_field():
    assert replace(SPEC, seed=1).digest() != SPEC.digest()
    assert replace(SPEC, keep={"macs": 0.51}).digest() != SPEC.digest()


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"criterium": "l2"}, "did you mean criterion"),
        ({"samples": "many"}, "'samples'"),
        ({"samples": True}, "'samples'"),
        ({"keep": {"macs": [0.5]}}, "'keep'"),
        ({"keep": 0.5}, "'keep'"),
        ({"plan": {"conv1": [1.5]}}, "'plan'"),
        ({"locked": "conv1"}, "'locked'"),
        ({"model": None}, "'model'"),
    ],
)
def test_strict_json(change, words):
    with pytest.raises(ExplorerError, match=words):
        Spec.from_json({"model": "m", "data": "d", **change})


def test_json_needs_model_and_data():
    with pytest.raises(ExplorerError, match="'data'"):
        Spec.from_json({"model": "m"})
    with pytest.raises(ExplorerError, match="object"):
        Spec.from_json(["m", "d"])


SPARSE = {"method": "sparse", "criterion": "l1", "recover": "finetune", "keep": None, "sparsity": 0.9}


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"criterion": "tailor"}, "taylor"),
        ({"blocks": -1}, "blocks is -1: it must be at least 0"),
        ({"method": "idap", "block_order": "width"}, "unknown order of blocks 'width'"),
        ({"skip": ("layer1.1",)}, "part of a plan"),
        ({"method": "idap", "keep": None, "skip": ("layer1.1",), "plan": {}}, "no ratios or plan"),
        ({"method": "oneshot"}, "one-shot"),
        ({"recover": "fine-tune"}, "finetune"),
        ({"recover": "distil"}, "did you mean distill"),
        ({"method": "ifap", "keep": None, "ratios": {"conv1": 0.5}}, "finds the units itself"),
        ({"method": "ifap", "keep": {"macs": 2}}, "macs=2"),
        ({"steps": 0}, "steps is 0"),
        ({"alpha": -1.0}, "alpha is -1"),
        ({"alpha": float("nan")}, "alpha is nan"),
        ({"max_drop": -0.1}, "max_drop is -0.1"),
        ({"rho": 0.0}, "rho is 0"),
        ({"rho": 0.4}, "grown by 2.62"),
        ({"teacher": "last"}, "base, previous"),
        ({"allocate": "globl"}, "global"),
        ({"normalise": "men"}, "mean"),
        ({"device": "abacus"}, "device"),
        ({"samples": 0}, "samples is 0"),
        ({"epochs": -1}, "epochs is -1"),
        ({"seed": -1}, "seed"),
        ({"minimum": -1}, "minimum"),
        ({"keep": None}, "nothing to remove"),
        ({"keep": {"macs": 0}}, "macs=0"),
        ({"keep": {"latency": 5}}, "latency=5 can't be kept"),
        ({"keep": {"size": "2TB"}}, "unknown unit of size"),
        ({"method": "ifap", "keep": {"macs": 0.5, "params": 0.5}}, "one fraction of macs or params"),
        ({"method": "ifap", "keep": {"size": 0.5}}, "one fraction of macs or params"),
        ({"method": "ifap", "allocate": "knapsack"}, "can't go in steps"),
        ({"runtime": "onxx"}, "did you mean onnx"),
        ({"round_to": 0}, "round_to is 0"),
        ({"ratios": {"conv1": 0.5}}, "keep and ratios"),
        ({"keep": None, "ratios": {"conv1": 1.0}}, "conv1=1"),
        ({"criterion": "flow", "options": {"scal": "x"}}, "scal"),
        ({"data": "random", "recover": "finetune"}, "random"),
        ({"method": "spvr", "keep": {"macs": 0.5, "params": 0.5}}, "one target"),
        (SPARSE | {"sparsity": None}, "nothing to remove"),
        (SPARSE | {"recover": "scratch"}, "start=initial"),
        (SPARSE | {"settings": {"schedule": "rounds"}, "epochs": 3, "steps": 3}, "at least 4 epochs"),
        (SPARSE | {"settings": {"pattern": "2:4"}, "sparsity": None}, "comes at once"),
        (SPARSE | {"criterion": "flow", "settings": {}}, "scores channels"),
        (SPARSE | {"method": "dg2pf"}, "leave --criterion and --recover out"),
        ({"data": "random?classes=5", "recover": "bn"}, "random"),
    ],
)
def test_check_names_the_fault(change, words):
    with pytest.raises(ExplorerError, match=words) as caught:
        replace(SPEC, **change).check()
    assert "\n" not in str(caught.value)


def test_check_accepts_what_works():
    SPEC.check()
    replace(SPEC, keep=None, ratios={"conv1": 0.5}).check()
    replace(SPEC, keep=None).check(removes=False)
    replace(SPEC, **SPARSE).check()
    replace(SPEC, keep=None, method="ifap").check()
    replace(SPEC, method="ifap", rho=0.3, alpha=1.0, teacher="previous").check()
