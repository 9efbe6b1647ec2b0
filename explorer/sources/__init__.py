"""References in text → models, data, and the images that feed them."""

from explorer.sources.architectures import build
from explorer.sources.data import list_tasks, load_task
from explorer.sources.models import LoadedModel, ModelEntry, list_models, load_model, load_pair, ref_for, task_for
from explorer.sources.task import PARTS, Images, Task

__all__ = [
    "PARTS",
    "Images",
    "LoadedModel",
    "ModelEntry",
    "Task",
    "build",
    "list_models",
    "list_tasks",
    "load_model",
    "load_pair",
    "load_task",
    "ref_for",
    "task_for",
]
