"""Studies: what is measured of a network before anything is removed from it."""
