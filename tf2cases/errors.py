"""The two kinds of failure that a program reports in one sentence."""


class UsageError(ValueError):
    """A bad argument or input: the program ends with exit status 2.

    The message is one sentence naming the argument, the value received and what would be accepted.
    """


class RunError(RuntimeError):
    """Something failed while running (a full disk, a loss that became NaN): exit status 1."""
