"""Take: any finished run's network as files, with the proof that they compute the same."""

import streamlit as st

from explorer.ui.parts import frame
from explorer.ui.state import session
from pages.take import choosing, empty, files, proof

workspace = session.current()
frame.step("Take", "The smaller network as files that others can use.", workspace)
run = choosing.choose(workspace)
if run is None:
    empty.show(workspace)
    st.stop()
files.show(workspace, run)
proof.show(run)
