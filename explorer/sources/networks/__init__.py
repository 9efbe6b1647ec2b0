"""Networks: what they are built from, what is changed in them so that they can be cut, and their weights."""
