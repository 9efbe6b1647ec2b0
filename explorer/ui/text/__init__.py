"""Words on the pages: names, numbers, findings, tables, and a run as a command."""
