"""Stops a run between steps on a signal."""

import signal
from typing import Any


class Stopper:
    """Within `with`, SIGINT, SIGTERM and SIGHUP set `received` instead of ending the process.

    A second SIGINT ends it at once. If SIGHUP is ignored, as with `nohup`, it stays ignored.

    Attributes:
      received: the signal's number, or None.
    """

    def __init__(self) -> None:
        self.received: int | None = None
        self._previous: dict[int, Any] = {}

    def __enter__(self) -> "Stopper":
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            if number != signal.SIGHUP or signal.getsignal(number) != signal.SIG_IGN:
                self._previous[number] = signal.signal(number, self._handle)
        return self

    def __exit__(self, *exception: object) -> None:
        for number, handler in self._previous.items():
            signal.signal(number, handler)

    def _handle(self, number, frame):
        if self.received == signal.SIGINT == number:
            raise KeyboardInterrupt
        self.received = number
