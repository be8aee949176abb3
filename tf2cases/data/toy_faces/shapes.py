"""Shapes as signed distances.

A shape is a function of position that is negative inside and grows by 1 per unit of length, at least near its edge.
Where it is within half a pixel of 0, the shape covers the pixel partly, so edges are smooth at any size.
"""

import numpy as np


def ellipse(
    u: np.ndarray, v: np.ndarray, half_width: np.ndarray | float, half_height: np.ndarray | float
) -> np.ndarray:
    """An ellipse, distorted if the half axes depend on the position."""
    a, b = u / half_width, v / half_height
    radius = np.sqrt(a * a + b * b)
    slope = np.sqrt((a / half_width) ** 2 + (b / half_height) ** 2)
    return radius * (radius - 1) / np.maximum(slope, 1e-4)


def box(
    u: np.ndarray,
    v: np.ndarray,
    half_width: np.ndarray | float,
    half_height: np.ndarray | float,
    corner: np.ndarray | float,
) -> np.ndarray:
    """A rectangle with rounded corners."""
    return both(np.abs(u) - half_width, np.abs(v) - half_height, corner)


def both(first: np.ndarray, second: np.ndarray, corner: np.ndarray | float) -> np.ndarray:
    """The intersection of two shapes, with a rounded corner."""
    a, b = first + corner, second + corner
    outside = np.sqrt(np.maximum(a, 0) ** 2 + np.maximum(b, 0) ** 2)
    return outside + np.minimum(np.maximum(a, b), 0) - corner


def smooth(low: float | np.ndarray, high: float, values: np.ndarray) -> np.ndarray:
    """A smooth step: 0 below `low`, 1 above `high`."""
    t = np.clip((values - low) / (high - low), 0, 1)
    return t * t * (3 - 2 * t)
