"""Pruning methods: published algorithms as compositions of the verbs score, allocate, cut, recover, measure."""

import lazy_loader as lazy

__getattr__, __dir__, __all__ = lazy.attach_stub(__name__, __file__)
