"""Accuracy while a person drags: every plan is evaluated without computing again what the last one left as it was."""

from explorer.evaluation.live.evaluator import Answer, Live

__all__ = ["Answer", "Live"]
