"""Data sources: a file for each way in which a ref names data, with the folder layouts of its kind."""
