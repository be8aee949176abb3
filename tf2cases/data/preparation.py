"""Whether data may be downloaded, drawn or prepared now; a dry run forbids it."""

import contextlib
from collections.abc import Callable, Iterator

_forbidden = False


class NotPreparedError(Exception):
    """Data would have to be prepared first; the message says what would be done.

    Attributes:
      size: how much data it would be, "" if that is not known.
    """

    def __init__(self, what: str, size: str = ""):
        super().__init__(what)
        self.size = size


@contextlib.contextmanager
def forbidden() -> Iterator[None]:
    """Makes `begin` raise in the `with` block."""
    global _forbidden
    before, _forbidden = _forbidden, True
    try:
        yield
    finally:
        _forbidden = before


def begin(what: str, size: Callable[[], str] | None = None) -> None:
    """Called before any data are downloaded, drawn or prepared, and before anything is written for that.

    Args:
      what: what will be done: "draw 10,000 captchas into FOLDER".
      size: tells how much data it will be, such as "96.0 MB"; called only if it is forbidden.

    Raises:
      NotPreparedError: it is forbidden.
    """
    if _forbidden:
        raise NotPreparedError(what, size() if size else "")


def megabytes(count: float) -> str:
    """A number of bytes as a text in megabytes, or in kilobytes if there are few."""
    return f"{count / 1e6:,.1f} MB" if count >= 1e5 else f"{count / 1e3:,.1f} kB"
