"""Which language a text is in, told by its script."""

import re

_HAN = "\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\U00020000-\U0003ffff"
_HAN_CHARACTER = re.compile(f"[{_HAN}]")
_OTHER_WORD = re.compile(rf"[^\W\d_{_HAN}]+")


def detect(sample: str) -> str:
    """Tells Chinese from what is written in words with spaces between.

    Args:
      sample: some of the text.

    Returns:
      "zh" if Han characters dominate: there are more of them than of words in other scripts; else "en".
    """
    han = sum(1 for _ in _HAN_CHARACTER.finditer(sample))
    other = sum(1 for _ in _OTHER_WORD.finditer(sample))
    return "zh" if han > other else "en"
