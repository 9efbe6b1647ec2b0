"""Lessons: cards to predict, do, see and understand, played on the real workspace."""
