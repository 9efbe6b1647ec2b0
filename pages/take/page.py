"""Take: any finished run's network as files, with the proof that they compute the same."""

from explorer.ui.parts import frame
from explorer.ui.state import session
from pages.take import choosing, empty, files, proof

workspace = session.current()
stages = frame.step("take", "The smaller network as files that others can use.", workspace)
run = choosing.choose(workspace)
if run is None:
    empty.show(workspace)
else:
    files.show(workspace, run)
    proof.show(run)
stages.open()
