"""What a person may have meant: refs found by a few words, a path or an id, and the data that fits a model."""
