"""Measurement: everything that is reported of a model, its time and bytes, and its quality while a hand drags."""

import lazy_loader as lazy

__getattr__, __dir__, __all__ = lazy.attach_stub(__name__, __file__)
