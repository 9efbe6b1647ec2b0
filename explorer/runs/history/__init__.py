"""Runs looked back on: where they came from, how they went, how they compare."""
