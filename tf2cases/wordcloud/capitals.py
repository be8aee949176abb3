"""Words that differ only in capitals although Unicode's plain lower case keeps them apart: ISPARTA and ısparta in
Turkish, STRASSE and Straße in German, ΛΟΓΟΣ and λόγος in Greek."""

import unicodedata
from collections import Counter, defaultdict
from collections.abc import Mapping

import regex

_SPECIAL = regex.compile(r"[ıİßẞ\p{Greek}]")
_GREEK = regex.compile(r"\p{Greek}")
_TONOS = "\u0301"


def spellings(times: Mapping[str, int]) -> dict[str, str]:
    """Other spellings for words whose plain lower case would not bring them together with the same word.

    A spelling is changed only into one that the text itself has: "IŞIK" becomes "ışık" if that word occurs, whereas
    "It" stays what it is, and "Masse" never becomes "Maße".

    Args:
      times: {word: how often it occurs}.

    Returns:
      {word: the most frequent spelling of the same word}; words that stay are left out.
    """
    if not any(_SPECIAL.search(word) for word in times):
        return {}
    forms: dict[str, Counter] = defaultdict(Counter)  # lower case -> spellings
    for word, count in times.items():
        forms[word.lower()][word] += count
    small: dict[str, list[str]] = defaultdict(list)  # in capitals -> the words that small letters spell so
    for lower in forms:
        if not all(map(str.isupper, forms[lower])) and (_SPECIAL.search(lower) or "i" in lower):
            for capitals in _in_capitals(lower):
                small[capitals].append(lower)
    clusters: dict[str, list[str]] = defaultdict(list)
    for lower in forms:
        if lower not in forms[lower]:  # else its small letters are known
            meant = {word for spelling in forms[lower] for word in small.get(spelling.upper(), ()) if word != lower}
            meant = {word for word in meant if all(_may_be(spelling, word) for spelling in forms[lower])}
            if meant:
                clusters[max(meant, key=lambda word: forms[word].total())].append(lower)
    changed: dict[str, str] = {}
    for word, others in clusters.items():
        counts = sum((forms[other] for other in others), forms[word])
        best = max(counts, key=lambda spelling: counts[spelling])
        changed |= {spelling: best for spelling in counts if spelling.lower() != best.lower()}
    return changed


def _in_capitals(lower) -> set[str]:
    """The ways to write a word in capitals."""
    return {lower.upper(), lower.replace("i", "İ").upper(), _without_accents(lower.upper())}


def _may_be(spelling, word) -> bool:
    """Whether a spelling with capitals can stand for a word in small letters; a small letter stands for itself."""
    return spelling.isupper() or spelling[1:] == word[1:]


def _without_accents(word) -> str:
    if not _GREEK.search(word):
        return word
    return unicodedata.normalize("NFC", unicodedata.normalize("NFD", word).replace(_TONOS, ""))
