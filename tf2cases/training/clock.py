"""A clock that counts training only."""

import time
from collections.abc import Callable


class Clock:
    """Measures examples per second, leaving out compilation, evaluation and saving; and where the time went.

    Args:
      now: function giving seconds; `time.perf_counter` by default.
    """

    def __init__(self, now: Callable[[], float] = time.perf_counter):
        self._now = now
        self._started = now()
        self._training, self._steps = 0.0, 0
        self._loading = self._running = 0.0
        self._last: float | None = None

    def loaded(self) -> None:
        """Says that the data is ready: everything so far was spent on that."""
        self._loading = self.elapsed()

    @property
    def is_new(self) -> bool:
        """Whether no steps have run yet."""
        return self._last is None

    def ran(self, steps: int, seconds: float) -> None:
        """Adds `steps` that took `seconds`; the first call, which compiles, does not count as training speed."""
        if not self.is_new:
            self._training += seconds
            self._steps += steps
        self._last = seconds / steps
        self._running += seconds

    def now(self) -> float:
        """Seconds, from any start."""
        return self._now()

    def elapsed(self) -> float:
        """Seconds since this process began the run, all included."""
        return self._now() - self._started

    def steps_per_second(self) -> float:
        """Of what counted; 0.0 before anything did."""
        return self._steps / self._training if self._training else 0.0

    def shares(self) -> str:
        """A sentence on where this process's time went."""
        total = self.elapsed()
        return (
            f"Time {duration(total)}: {self._loading / total:.0%} getting the data ready, "
            f"{self._running / total:.0%} training, the rest evaluating, drawing and saving."
        )

    def steps_in(self, seconds: float) -> int:
        """About how many steps fit into `seconds`, at least 1; 1 before anything ran."""
        return max(1, int(seconds / self._last)) if self._last else 1


def duration(seconds: float) -> str:
    """1:05, or 2:01:05 with hours."""
    minutes, seconds = divmod(int(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02d}:{seconds:02d}" if hours else f"{minutes}:{seconds:02d}"
