"""Class: joined by a code, opened by a teacher, and looked at from the back of the room."""

import streamlit as st

from explorer.learning.classes.register import UNREADABLE
from explorer.ui.parts import classroom, frame, say
from explorer.ui.state import classes, session
from pages.classroom import entrance, seat, teaching

PURPOSE = "Learn together: everybody with a board of her own, one picture of all of them."
workspace = session.current()
classroom.keep_keys()
try:
    taught = classes.taught(classroom.register())
except UNREADABLE as error:
    frame.heading("Class", PURPOSE, workspace)
    say.error(f"The classes of this server can't be read ({error}): tell whoever runs it.", icon=":material/block:")
    st.stop()
if taught and not classes.aside():
    teaching.show(workspace, taught)
    st.stop()
frame.heading("Class", PURPOSE, workspace)
if taught:
    st.button("Back to my class", icon=":material/arrow_back:", on_click=classes.put_aside, kwargs={"aside": False})
member = classes.membership(classroom.register(), workspace.token)
if member is not None:
    seat.show(workspace, *member)
else:
    entrance.show(workspace)
