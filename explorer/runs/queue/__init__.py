"""Work in the background: the desk that takes jobs, and the processes that do them."""
