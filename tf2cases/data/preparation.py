"""Whether data may be downloaded, drawn or prepared now; a dry run forbids it."""

import contextlib
from collections.abc import Iterator

_forbidden = False


class NotPreparedError(Exception):
    """Data would have to be prepared first; the message says what would be done."""


@contextlib.contextmanager
def forbidden() -> Iterator[None]:
    """Makes `begin` raise in the `with` block."""
    global _forbidden
    before, _forbidden = _forbidden, True
    try:
        yield
    finally:
        _forbidden = before


def begin(what: str) -> None:
    """Called before any data are downloaded, drawn or prepared, and before anything is written for that.

    Args:
      what: what will be done: "draw 10,000 captchas into FOLDER".

    Raises:
      NotPreparedError: it is forbidden.
    """
    if _forbidden:
        raise NotPreparedError(what)
