"""One file a format: what it is, how it is written into a bundle, and how it is checked."""
