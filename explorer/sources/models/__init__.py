"""Model sources: a file for each way in which a ref names a network."""
