"""The text of captchas: their characters, and conversion between text and classes."""

import string
import unicodedata
from collections.abc import Iterable

import numpy as np

NAMED = {
    "digits": string.digits,
    "lower": string.ascii_lowercase,
    "upper": string.ascii_uppercase,
    "alnum": string.digits + string.ascii_lowercase + string.ascii_uppercase,
}
MAX_LENGTH = 40  # keeps LABEL-NNNNN.png below the limit of 255 bytes for file names
# A label ends at the first `-` or at the extension; the others are path separators, or not allowed in file names by
# some file system.
_NOT_IN_NAMES = '-./\\:*?"<>|'
_LABEL_VALUES = 256  # labels are stored as uint8


class Charset:
    """The characters of captchas, in the order of their classes.

    Args:
      name: "digits" (0-9), "lower" (a-z), "upper" (A-Z), "alnum" (0-9a-zA-Z), or the characters themselves.

    Attributes:
      characters: str, each character once; its index is its class.

    Raises:
      ValueError: there are no characters, more than 256, a repeated one, or one that cannot be used in a file name:
        white space, a control character, a combining or non-NFC character, or one of -./\\:*?"<>|
    """

    def __init__(self, name: str):
        self.characters = NAMED.get(name, name)
        self._index = {character: i for i, character in enumerate(self.characters)}
        accepted = f"one of {', '.join(NAMED)}, or distinct characters that can be used in a file name"
        if not 1 <= len(self.characters) <= _LABEL_VALUES:
            raise ValueError(
                f"charset has {len(self.characters)} characters, but must be {accepted}, at most {_LABEL_VALUES}."
            )
        for i, character in enumerate(self.characters):
            wrong = _refused(character)
            if self._index[character] != i:
                wrong = "appears twice"
            if wrong:
                raise ValueError(f"charset={name!r}: the character {character!r} {wrong}, but must be {accepted}.")

    def __len__(self) -> int:
        return len(self.characters)

    def encode(self, text: str, length: int) -> np.ndarray:
        """Encodes a text as classes.

        Args:
          text: the label of a captcha.
          length: the number of characters it must have.

        Returns:
          uint8 [length].

        Raises:
          ValueError: the text has another length, or a character outside the charset.
        """
        if len(text) != length:
            raise ValueError(f"the label {text!r} has {len(text)} characters, but must have {length}.")
        for character in text:
            if character not in self._index:
                raise ValueError(
                    f"the label {text!r} has the character {character!r}, but all must be in {self.characters}."
                )
        return np.array([self._index[character] for character in text], np.uint8)

    def decode(self, classes: np.ndarray) -> str | list:
        """Decodes classes, integers [..., length], to text: a str for [length], else nested lists of str.

        Raises:
          ValueError: a class that the charset does not have.
        """
        classes = np.asarray(classes)
        if classes.size and not 0 <= classes.min() <= classes.max() < len(self):
            wrong = classes.max() if classes.max() >= len(self) else classes.min()
            raise ValueError(f"a class is {wrong}, but must be from 0 to {len(self) - 1}.")
        if classes.ndim > 1:
            return [self.decode(row) for row in classes]
        return "".join(self.characters[i] for i in classes)

    @property
    def has_both_cases(self) -> bool:
        """Whether it has any letter in both upper and lower case, so that merging the cases makes a difference."""
        return any(c != c.lower() and c.lower() in self._index for c in self.characters)


def infer(labels: Iterable[str]) -> Charset:
    """The smallest named charset that covers the labels; their own characters, sorted, if none does."""
    used = set().union(*labels)
    covering = [characters for characters in NAMED.values() if used <= set(characters)]
    return Charset(min(covering, key=len) if covering else "".join(sorted(used)))


def check_length(length: int) -> None:
    """Raises ValueError unless captchas of that many characters can be made and named."""
    if not 1 <= length <= MAX_LENGTH:
        raise ValueError(f"length is {length}, but must be from 1 to {MAX_LENGTH}.")


def check_label(text: str) -> None:
    """Raises ValueError if a text has a character that no charset can have."""
    for character in text:
        wrong = _refused(character)
        if wrong:
            raise ValueError(
                f"the label {text!r} has the character {character!r}, which {wrong}: expected letters, digits and the "
                "like."
            )


def _refused(character: str) -> str | None:
    """The reason why a character cannot be used in a file name, or None."""
    if character.isspace() or unicodedata.category(character) in ("Cc", "Cf", "Cs", "Co", "Cn", "Zs", "Zl", "Zp"):
        return "is white space or a control character"
    if character in _NOT_IN_NAMES:
        return "ends a label or is not allowed in file names"
    # Some file systems store names in another normal form, and a combining accent would merge with its neighbour.
    if unicodedata.category(character).startswith("M") or unicodedata.normalize("NFC", character) != character:
        return "is a combining character or not in normal form NFC"
    return None
