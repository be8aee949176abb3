"""The flags that sets of pictures share: --size, --channels, --crop."""

from tf2cases.errors import UsageError


def check(size: int, channels: int | None) -> None:
    """Raises UsageError unless --size is from 4 to 1024 and --channels 1, 3 or None."""
    if not 4 <= size <= 1024:
        raise UsageError(f"--size is {size}, but must be from 4 to 1024.")
    if channels not in (None, 1, 3):
        raise UsageError(f"--channels is {channels}, but must be 1 or 3.")


def parse_crop(crop: str | int | None) -> int | None:
    """--crop to a number of pixels, or to None for the largest centred square.

    Args:
      crop: None, "none" or "", an int, or a string like "108".

    Raises:
      UsageError: something else, or below 1.
    """
    if crop in (None, "none", ""):
        return None
    try:
        side = int(crop)
    except ValueError:
        side = 0
    if side < 1:
        raise UsageError(f"--crop is {crop!r}, but must be none or a number of pixels, such as 108.")
    return side
