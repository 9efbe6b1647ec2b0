"""Methods are declared where a command line can read them, with settings that a spec can hold."""

import json
import subprocess
import sys

import pytest

from explorer.criteria.divergence import BLOCK_ORDERS
from explorer.errors import ExplorerError
from explorer.methods import METHODS, Method, Spec
from explorer.methods.idap import SETTINGS as IDAP
from explorer.methods.ifap import SETTINGS as IFAP
from explorer.methods.sparse import SETTINGS as SPARSE
from explorer.methods.tools.pace import TEACHERS, Pace
from explorer.methods.tools.sparse_schedule import SCHEDULES
from explorer.pruning.unstructured import SCOPES
from explorer.registry import Choice, Number

ASKED = """
import json, sys
from explorer.methods import METHODS
told = {name: sorted(method.settings) for name, method in METHODS.declared().items()}
print(json.dumps([told, "torch" in sys.modules]))
"""


def test_methods_are_declared_without_torch():
    found = subprocess.run([sys.executable, "-c", ASKED], capture_output=True, text=True, check=True)
    told, torch = json.loads(found.stdout)
    assert not torch
    assert list(told) == ["dg2pf", "one-shot", "sparse", "spvr", "idap", "ifap", "train"]
    assert told == {name: sorted(method.settings) for name, method in METHODS.items()}


def test_settings_name_what_there_is():
    assert SPARSE["schedule"].allowed == tuple(SCHEDULES)
    assert SPARSE["scope"].allowed == METHODS["dg2pf"].settings["scope"].allowed == SCOPES
    assert IFAP["teacher"].allowed == TEACHERS
    assert IDAP["block_order"].allowed == BLOCK_ORDERS
    assert {name: IDAP[name] for name in IFAP} == IFAP
    assert Pace.of(METHODS["ifap"].told(Spec("m", "d", method="ifap"))) == Pace()


def test_what_every_spec_may_hold_is_left_to_the_methods_that_declare_it():
    asked = Spec("m", "d", method="sparse", settings={"rho": "0.1", "scope": "layer"})
    assert METHODS["sparse"].told(asked)["scope"] == "layer"
    with pytest.raises(ExplorerError, match="did you mean scope"):
        METHODS["sparse"].told(Spec("m", "d", settings={"scop": "layer"}))


@pytest.mark.parametrize("setting", [Number(0.1, 0, 1, "ρ"), Choice("previous", TEACHERS, "whom")])
def test_a_default_that_a_spec_would_not_keep_is_refused(setting):
    name = "rho" if isinstance(setting, Number) else "teacher"
    with pytest.raises(ValueError, match="rename"):
        Method(name="toy", title="Toy", explanation="A toy.", function=print, settings={name: setting})
