"""Runs: what is asked (spec), who does it (desk and worker), what comes of it (execute)."""
