"""What the registries read from the source is what importing gives, and reading takes no torch."""

import subprocess
import sys

REGISTRIES = (
    "explorer.criteria:CRITERIA",
    "explorer.budget:NORMALISERS",
    "explorer.budget:ALLOCATORS",
    "explorer.recovery:RECOVERIES",
)
SCRIPT = """
import sys
from dataclasses import fields
from importlib import import_module

registries = [getattr(import_module(module), name) for module, name in (text.split(":") for text in sys.argv[1:])]
declared = [registry.declared() for registry in registries]
assert "torch" not in sys.modules
for registry, records in zip(registries, declared, strict=True):
    assert list(records) == list(registry), registry.what
    for name, record in registry.items():
        for fact in fields(record):
            known, read = getattr(record, fact.name), getattr(records[name], fact.name)
            assert known == read or callable(known), (name, fact.name, read)
"""


def test_what_is_declared_is_what_is_imported():
    done = subprocess.run([sys.executable, "-c", SCRIPT, *REGISTRIES], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
