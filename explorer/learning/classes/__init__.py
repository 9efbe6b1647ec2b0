"""A class: who is in it, what it may do, what each of its students is at, and who may look at all of that."""
