"""What methods are composed of: the verbs joined to a spec, and the ways of gradual and of sparse methods."""
