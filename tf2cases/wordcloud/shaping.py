"""Words as glyphs in the order in which they are drawn: joined, in ligatures, from right to left."""

import dataclasses
import itertools
import unicodedata

_RIGHT_TO_LEFT = ("R", "AL")


@dataclasses.dataclass(frozen=True)
class Glyph:
    """A glyph's number in its font, and its place from the start of the baseline in units of the font."""

    number: int
    x: int
    y: int


@dataclasses.dataclass(frozen=True)
class Shaped:
    """A shaped word.

    Attributes:
      glyphs: [Glyph], from left to right.
      length: of the word, in units of the font.
      one_each: whether each character has one glyph, in the same order, and none is moved up or down.
    """

    glyphs: list[Glyph]
    length: int
    one_each: bool


class Shaper:
    """Shapes words with a font, as Pillow's layout engine does."""

    def __init__(self, path: str):
        """Opens the font of a file, the first of several."""
        import uharfbuzz

        self._font = uharfbuzz.Font(uharfbuzz.Face(uharfbuzz.Blob.from_file_path(path)))

    def shape(self, word: str) -> Shaped:
        """Shapes a word, or several with spaces between them."""
        import uharfbuzz

        glyphs, clusters, x = [], [], 0
        for text, right_to_left in runs(word):
            buffer = uharfbuzz.Buffer()
            buffer.add_str(text)
            buffer.guess_segment_properties()
            buffer.direction = "rtl" if right_to_left else "ltr"
            uharfbuzz.shape(self._font, buffer)
            for info, place in zip(buffer.glyph_infos, buffer.glyph_positions, strict=True):
                glyphs.append(Glyph(info.codepoint, x + place.x_offset, place.y_offset))
                clusters.append(-1 if right_to_left else info.cluster)
                x += place.x_advance
        one_each = clusters == list(range(len(word))) and not any(glyph.y for glyph in glyphs)
        return Shaped(glyphs, x, one_each)


def runs(word: str) -> list[tuple[str, bool]]:
    """The parts of a word that are written in one direction, from left to right, and whether each is right to left.

    Follows the Unicode bidirectional algorithm (UAX 9) without its marks for embedding, which words do not contain.
    """
    kinds = [unicodedata.bidirectional(character) for character in word]
    base = next((int(kind in _RIGHT_TO_LEFT) for kind in kinds if kind in ("L", *_RIGHT_TO_LEFT)), 0)
    sides = "LR"
    strong, resolved = sides[base], []
    for kind in kinds:
        if kind in ("L", *_RIGHT_TO_LEFT):
            strong = "L" if kind == "L" else "R"
        number = "L" if kind == "EN" and strong == "L" else "N"
        resolved.append({"L": "L", "R": "R", "AL": "R", "EN": number, "AN": "N"}.get(kind, ""))
    for i, kind in enumerate(kinds):  # marks on a letter; points and signs of numbers
        before, after = (resolved[j] if 0 <= j < len(word) else "" for j in (i - 1, i + 1))
        if kind == "NSM":
            resolved[i] = before
        elif (kind in ("CS", "ES") and before == after == "N") or (kind == "ET" and "N" in (before, after)):
            resolved[i] = "N"
    levels = []
    known = [sides[base], *("R" if side == "N" else side for side in resolved), sides[base]]
    for i, side in enumerate(resolved, 1):
        if not side:  # spaces and marks between two parts of one direction belong to it, others to the word
            before = next(other for other in reversed(known[:i]) if other)
            after = next(other for other in known[i:] if other)
            side = before if before == after else sides[base]
        levels.append({"L": 2 * base, "R": 1, "N": 2}[side])
    parts = [
        ("".join(character for character, _ in group), level)
        for level, group in itertools.groupby(zip(word, levels, strict=True), key=lambda pair: pair[1])
    ]
    for lowest in range(max((level for _, level in parts), default=0), 0, -1):
        ordered: list[tuple[str, int]] = []
        for high, group in itertools.groupby(parts, key=lambda part: part[1] >= lowest):
            these = list(group)
            ordered += reversed(these) if high else these
        parts = ordered
    return [(text, bool(level % 2)) for text, level in parts]
