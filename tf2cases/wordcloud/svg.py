"""Drawing a cloud as SVG, with letters as outlines, so that it looks the same where the font is not installed."""

import html
from typing import TYPE_CHECKING

from PIL import ImageColor, ImageFont

from tf2cases.wordcloud.messages import bilingual_error
from tf2cases.wordcloud.shaping import Shaper

if TYPE_CHECKING:
    from tf2cases.wordcloud.cloud import Cloud


def svg(cloud: "Cloud") -> str:
    """Draws a cloud; returns the text of an SVG file.

    Each glyph's outline is written once; words refer to these outlines, and have their text as title. The glyphs are
    those that the picture has: joined, in ligatures, and from right to left where the script is written so.

    Raises:
      UsageError: the font has no outlines.
    """
    glyphs = _Glyphs(cloud.font)
    body = []
    if cloud.background[3]:
        body.append(f'<rect width="100%" height="100%" {_paint("fill", cloud.background)}/>')
    if cloud.outline_width:
        closed = "".join(f"M{' '.join(f'{x:.1f},{y:.1f}' for x, y in line[:-1])}Z" for line in cloud.outline)
        stroke = f'{_paint("stroke", cloud.outline_color)} stroke-width="{cloud.outline_width}" stroke-linejoin="round"'
        body.append(f'<path d="{closed}" fill="none" {stroke}/>')
    body += [_word(item, glyphs) for item in cloud.words]
    size = f'width="{cloud.width}" height="{cloud.height}" viewBox="0 0 {cloud.width} {cloud.height}"'
    lines = [f'<svg xmlns="http://www.w3.org/2000/svg" {size}>', "<defs>", *glyphs.defined, "</defs>", *body, "</svg>"]
    return "\n".join(lines) + "\n"


class _Glyphs:
    """The outlines of a font's glyphs, in the order of first use."""

    def __init__(self, path):
        from fontTools import ttLib

        self.path = path
        self.defined = []
        self._ids = {}
        try:
            font = ttLib.TTFont(path, fontNumber=0, lazy=True)
            self._names, self._shapes = font.getGlyphOrder(), font.getGlyphSet()
            self.units = font["head"].unitsPerEm
        except (ttLib.TTLibError, KeyError) as error:
            raise bilingual_error(
                f"--font is {path!r}, but it has no outlines, which SVG needs: expected another font, or a .png file.",
                "（该字体不含轮廓，无法输出 SVG，请换用其他字体或输出 PNG。）",
            ) from error
        self.shaper = Shaper(path)

    def id_of(self, number) -> str:
        if number not in self._ids:
            from fontTools.pens.svgPathPen import SVGPathPen

            pen = SVGPathPen(self._shapes, ntos=lambda number: f"{number:.0f}")
            self._shapes[self._names[number]].draw(pen)
            name = f"g{len(self._ids)}"
            self.defined.append(f'<path id="{name}" d="{pen.getCommands()}"/>')
            self._ids[number] = name
        return self._ids[number]


def _word(item, glyphs) -> str:
    font = ImageFont.truetype(glyphs.path, item.size)
    left, top, right, _ = font.getbbox(item.word, anchor="ls")  # of the strokes, from the start of the baseline
    if item.turned:
        start = f"translate({item.left - top:g},{item.top + right:g})rotate(-90)"
    else:
        start = f"translate({item.left - left:g},{item.top - top:g})"
    unit = item.size / glyphs.units
    placed = glyphs.shaper.shape(item.word)
    uses = []
    if placed.one_each:
        # Pillow's position of the character: the length of the word so far, kerning included.
        places = [
            (font.getlength(item.word[:end]) - font.getlength(character)) / unit
            for end, character in enumerate(item.word, 1)
        ]
    else:
        wider = font.getlength(item.word) / unit / placed.length if placed.length else 1.0
        places = [glyph.x * wider for glyph in placed.glyphs]
    for glyph, x in zip(placed.glyphs, places, strict=True):
        y = f' y="{glyph.y:.0f}"' if glyph.y else ""
        uses.append(f'<use href="#{glyphs.id_of(glyph.number)}" x="{x:.0f}"{y}/>')
    fill = "#%02x%02x%02x" % ImageColor.getrgb(item.color)[:3]
    place = f'transform="{start}scale({unit:.5g},{-unit:.5g})"'
    return f'<g {place} fill="{fill}"><title>{html.escape(item.word)}</title>{"".join(uses)}</g>'


def _paint(what, color) -> str:
    red, green, blue, alpha = color
    return f'{what}="#{red:02x}{green:02x}{blue:02x}" {what}-opacity="{alpha / 255:.3g}"'
