"""The two ways in which work ends early without being a defect of the program."""


class ExplorerError(Exception):
    """Bad input or an impossible request.

    The message is one line for a person: what happened, why, and what to do.
    The command line prints it and exits with 2; the pages show it as it is.
    """


class Cancelled(Exception):
    """Raised inside long work, at the next report, when a person asked to stop."""
