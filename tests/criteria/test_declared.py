"""Criteria as they are read without importing any: what lists and help are made from."""

import subprocess
import sys
from dataclasses import fields

from explorer.criteria import CRITERIA
from explorer.criteria.tools.registry import Criterion
from explorer.registry import Registry

WITHOUT_TORCH = """
import sys
from explorer.criteria import CRITERIA
print(*CRITERIA.declared())
sys.exit("torch" in sys.modules)
"""


def test_all_criteria_are_known_without_torch():
    done = subprocess.run([sys.executable, "-c", WITHOUT_TORCH], capture_output=True, text=True, check=True)
    assert done.stdout.split() == list(CRITERIA)


def test_what_is_declared_is_what_is_imported():
    unread = Registry("criterion", Criterion, decorator="criterion", package="explorer.criteria")
    for name, record in unread.declared().items():
        for fact in fields(Criterion):
            if fact.name != "function":
                assert getattr(record, fact.name) == getattr(CRITERIA[name], fact.name), (name, fact.name)
