"""Specs: strict JSON, and early answers to what can't work."""

import json
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from explorer.errors import ExplorerError
from explorer.methods.checking import check
from explorer.methods.spec import Spec

SPEC = Spec(model="demo:resnet20-digits", data="digits", keep={"macs": 0.5})

L2 = {"criterion": "l2"}  # the first default
KEYS = """
model data method criterion options allocate normalise keep ratios plan recover epochs samples seed device input_shape
minimum locked steps alpha rho max_drop teacher blocks block_order skip round_to runtime batch sparsity settings
"""


def changed(**change):
    """The spec with other values under the keys of its JSON."""
    return Spec.from_json(SPEC.to_json() | change)


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
    settings=st.fixed_dictionaries(
        {}, optional={"rho": st.floats(0.01, 0.1).map(str), "max_drop": st.floats(0, 1).map(str)}
    ),
)


@settings(deadline=None)  # the first example pays for imports
@given(specs)
def test_json_round_trip(spec):
    again = Spec.from_json(json.loads(json.dumps(spec.to_json())))
    assert again == spec
    assert again.digest() == spec.digest()


@pytest.mark.parametrize(
    ("asked", "digest"),
    [
        (L2 | {"keep": {"macs": 0.5}}, "5e6e5dfe53871113"),
        (
            {"criterion": "l2", "ratios": {"conv1": 0.25}, "alpha": 2, "max_drop": 0.5, "block_order": "loss"},
            "0962f06507012917",
        ),
        (
            {"criterion": "l2", "plan": {"conv1": [0, 3]}, "skip": ["layer1.1"], "input_shape": [1, 8, 8]},
            "984103bf2f1dfc07",
        ),
        ({"method": "ifap", "criterion": "flow", "recover": "distill", "keep": {"macs": 0.5}}, "0bcfbfabb4a1ba4a"),
        (
            {
                "method": "ifap",
                "criterion": "flow",
                "recover": "distill",
                "steps": 4,
                "alpha": 2.0,
                "rho": 0.05,
                "max_drop": 1,
                "teacher": "previous",
            },
            "c9c4227c5d0237f4",
        ),
        (
            {
                "method": "idap",
                "criterion": "divergence",
                "recover": "distill",
                "blocks": 2,
                "block_order": "loss",
                "max_drop": 0.0123,
            },
            "0dba8502d0ab4e74",
        ),
        (
            {
                "method": "spvr",
                "criterion": "masking",
                "recover": "scratch",
                "minimum": 0.0,
                "keep": {"params": 0.3},
                "options": {"size": "3", "coupling": "stages"},
            },
            "2c1f63a7b49b74f9",
        ),
        (
            {
                "method": "sparse",
                "criterion": "l1",
                "recover": "finetune",
                "sparsity": 0.9,
                "settings": {"schedule": "regrow", "scope": "layer"},
            },
            "381a8396df594c28",
        ),
        (
            {
                "method": "dg2pf",
                "criterion": "l1",
                "recover": "distill",
                "steps": 15,
                "sparsity": 0.95,
                "settings": {"alpha": "0.5", "tau": "2"},
            },
            "e0875077dac5289e",
        ),
        (
            {
                "method": "dg2pf",
                "criterion": "l1",
                "recover": "distill",
                "sparsity": 0.95,
                "alpha": 0.7,
                "settings": {"alpha": "0.5"},
            },
            "ecc45de574a583e1",
        ),
    ],
)
def test_runs_are_found_again_by_their_digest(asked, digest):
    spec = Spec.from_json({"model": SPEC.model, "data": SPEC.data, **asked})
    document = spec.to_json()
    assert spec.digest() == digest
    assert {key: document[key] for key in asked} == asked
    assert list(document) == KEYS.split()
    assert Spec.from_json(document) == spec
    assert not spec.differs(asked | {"model": SPEC.model, "data": SPEC.data})
    assert spec.differs(document | {"alpha": 0.25}) == ["alpha"]


def test_another_default_criterion_changes_no_digest_of_before():
    """Runs of when l2 was the default are found by what they say; runs of the default since then have digests anew."""
    before, now = replace(SPEC, criterion="l2"), Spec(SPEC.model, SPEC.data, keep=SPEC.keep)
    assert (before.digest(), now.criterion) == ("5e6e5dfe53871113", "group-norm")
    assert now.digest() not in (before.digest(), replace(SPEC, criterion="l1").digest())
    assert Spec.from_json(before.to_json()).criterion == "l2"


def test_a_setting_with_a_key_of_its_own_keeps_its_number():
    whole, broken = (Spec.from_json({"model": "m", "data": "d", "alpha": number}) for number in (2, 2.0))
    assert [str(spec.to_json()["alpha"]) for spec in (whole, broken)] == ["2", "2.0"]
    assert whole.digest() != broken.digest()
    assert SPEC.with_settings(growth="1.50", max_drop=0.02, blocks=None) == SPEC
    assert SPEC.with_settings(rho=0.25).with_settings(rho=None) == SPEC


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
        ({"skip": ("layer1.1",)}, "keep and skip both say what goes"),
        ({"skip": ("layer1.1",), "plan": {"conv1": (0,)}}, "keep and plan both say what goes"),
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
        check(changed(**change))
    assert "\n" not in str(caught.value)


def test_check_accepts_what_works():
    check(SPEC)
    check(replace(SPEC, keep=None, ratios={"conv1": 0.5}))
    for beside in ({}, {"ratios": {"conv1": 0.5}}, {"plan": {"conv1": (0,)}}):
        check(replace(SPEC, keep=None, skip=("layer1.1",), **beside))
    check(replace(SPEC, keep=None), removes=False)
    check(replace(SPEC, **SPARSE))
    check(replace(SPEC, keep=None, method="ifap"))
    check(changed(method="ifap", rho=0.3, alpha=1.0, teacher="previous"))
