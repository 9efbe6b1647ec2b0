"""Pruning methods: published algorithms as compositions of the verbs score, allocate, cut, recover, measure."""

from explorer.methods.one_shot import one_shot
from explorer.methods.outcome import Outcome
from explorer.methods.registry import METHODS, Method, method
from explorer.methods.sensitivity import sensitivity
from explorer.methods.stages import Memo, Record, forgetful

__all__ = ["METHODS", "Memo", "Method", "Outcome", "Record", "forgetful", "method", "one_shot", "sensitivity"]
