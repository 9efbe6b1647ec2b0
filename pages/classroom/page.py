"""Class: joined by a code, opened by a teacher, and looked at from the back of the room."""

import streamlit as st

from explorer.ui.parts import classroom, frame
from explorer.ui.state import classes, session
from pages.classroom import entrance, seat, teaching

workspace = session.current()
taught = classes.taught(classroom.register())
if taught and not classes.aside():
    teaching.show(workspace, taught)
    st.stop()
frame.heading("Class", "Learn together: everybody with a board of her own, one picture of all of them.", workspace)
if taught:
    st.button("Back to my class", icon=":material/arrow_back:", on_click=classes.put_aside, kwargs={"aside": False})
member = classes.membership(classroom.register(), workspace.token)
if member is not None:
    seat.show(workspace, *member)
else:
    entrance.show(workspace)
