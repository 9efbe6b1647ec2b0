"""The verbs of the command line, a file each; see `explorer.cli.verb`."""
