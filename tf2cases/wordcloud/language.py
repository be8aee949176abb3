"""Detection of a text's language from its script."""

import re

from tf2cases.wordcloud import words

_HAN = "\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\U00020000-\U0003ffff"
_HAN_CHARACTER = re.compile(f"[{_HAN}]")


def detect(sample: str) -> str:
    """Distinguishes Chinese from languages with spaces between words.

    Args:
      sample: some of the text, normalised.

    Returns:
      "zh" if there are more Han characters than words in other scripts, and few kana, else "en".
    """
    han = sum(1 for _ in _HAN_CHARACTER.finditer(sample))
    spaced = _HAN_CHARACTER.sub(" ", sample)
    other = sum(1 for word in words.find(spaced) if not words.is_number(word))
    return "zh" if han > other and not words.has_kana(sample) else "en"
