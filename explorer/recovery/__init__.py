"""Recovery: giving a cut network its accuracy back."""

from explorer.recovery.batchnorm import recalibrate
from explorer.recovery.before import Origin
from explorer.recovery.distillation import Teacher
from explorer.recovery.finetuning import EPOCHS, finetune
from explorer.recovery.matching import match_variances
from explorer.recovery.merging import merge
from explorer.recovery.reconstruction import reconstruct
from explorer.recovery.registry import RECOVERIES, Epoch, History, Recovery, recover, suitable
from explorer.recovery.restoration import restore
from explorer.recovery.scratch import initialise

__all__ = [
    "EPOCHS",
    "RECOVERIES",
    "Epoch",
    "History",
    "Origin",
    "Recovery",
    "Teacher",
    "finetune",
    "initialise",
    "match_variances",
    "merge",
    "recalibrate",
    "reconstruct",
    "recover",
    "restore",
    "suitable",
]
