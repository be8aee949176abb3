"""Hyper-parameter checks; each returns the value if it is valid."""


def fraction(name: str, value: float) -> float:
    """Raises a ValueError that contains the name unless the value is in [0, 1)."""
    if not 0 <= value < 1:
        raise ValueError(f"{name} is {value!r}, but must be at least 0 and less than 1.")
    return value


def positive(name: str, value: float) -> float:
    """Raises a ValueError that contains the name unless the value is greater than 0."""
    if not value > 0:
        raise ValueError(f"{name} is {value!r}, but must be greater than 0.")
    return value
