"""The two kinds of failure that a program reports in one sentence."""

import contextlib
from collections.abc import Iterator


class UsageError(ValueError):
    """A bad argument or input: the program ends with exit status 2.

    The message is one sentence naming the argument, the value received and what would be accepted.
    """


class RunError(RuntimeError):
    """Something failed while running (a full disk, a loss that became NaN): exit status 1."""


@contextlib.contextmanager
def as_usage_error(prefix: str) -> Iterator[None]:
    """Converts a ValueError raised in the `with` block to a UsageError.

    Args:
      prefix: text to put before the error's own sentence, which begins with the name of the argument: "--" if that is
        also the name of the flag, or the source of the value, such as "labels/0123.png: ".
    """
    try:
        yield
    except UsageError:
        raise
    except ValueError as error:
        raise UsageError(f"{prefix}{error}") from error
