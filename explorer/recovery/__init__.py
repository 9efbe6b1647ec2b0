"""Recovery: giving a cut network its accuracy back."""

from explorer.recovery.batchnorm import recalibrate
from explorer.recovery.distillation import Teacher
from explorer.recovery.finetuning import EPOCHS, finetune
from explorer.recovery.registry import RECOVERIES, Epoch, History, Recovery, recover, suitable
from explorer.recovery.scratch import initialise

__all__ = [
    "EPOCHS",
    "RECOVERIES",
    "Epoch",
    "History",
    "Recovery",
    "Teacher",
    "finetune",
    "initialise",
    "recalibrate",
    "recover",
    "suitable",
]
