"""Recover: cut for real, give accuracy back, and say what came of it."""

from explorer.ui.parts import frame
from explorer.ui.state import session
from pages.recover import branch, form, going, outcome

workspace = session.current()
stages = frame.step("recover", "Removes channels for good, gives accuracy back, and measures both.", workspace)
opened = frame.model_or_stop(workspace, stages)
task = frame.task_or_word(workspace, opened)
branch.take_over(workspace, task)
going.show(workspace)
outcome.show(workspace)
form.show(workspace, task, opened.structure)
stages.measure(task)
