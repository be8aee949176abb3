"""Tools for drawing faces: random numbers, and a batch of pictures to paint on.

Arrays are [n, height, width], numbers per picture [n, 1, 1], colours [3, n, 1, 1] in [0, 1].
"""

from collections.abc import Sequence

import numpy as np

Colours = Sequence[tuple[int, int, int]]  # red, green, blue from 0 to 255


class Numbers:
    """Hands out the random numbers of each picture in order, each for one purpose."""

    def __init__(self, uniform: np.ndarray):
        self._uniform, self._next = np.asarray(uniform, np.float32), 0

    def between(self, low: float, high: float) -> np.ndarray:
        """[n, 1, 1], uniform from low to high."""
        column = self._uniform[:, self._next, None, None]
        self._next += 1
        return low + (high - low) * column

    def around(self, middle: float, spread: float) -> np.ndarray:
        """[n, 1, 1], with a triangular distribution from middle - spread to middle + spread."""
        return middle + spread * (self.between(-0.5, 0.5) + self.between(-0.5, 0.5))

    def chance(self, probability: float | np.ndarray) -> np.ndarray:
        """[n, 1, 1], 1 with that probability, else 0."""
        return (self.between(0, 1) < probability).astype(np.float32)

    def colour(self, saturation: tuple[float, float], value: tuple[float, float]) -> np.ndarray:
        """[3, n, 1, 1], of any hue, with saturation and value in these ranges."""
        hue, s, v = self.between(0, 6), self.between(*saturation), self.between(*value)
        return np.stack([v * (1 - s * np.clip(2 - np.abs((hue + k) % 6 - 3), 0, 1)) for k in (0, 4, 2)])

    def one_of(self, colours: Colours, shares: Sequence[float] | None = None) -> np.ndarray:
        """[3, n, 1, 1], one of a list of 8-bit colours."""
        shares = shares or [1 / len(colours)] * len(colours)
        chosen = np.searchsorted(np.cumsum(shares)[:-1], self.between(0, 1), side="right")
        return np.moveaxis(np.asarray(colours, np.float32)[chosen] / 255, -1, 0)

    def along(self, colours: Colours) -> np.ndarray:
        """[3, n, 1, 1], interpolated at a random position in a list of 8-bit colours."""
        place = self.between(0, len(colours) - 1)
        below = np.minimum(place.astype(int), len(colours) - 2)
        rest = (place - below)[..., None]
        values = np.asarray(colours, np.float32) / 255
        return np.moveaxis(values[below] + (values[below + 1] - values[below]) * rest, -1, 0)


class Canvas:
    """A batch of pictures of one size, painted from back to front."""

    def __init__(self, count: int, size: int):
        self.pixels = np.empty([3, count, size, size], np.float32)
        self._per_unit = size / 2

    def cover(self, distance: np.ndarray) -> np.ndarray:
        """The fraction of each pixel that a shape covers, 0 to 1."""
        return np.clip(0.5 - distance * self._per_unit, 0, 1)

    def paint(self, colour: np.ndarray, alpha: np.ndarray) -> None:
        """Blends a colour [3, n, 1, 1], or one per pixel, over the pictures with opacity `alpha` [n, h, w]."""
        for below, above in zip(self.pixels, colour, strict=True):
            below += alpha * (above - below)
