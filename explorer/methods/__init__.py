"""Pruning methods: published algorithms as compositions of the verbs score, allocate, cut, recover, measure."""

from explorer.methods.dg2pf import dg2pf
from explorer.methods.idap import idap
from explorer.methods.ifap import ifap
from explorer.methods.one_shot import one_shot
from explorer.methods.outcome import Outcome
from explorer.methods.registry import METHODS, Method, method
from explorer.methods.sparse import sparse
from explorer.methods.spvr import spvr
from explorer.methods.stages import Memo, Record, forgetful
from explorer.methods.studies.ladder import HEIGHTS, RUNGS, Rung, ladder, rung
from explorer.methods.studies.sensitivity import sensitivity

__all__ = [
    "HEIGHTS",
    "METHODS",
    "RUNGS",
    "Memo",
    "Method",
    "Outcome",
    "Record",
    "Rung",
    "dg2pf",
    "forgetful",
    "idap",
    "ifap",
    "ladder",
    "method",
    "one_shot",
    "rung",
    "sensitivity",
    "sparse",
    "spvr",
]
