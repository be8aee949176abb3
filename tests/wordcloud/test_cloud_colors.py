"""Colourings give the colours they promise."""

import colorsys
import random

import numpy as np
import pytest
from PIL import Image, ImageColor, ImageFont
from wordcloud.wordcloud import colormap_color_func

from tf2cases.errors import UsageError
from tf2cases.wordcloud import colors, fonts

FONT = fonts.find("a")


def ask(coloring, word="garden", size=20, position=(0, 0), orientation=None, seed=0):
    return coloring(
        word,
        font_size=size,
        position=position,
        orientation=orientation,
        font_path=FONT,
        random_state=random.Random(seed),
    )


def test_a_colormap_is_drawn_from_as_the_package_does():
    ours, theirs = colors.make("plasma", {}, None, 1), colormap_color_func("plasma")
    for seed in range(5):
        assert ask(ours, seed=seed) == ask(theirs, seed=seed)


def test_the_original_range_is_drawn_from_at_random():
    coloring = colors.make("hsl(0, 60-80%, 60-80%)", {}, None, 1)
    seen = {ask(coloring, seed=seed) for seed in range(200)}
    parts = [tuple(int(part.strip(" %")) for part in color[4:-1].split(",")) for color in seen]
    assert {part[0] for part in parts} == {0}
    for index in (1, 2):
        values = {part[index] for part in parts}
        assert (min(values), max(values)) == (60, 80)


@pytest.mark.parametrize("form", ["hsl(30,50%,50%)", "hsl( 200 - 240 , 50 % , 20-40% )", "hsl(0-360,0-100%,0-100%)"])
def test_forms_of_ranges(form):
    assert ImageColor.getrgb(ask(colors.make(form, {}, None, 1)))


def lightness(color):
    return colorsys.rgb_to_hls(*(part / 255 for part in ImageColor.getrgb(color)))[1]


@pytest.mark.parametrize("form", ["weight", "weight:0", "weight:360"])
def test_the_more_important_the_darker(form):
    weights = {"most": 1000, "more": 100, "some": 99, "least": 1}
    coloring = colors.make(form, weights, None, 1)
    shades = [lightness(ask(coloring, word)) for word in weights]
    assert shades == sorted(shades)
    assert shades[0] < 0.25 < 0.7 < shades[-1]


def test_words_of_one_weight_are_all_dark():
    coloring = colors.make("weight", {"a": 3, "b": 3}, None, 1)
    assert lightness(ask(coloring, "a")) == lightness(ask(coloring, "b")) < 0.25


@pytest.mark.parametrize("orientation", [None, Image.Transpose.ROTATE_90])
@pytest.mark.parametrize("scale", [1, 3])
def test_the_masks_colour_is_its_mean_under_the_strokes(orientation, scale):
    picture = np.random.default_rng(0).integers(0, 256, [300, 400, 3], np.uint8)
    top, left = 10, 30
    color = ask(colors.make("image", {}, picture, scale), "Garden", 20, (top, left), orientation)
    # The same by hand: the strokes' opacity as weights.
    glyphs = ImageFont.truetype(FONT, 20 * scale).getmask("Garden")
    strokes = np.array(glyphs).reshape(glyphs.size[::-1]).astype(float)
    if orientation is not None:
        strokes = np.rot90(strokes)
    height, width = strokes.shape
    patch = picture[top * scale :, left * scale :][:height, :width]
    expected = np.average(patch.reshape(-1, 3), axis=0, weights=strokes.ravel())
    np.testing.assert_allclose(ImageColor.getrgb(color), expected, atol=0.5)


def test_the_masks_colours_need_a_mask():
    with pytest.raises(UsageError, match=r"--color is 'image', but there is no --mask to take the colours from"):
        colors.make("image", {}, None, 1)


@pytest.mark.parametrize(
    "form",
    [
        "plaid",
        "weight:",
        "weight:361",
        "weight:red",
        "hsl(0, 60-80, 60-80%)",
        "hsl(400, 1%, 1%)",
        "hsl(0, 1%, 101%)",
        "hsl(9-3, 1%, 1%)",
        "hsl(0, 1%)",
        "",
    ],
)
def test_other_forms_are_refused(form):
    with pytest.raises(
        UsageError, match=r"--color is '.*', but must be image, weight, weight:HUE, hsl\(H-H, S-S%, L-L%\)"
    ):
        colors.make(form, {"a": 1}, None, 1)


def test_single_colours():
    assert colors.parse("background", "transparent") == (0, 0, 0, 0)
    assert colors.parse("background", "#ff000080") == (255, 0, 0, 128)
    assert colors.parse("background", "white") == (255, 255, 255, 255)
    with pytest.raises(
        UsageError, match=r"--background is 'whiteish', but must be transparent or a colour such as white, #ff"
    ):
        colors.parse("background", "whiteish")
