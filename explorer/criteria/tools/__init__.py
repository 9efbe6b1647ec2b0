"""The machinery of criteria: contexts, gauges, masks and passes that several of them share."""
