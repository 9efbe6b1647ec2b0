"""Accuracy while a person drags: every plan is evaluated without computing again what the last one left as it was."""

import lazy_loader as lazy

__getattr__, __dir__, __all__ = lazy.attach_stub(__name__, __file__)
