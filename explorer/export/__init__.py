"""Export: a pruned model as files that outlive this program, each checked before it is kept."""

import lazy_loader as lazy

__getattr__, __dir__, __all__ = lazy.attach_stub(__name__, __file__)
