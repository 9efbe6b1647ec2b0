"""Recovery: giving a cut network its accuracy back."""

from explorer.recovery.batchnorm import recalibrate
from explorer.recovery.distillation import Teacher
from explorer.recovery.finetuning import EPOCHS, finetune
from explorer.recovery.registry import RECOVERIES, Epoch, History, Recovery, recover, suitable

__all__ = [
    "EPOCHS",
    "RECOVERIES",
    "Epoch",
    "History",
    "Recovery",
    "Teacher",
    "finetune",
    "recalibrate",
    "recover",
    "suitable",
]
