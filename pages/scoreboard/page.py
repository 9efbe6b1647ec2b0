"""Scoreboard: methods and criteria by what they left of accuracy, ours against torch-pruning, and what is published."""

from explorer.places import ROOT
from explorer.ui.parts import frame, published
from explorer.ui.state import session
from pages.scoreboard import against, played

FILE = ROOT / "docs" / "scoreboard.jsonl"
RIVALS = ROOT / "docs" / "rivals.json"

workspace = session.current()
frame.heading("Scoreboard", "Methods and criteria over targets, recoveries and seeds, on the bundled tasks.", workspace)
played.show(FILE)
against.show(RIVALS)
published.show()
