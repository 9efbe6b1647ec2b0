"""Scoreboard: methods and criteria by what they left of accuracy, and, apart from that, what others have published."""

from explorer.places import ROOT
from explorer.ui.parts import frame
from explorer.ui.state import session
from pages.scoreboard import played, published

FILE = ROOT / "docs" / "scoreboard.jsonl"

workspace = session.current()
frame.heading("Scoreboard", "Methods and criteria over targets, recoveries and seeds, on the bundled tasks.", workspace)
played.show(FILE)
published.show()
