"""Tasks: a file for each kind, which alone knows what is special about it, and what all kinds share."""

import lazy_loader as lazy

__getattr__, __dir__, __all__ = lazy.attach_stub(__name__, __file__)
