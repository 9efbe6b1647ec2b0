"""What kinds of tasks share: their record, metrics, losses, and how a model is judged."""
