"""One file a kind of goal."""
