"""What a word is: Unicode's rules for letters, marks and joiners, with one spelling for apostrophes of every kind."""

import unicodedata
from collections.abc import Iterable, Iterator

import regex

# Letters of scripts with words that may contain an apostrophe; beside Han characters and kana it is a quotation mark.
_SPACED = r"[\p{L}\p{M}\p{N}_--\p{Han}--\p{Hiragana}--\p{Katakana}]"
# What Unicode's rules keep inside a word: joiners of Indic scripts and Persian, apostrophes, Catalan's middle dot, and
# the marks of Hebrew abbreviations. A joiner also ends a word in Malayalam.
_INSIDE = (
    r"\u200d(?=[\p{L}\p{M}])|(?<=\p{M})\u200d|\u200c(?=[\p{L}\p{M}])"
    rf"|(?<={_SPACED})'(?={_SPACED})|(?<=[lL])·(?=[lL])|(?<=\p{{Hebrew}})״(?=\p{{Hebrew}})|(?<=\p{{Hebrew}})׳"
)
_WORD = regex.compile(rf"[\p{{L}}\p{{N}}_](?:[\p{{L}}\p{{M}}\p{{N}}_]+|{_INSIDE})*", regex.V1)
_NOT_HAN = regex.compile(rf"[\p{{L}}\p{{N}}_--\p{{Han}}](?:[\p{{L}}\p{{M}}\p{{N}}_--\p{{Han}}]+|{_INSIDE})*", regex.V1)
_PLAIN = regex.compile(r"[a-zA-Z0-9_]+")
_INSIDE_WORD = regex.compile(_SPACED, regex.V1)
_SPACES = regex.compile(r"\s+")
_HAS_LETTER = regex.compile(r"\p{L}|\p{Nl}")
_MARKS = regex.compile(r"[\p{M}\u200c\u200d]+")

_HEBREW_MARK = regex.compile(r'(?<=\p{Hebrew})["“”](?=\p{Hebrew})')
_APOSTROPHES = regex.compile(rf"(?<={_SPACED})['‘’‛′´`ʼ՚׳＇](?={_SPACED})", regex.V1)
# Soft hyphens, marks of direction and others without a shape; joiners and the zero-width space separate or shape words.
_SHAPELESS = regex.compile(r"[\p{Cf}&&\p{Default_Ignorable_Code_Point}--[\u200b-\u200d]]+", regex.V1)
_IGNORED = regex.compile(r"\p{Default_Ignorable_Code_Point}")
# Ligatures and the shaped letters of Arabic, as in texts from PDF files: they stand for plain letters.
_SHAPED = regex.compile(r"[\u013f\u0140\ufb00-\ufb17\ufb50-\ufdf9\ufe70-\ufefc]+")

# Scripts without spaces between words for which there is no segmentation here.
_UNSPACED = {
    "Japanese": regex.compile(r"[\p{Hiragana}\p{Katakana}]"),
    "Thai": regex.compile(r"\p{Thai}"),
    "Lao": regex.compile(r"\p{Lao}"),
    "Khmer": regex.compile(r"\p{Khmer}"),
    "Burmese": regex.compile(r"\p{Myanmar}"),
}
_LETTERS = regex.compile(r"\p{L}")
_LONG = 8  # letters; words of these languages have 2 to 5 on average, what stands between spaces and marks 10 or more


def normalised(text: str) -> str:
    """The text in NFC, with ' for apostrophes of every kind inside words, plain letters for ligatures, and without
    characters that have no shape, such as soft hyphens."""
    if text.isascii():
        return text.replace("`", "'") if "`" in text and _APOSTROPHES.search(text) else text
    text = unicodedata.normalize("NFC", text)
    text = _SHAPED.sub(lambda found: unicodedata.normalize("NFKC", found[0]), text)
    return _HEBREW_MARK.sub("״", _APOSTROPHES.sub("'", _SHAPELESS.sub("", text)))


class Kept:
    """Words of the user's own that are kept whole, whatever spaces and marks they contain."""

    def __init__(self, own_words: Iterable[str] = ()):
        """Takes words as the user spells them; they are found in any capitals."""
        self._words = {_same_length_lower(_spaced(normalised(word))) for word in own_words}
        lengths: dict[str, set[int]] = {}
        for word in self._words:
            lengths.setdefault(word[0], set()).add(len(word))
        self._lengths = {first: sorted(these, reverse=True) for first, these in lengths.items()}

    def __contains__(self, word: str) -> bool:
        return _same_length_lower(word) in self._words

    def split(self, text: str) -> Iterator[tuple[str, bool]]:
        """A normalised text in pieces, in order, and whether each is one of the words; the longest word is taken.

        Within a word of letters nothing is found: "C++" is not in "ABC++", but Chinese words have no such limits.
        """
        if not self._words:
            yield text, False
            return
        text = _spaced(text)
        lower, done = _same_length_lower(text), 0
        for start, first in enumerate(lower):
            if start < done or first not in self._lengths or not _may_end(text, start):
                continue
            for length in self._lengths[first]:
                end = start + length
                if lower[start:end] in self._words and _may_end(text, end):
                    if done < start:
                        yield text[done:start], False
                    yield text[start:end], True
                    done = end + 2 if lower[end : end + 2] == "'s" and _may_end(text, end + 2) else end
                    break
        if done < len(text):
            yield text[done:], False


def _spaced(text) -> str:
    return _SPACES.sub(" ", text)


def _same_length_lower(text) -> str:
    lower = text.lower()
    return lower if len(lower) == len(text) else "".join(c.lower() if len(c.lower()) == 1 else c for c in text)


def _may_end(text, place) -> bool:
    """Whether a word may begin or end at a place in a text: not between two letters, other than Chinese ones."""
    around = text[max(place - 1, 0) : place + 1]
    return not 0 < place < len(text) or len(_INSIDE_WORD.findall(around)) < 2


def has_shape(character: str) -> bool:
    """Whether a font needs a glyph for a character; joiners and selectors only change the shapes of others."""
    return not _IGNORED.fullmatch(character)


def find(text: str) -> list[str]:
    """The words of a normalised text, numbers included: what stands between spaces and punctuation marks."""
    return _WORD.findall(text)


def foreign(text: str) -> list[tuple[int, int]]:
    """Where a normalised Chinese text has words of other scripts that jieba would cut at accents, marks or
    apostrophes: (start, end)."""
    return (
        []
        if text.isascii() and "'" not in text
        else [found.span() for found in _NOT_HAN.finditer(text) if not _PLAIN.fullmatch(found[0])]
    )


def is_word(text: str) -> bool:
    """Whether all of a normalised text is one word, and not a number."""
    return bool(_WORD.fullmatch(text)) and not is_number(text)


def is_number(word: str) -> bool:
    """Whether a word has no letters."""
    return not _HAS_LETTER.search(word)


def length(word: str) -> int:
    """The number of characters as people count them: marks belong to their letter."""
    return len(word) if word.isascii() else len(_MARKS.sub("", word))


def unspaced(sample: str) -> str | None:
    """The language of a normalised text whose words nothing separates: "Japanese", "Thai", "Lao", "Khmer" or
    "Burmese"; None for Chinese and for words separated by spaces or zero-width spaces."""
    total = len(_LETTERS.findall(sample))
    for spoken, letters in _UNSPACED.items():
        # Kana are from a third to nearly all of Japanese; quotations of Japanese in other texts are fewer.
        if len(letters.findall(sample)) > total / 5:
            found = [word for word in find(sample) if letters.search(word)]
            if sum(len(_LETTERS.findall(word)) for word in found) > _LONG * len(found):
                return spoken
    return None


def has_kana(sample: str) -> bool:
    """Whether a text is Japanese, by its share of kana."""
    return len(_UNSPACED["Japanese"].findall(sample)) > len(_LETTERS.findall(sample)) / 5
