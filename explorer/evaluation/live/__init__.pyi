from .evaluator import Answer as Answer
from .evaluator import Live as Live
