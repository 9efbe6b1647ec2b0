"""Tables that say what works, made by running it."""
