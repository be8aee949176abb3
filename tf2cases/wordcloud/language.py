"""Detection of a text's language from its script."""

import re

_HAN = "\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\U00020000-\U0003ffff"
_HAN_CHARACTER = re.compile(f"[{_HAN}]")
_OTHER_WORD = re.compile(rf"[^\W\d_{_HAN}]+")


def detect(sample: str) -> str:
    """Distinguishes Chinese from languages with spaces between words.

    Args:
      sample: some of the text.

    Returns:
      "zh" if there are more Han characters than words in other scripts, else "en".
    """
    han = sum(1 for _ in _HAN_CHARACTER.finditer(sample))
    other = sum(1 for _ in _OTHER_WORD.finditer(sample))
    return "zh" if han > other else "en"
