"""A bundled network, cut, and its bundle; made once for all tests of the package."""

from types import SimpleNamespace

import pytest
import torch

from explorer.export import Exportable, write_bundle
from explorer.pruning import Plan, cut
from explorer.sources import load_model, load_task
from explorer.structure import analyse

REF = "demo:resnet20-digits"


@pytest.fixture(scope="session")
def subject():
    """`module` is REF without a third of every group and a block; `exported` describes it, `result` its run."""
    loaded, task = load_model(REF), load_task("digits")
    structure = analyse(loaded.module, loaded.example())
    remove = {name: tuple(range(group.units // 3)) for name, group in structure.groups.items()}
    plan = Plan(REF, remove, ("layer2.1",))
    smaller = cut(loaded.module, structure, plan)
    return SimpleNamespace(
        module=smaller.module,
        images=torch.stack([task.test[index][0] for index in range(40)]),
        exported=Exportable(smaller.module, loaded, task, "ResNet-20, cut", plan, attributes=smaller.attributes),
        result={"base": {}, "pruned": {}, "spec": {"seed": 0}, "seconds": float("nan")},
    )


@pytest.fixture(scope="session")
def bundle(subject, tmp_path_factory):
    """The folder and the report of a bundle. Not to be changed."""
    folder = tmp_path_factory.mktemp("runs") / "deep" / "bundle"
    return SimpleNamespace(folder=folder, report=write_bundle(folder, subject.exported, subject.result))
