"""Drawing a cloud as pixels."""

from typing import TYPE_CHECKING

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from tf2cases.wordcloud import layout

if TYPE_CHECKING:
    from tf2cases.wordcloud.cloud import Cloud


def image(cloud: "Cloud") -> Image.Image:
    """Draws a cloud: mode RGB on a solid background, else RGBA.

    On a transparent background, all pixels of a word have exactly its colour and differ only in opacity; drawn on a
    transparent black canvas, as the wordcloud package does, they would get dark edges.
    """
    size = (cloud.width, cloud.height)
    base = Image.new("RGBA", size, cloud.background)
    if cloud.outline_width:
        base.alpha_composite(_layer(_line(cloud), cloud.outline_color))
    if cloud.background[3] == 255:
        base = base.convert("RGB")
        draw = ImageDraw.Draw(base)
        for item in cloud.words:
            draw.text((item.left, item.top), item.word, fill=item.color, font=font_of(cloud.font, item))
        return base
    opacity, colors = Image.new("L", size), Image.new("RGB", size)
    draw, paint = ImageDraw.Draw(opacity), ImageDraw.Draw(colors)
    for item in cloud.words:
        font = font_of(cloud.font, item)
        _, _, width, height = font.getbbox(item.word)
        # A word's box may overlap the boxes of earlier words, but never their strokes.
        paint.rectangle((item.left, item.top, item.left + width, item.top + height), fill=item.color)
        draw.text((item.left, item.top), item.word, fill=255, font=font)
    colors.putalpha(opacity)
    base.alpha_composite(colors)
    return base


def font_of(path: str, item: layout.Placed) -> ImageFont.TransposedFont:
    """The font of a `Placed` word, rotated if the word is."""
    orientation = Image.Transpose.ROTATE_90 if item.turned else None
    return ImageFont.TransposedFont(ImageFont.truetype(path, item.size), orientation)


def _layer(opacity, color) -> Image.Image:
    red, green, blue, alpha = color
    layer = Image.new("RGBA", opacity.size, (red, green, blue, 0))
    layer.putalpha(opacity.point(lambda value: value * alpha // 255))
    return layer


def _line(cloud) -> Image.Image:
    """The outline's opacity, antialiased: drawn larger, then reduced."""
    finer = max(1, 4 // layout.scale_of(cloud.height, cloud.width))
    large = Image.new("L", (cloud.width * finer, cloud.height * finer))
    draw = ImageDraw.Draw(large)
    for points in cloud.outline:
        # Repeat the second point, so that the joint where the line closes is round like the others.
        around = np.concatenate([points, points[1:2]]) * finer
        draw.line([tuple(point) for point in around], fill=255, width=cloud.outline_width * finer, joint="curve")
    return large.reduce(finer)
