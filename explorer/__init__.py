"""Structured pruning that can be seen: groups, scores, budgets, cuts, recovery, measurement, export."""

import sys

try:
    import lazy_loader as lazy
except ModuleNotFoundError as error:  # the first package that a bare Python lacks
    if sys.argv[:1] != ["-m"]:
        raise
    from explorer.errors import missing_package

    sys.exit(f"error: {missing_package(error)}")

__getattr__, __dir__, __all__ = lazy.attach_stub(__name__, __file__)
