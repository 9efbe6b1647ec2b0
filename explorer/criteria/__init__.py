"""Criteria: what a unit of a group is worth.

A criterion is one function in one file of this package, entered into `CRITERIA` by a decorator; every module here
is imported with the package, so that a new file is enough.
"""

import importlib
import pkgutil

from explorer.criteria.tools.context import Context
from explorer.criteria.tools.estimating import estimate
from explorer.criteria.tools.registry import CRITERIA, Criterion, Option, criterion
from explorer.criteria.tools.scoring import Scores, score

for _module in pkgutil.iter_modules(__path__):
    importlib.import_module(f"{__name__}.{_module.name}")

__all__ = ["CRITERIA", "Context", "Criterion", "Option", "Scores", "criterion", "estimate", "score"]
