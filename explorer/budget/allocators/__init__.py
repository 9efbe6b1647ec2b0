"""The ways to share a target out among the groups, one a file; the first look into `ALLOCATORS` finds them."""
