"""Budgets: how much of every group goes, by hand or so that targets are met."""

import lazy_loader as lazy

__getattr__, __dir__, __all__ = lazy.attach_stub(__name__, __file__)
