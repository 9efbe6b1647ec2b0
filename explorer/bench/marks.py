"""Marks in the documents that comparisons write, by which others take a part out of them."""

IN_SHORT = "<!-- in short -->"  # before and after the table that README shows
