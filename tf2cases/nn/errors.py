"""What layers raise."""


class ShapeError(ValueError):
    """Inputs of a shape that a layer cannot take: data that do not fit a network, rather than a mistake in its code."""
