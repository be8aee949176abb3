"""A clock that counts training only."""

import time


class Clock:
    """Measures examples per second, leaving out compilation, evaluation and saving.

    Args:
      now: function giving seconds; `time.perf_counter` by default.
    """

    def __init__(self, now=time.perf_counter):
        self._now = now
        self._started = now()
        self._training, self._steps = 0.0, 0
        self._last = None

    def ran(self, steps, seconds, counts=True):
        """Adds `steps` that took `seconds`; the first call, which compiles, is not to count."""
        self._last = seconds / steps
        if counts:
            self._training += seconds
            self._steps += steps

    def now(self):
        """Seconds, from any start."""
        return self._now()

    def elapsed(self):
        """Seconds since this process began the run, all included."""
        return self._now() - self._started

    def steps_per_second(self):
        """Of what counted; 0.0 before anything did."""
        return self._steps / self._training if self._training else 0.0

    def steps_in(self, seconds):
        """About how many steps fit into `seconds`, at least 1; 1 before anything ran."""
        return max(1, int(seconds / self._last)) if self._last else 1
