"""The flags that all data sets of pictures share: --size and --crop."""

from tf2cases.errors import UsageError


def check_size(size: int) -> None:
    """Raises UsageError unless --size is from 4 to 1024."""
    if not 4 <= size <= 1024:
        raise UsageError(f"--size is {size}, but must be from 4 to 1024.")


def parse_crop(crop: str) -> int | None:
    """Parses --crop: the side of a centred square in pixels, such as "108", or "none" (None) for the largest.

    Raises:
      UsageError: neither of these, or below 1.
    """
    if crop == "none":
        return None
    if not crop.isdecimal() or len(crop) > 9 or int(crop) < 1:
        raise UsageError(f"--crop is {crop!r}, but must be none or a number of pixels, such as 108.")
    return int(crop)
