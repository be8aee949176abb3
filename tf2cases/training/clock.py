"""Measurement of training speed."""

import time
from collections.abc import Callable


class Clock:
    """Measures steps per second, excluding compilation, evaluation and saving, and how the time was spent.

    Args:
      now: function that returns seconds; `time.perf_counter` by default.
    """

    def __init__(self, now: Callable[[], float] = time.perf_counter):
        self._now = now
        self._started = now()
        self._training, self._steps = 0.0, 0
        self._loading = self._running = 0.0
        self._last: float | None = None

    def loaded(self) -> None:
        """Marks the data as ready; all time so far counts as getting it ready."""
        self._loading = self.elapsed()

    @property
    def is_new(self) -> bool:
        """Whether no steps have run yet."""
        return self._last is None

    def ran(self, steps: int, seconds: float) -> None:
        """Records `steps` that took `seconds`; the first call, which compiles, does not count towards the speed."""
        if not self.is_new:
            self._training += seconds
            self._steps += steps
        self._last = seconds / steps
        self._running += seconds

    def now(self) -> float:
        """Seconds since an arbitrary start."""
        return self._now()

    def elapsed(self) -> float:
        """Seconds since this process started the run, including everything."""
        return self._now() - self._started

    def steps_per_second(self) -> float:
        """The training speed; 0.0 while nothing counts towards it."""
        return self._steps / self._training if self._training else 0.0

    def shares(self) -> str:
        """A sentence about how this process spent its time."""
        total = self.elapsed()
        return (
            f"Time {duration(total)}: {self._loading / total:.0%} getting the data ready, "
            f"{self._running / total:.0%} training, the rest evaluating, drawing and saving."
        )

    def steps_in(self, seconds: float) -> int:
        """The approximate number of steps that fit into `seconds`, at least 1; 1 before anything ran."""
        return max(1, int(seconds / self._last)) if self._last else 1


def duration(seconds: float) -> str:
    """1:05, or 2:01:05 with hours."""
    minutes, seconds = divmod(int(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02d}:{seconds:02d}" if hours else f"{minutes}:{seconds:02d}"
