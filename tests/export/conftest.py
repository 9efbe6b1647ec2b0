"""A bundled network, cut, and its bundle; made once for all tests of the package."""

from types import SimpleNamespace

import pytest
import torch

from explorer.export import write_bundle
from explorer.pruning import Plan, cut
from explorer.sources import load_model, load_task
from explorer.structure import analyse

REF = "demo:resnet20-digits"


@pytest.fixture(scope="session")
def subject():
    """`module` is REF without a third of every group and a block; `bundle` holds the arguments that describe it."""
    loaded, task = load_model(REF), load_task("digits")
    structure = analyse(loaded.module, loaded.example())
    remove = {name: tuple(range(group.units // 3)) for name, group in structure.groups.items()}
    plan = Plan(REF, remove, ("layer2.1",))
    smaller = cut(loaded.module, structure, plan)
    return SimpleNamespace(
        module=smaller.module,
        images=torch.stack([task.test[index][0] for index in range(40)]),
        bundle={
            "architecture": loaded.architecture,
            "attributes": smaller.attributes,
            "plan": plan.to_json(),
            "result": {"base": {}, "pruned": {}, "spec": {"seed": 0}, "seconds": float("nan")},
            "data": task.test,
            "input_shape": loaded.input_shape,
            "classes": task.classes,
            "title": "ResNet-20, cut",
            "model": REF,
            "data_ref": "digits",
            "normalisation": (task.mean, task.std),
        },
    )


@pytest.fixture(scope="session")
def bundle(subject, tmp_path_factory):
    """The folder and the report of a bundle. Not to be changed."""
    folder = tmp_path_factory.mktemp("runs") / "deep" / "bundle"
    report = write_bundle(folder, subject.module, **subject.bundle)
    return SimpleNamespace(folder=folder, report=report)
