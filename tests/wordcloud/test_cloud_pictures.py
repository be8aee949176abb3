"""What is drawn: words inside the mask, apart from each other, in the mask's colours, the same for the same seed."""

import dataclasses
import os
import re
import xml.etree.ElementTree as ElementTree

import matplotlib
import numpy as np
import pytest
import wordcloud as package
from PIL import Image, ImageColor, ImageDraw

from tf2cases import wordcloud
from tf2cases.errors import UsageError
from tf2cases.wordcloud import drawing, layout, masks, outlines

_ENGLISH = ["garden", "library", "gate", "water", "tree", "path", "bed", "seeds", "bag", "well"]
_CHINESE = ["茶园", "茶馆", "陈伯", "红茶", "客人", "绿茶", "春天", "桂花", "小河", "青山"]
WEIGHTS = {word: 60 - 2 * i for i, word in enumerate(_ENGLISH)}
WORDS = wordcloud.Words(WEIGHTS, "en", len(WEIGHTS))
CHINESE = wordcloud.Words({word: 30 - 2 * i for i, word in enumerate(_CHINESE)}, "zh", 10)


@pytest.fixture(scope="module")
def ring(tmp_path_factory):
    """A ring in two colours on nothing, 260 x 240; its path."""
    image = Image.new("RGBA", (260, 240))
    draw = ImageDraw.Draw(image)
    draw.ellipse([5, 5, 254, 234], fill=(200, 30, 20, 255))
    draw.pieslice([5, 5, 254, 234], 90, 270, fill=(20, 60, 190, 255))
    draw.ellipse([90, 80, 170, 160], fill=(0, 0, 0, 0))
    path = tmp_path_factory.mktemp("masks") / "ring.png"
    image.save(path)
    return str(path)


def draw(words=WORDS, **options):
    return wordcloud.draw(words, wordcloud.make_options(**options))


def pixels(cloud):
    return np.asarray(cloud.image())


def test_the_english_preset_is_the_packages_picture(repo):
    text = (repo / "testdata" / "garden_en.txt").read_text(encoding="utf-8")
    theirs = package.WordCloud(random_state=3).generate(text)
    options = wordcloud.make_options("english", seed=3)
    with wordcloud.opened(str(repo / "testdata" / "garden_en.txt")) as opened:
        ours = wordcloud.draw(wordcloud.weigh(opened, options), options)
    np.testing.assert_array_equal(pixels(ours), theirs.to_array())


@pytest.mark.parametrize("words", [WORDS, CHINESE], ids=["en", "zh"])
def test_no_painted_pixel_is_outside_the_mask(words, ring):
    inside = masks.read(ring).inside
    for seed in range(3):
        opacity = pixels(draw(words, preset="mask", mask=ring, seed=seed))[..., 3]
        assert opacity.max() == 255
        assert not opacity[~inside].any()


def test_nor_outside_a_mask_too_large_for_the_layout(ring, monkeypatch):
    large = draw(preset="mask", mask=ring)
    monkeypatch.setattr(layout, "MAX_PIXELS", 8000)
    cloud = draw(CHINESE, preset="mask_colors", mask=ring, outline=2)
    assert layout.scale_of(240, 260) == 3
    opacity = pixels(dataclasses.replace(cloud, outline_width=0, outline=[]))[..., 3]
    assert opacity.shape == (240, 260)
    assert opacity.any()
    assert not opacity[~masks.read(ring).inside].any()
    assert large.image().size == cloud.image().size


@pytest.mark.parametrize("scale_limit", [layout.MAX_PIXELS, 20_000])
def test_words_do_not_overlap(scale_limit, monkeypatch):
    monkeypatch.setattr(layout, "MAX_PIXELS", scale_limit)
    cloud = draw(CHINESE, width=400, height=300)
    painted = np.zeros([300, 400], int)
    for item in cloud.words:
        alone = Image.new("L", (400, 300))
        ImageDraw.Draw(alone).text((item.left, item.top), item.word, fill=255, font=drawing.font_of(cloud.font, item))
        painted += np.asarray(alone) > 0
    assert len(cloud.words) == 10
    assert painted.max() == 1


def test_colours_agree_with_the_mask_under_each_word(ring):
    mask = masks.read(ring)
    cloud = draw(CHINESE, preset="mask_colors", mask=ring)
    image = pixels(cloud)
    for item in cloud.words:
        alone = Image.new("L", cloud.image().size)
        ImageDraw.Draw(alone).text((item.left, item.top), item.word, fill=255, font=drawing.font_of(cloud.font, item))
        strokes = np.asarray(alone).astype(float)
        mean = np.average(mask.picture.reshape(-1, 3), axis=0, weights=strokes.ravel())
        # Each pixel of the word, faint ones at its edge too, has its very colour.
        np.testing.assert_allclose(
            image[strokes > 0][:, :3], np.broadcast_to(mean, [int((strokes > 0).sum()), 3]), atol=0.51
        )
    assert {tuple(color) for color in image[image[..., 3] == 0]} == {(0, 0, 0, 0)}


@pytest.mark.parametrize("color", ["viridis", "image", "hsl(0, 60-80%, 60-80%)"])
def test_same_seed_same_pixels(color, ring):
    first, second, other = (pixels(draw(CHINESE, mask=ring, color=color, seed=seed)) for seed in (5, 5, 6))
    np.testing.assert_array_equal(first, second)
    assert (first != other).any()


def test_backgrounds(ring):
    assert draw().image().mode == "RGB"  # black for English
    assert pixels(draw())[0, 0].tolist() == [0, 0, 0]
    assert pixels(draw(color="weight"))[0, 0].tolist() == [255, 255, 255]
    assert draw(CHINESE).image().mode == "RGBA"
    assert draw(CHINESE).image().size == (800, 600)
    assert draw().image().size == (400, 200)
    assert pixels(draw(background="#102030"))[0, 0].tolist() == [16, 32, 48]
    half = draw(background="#10203080").image()
    assert half.mode == "RGBA"
    assert half.getpixel((0, 0)) == (16, 32, 48, 128)


def test_the_more_important_the_darker_and_the_larger():
    cloud = draw(color="weight", background="white")
    levels = [sum(ImageColor.getrgb(item.color)) for item in cloud.words]
    sizes = [item.size for item in cloud.words]
    assert [item.word for item in cloud.words] == list(WEIGHTS)
    assert levels == sorted(levels)
    assert sizes == sorted(sizes, reverse=True)


def test_fewer_words_and_font_sizes(ring):
    cloud = draw(max_words=3, max_font_size=40, min_font_size=12, prefer_horizontal=1.0)
    assert [item.word for item in cloud.words] == ["garden", "library", "gate"]
    assert all(12 <= item.size <= 40 and not item.turned for item in cloud.words)
    assert any(item.turned for item in draw(CHINESE, prefer_horizontal=0.0).words)


@pytest.mark.parametrize("limit", [layout.MAX_PIXELS, 8000])
def test_the_outline_lies_on_the_edge_of_the_mask(ring, limit, monkeypatch):
    monkeypatch.setattr(layout, "MAX_PIXELS", limit)
    inside = masks.read(ring).inside
    lines = outlines.around(inside)
    assert len(lines) == 2  # with that around the hole
    centre = np.array([130, 120])
    radii = sorted(float(np.hypot(*(line - centre).T).mean()) for line in lines)
    assert radii == pytest.approx([40.5, 120], abs=2.5)
    assert all((line[0] == line[-1]).all() for line in lines)


def test_outlines_are_drawn_under_the_words_in_their_colour(ring):
    plain, lined = (
        pixels(draw(mask=ring, background="white", outline=width, outline_color="#00ff00")) for width in (0, 4)
    )
    changed = (plain != lined).any(axis=2)
    inside = masks.read(ring).inside
    edge = np.asarray(Image.fromarray(inside).convert("L"))
    near = np.hypot(*np.gradient(edge.astype(float))) > 0
    assert changed[near].mean() > 0.9
    assert 0.02 < changed.mean() < 0.15
    assert (lined[changed][:, 1] >= 200).mean() > 0.9


def test_a_shape_that_touches_the_border_is_closed_there():
    (line,) = outlines.around(np.ones([30, 40], bool))
    np.testing.assert_allclose([line.min(0), line.max(0)], [[0, 0], [40, 30]], atol=1)


def test_svg_has_the_strokes_of_the_picture():
    """The outlines in the file, filled, cover what the PNG's words cover."""
    cloud = draw(CHINESE, width=260, height=240, max_words=6, prefer_horizontal=0.2, seed=0)
    root = ElementTree.fromstring(cloud.svg())
    assert (root.get("width"), root.get("height")) == ("260", "240")
    drawn = fill_svg(root, 260, 240)
    painted = pixels(cloud)[..., 3] > 127
    assert (drawn & painted).sum() / (drawn | painted).sum() > 0.9
    titles = [node.text for node in root.iter("{http://www.w3.org/2000/svg}title")]
    assert titles == [item.word for item in cloud.words]
    assert any(item.turned for item in cloud.words)


@pytest.mark.parametrize(
    "word",
    [
        "السلام",
        "الْكِتَابُ",
        "كتاب 123",
        "שלום",
        "שָׁלוֹם עולם",
        "C++ العربية",
        "العربية Python 3",
        "می‌خواهم",
        "office",
        "AVATAR",
    ],
)
def test_svg_is_shaped_as_the_picture_is(word):
    """Arabic is joined, and Arabic and Hebrew run from right to left."""
    words = wordcloud.Words({word: 1.0}, "en", 1)
    font = os.path.join(matplotlib.get_data_path(), "fonts", "ttf", "DejaVuSans.ttf")
    cloud = draw(words, width=300, height=100, font=font, background="transparent", prefer_horizontal=1.0)
    drawn = fill_svg(ElementTree.fromstring(cloud.svg()), 300, 100)
    painted = pixels(cloud)[..., 3] > 127
    assert (drawn & painted).sum() / (drawn | painted).sum() > 0.8


def contours(commands):
    """Vertices and codes of matplotlib paths, a closed one at a time."""
    vertices, codes = [], []
    for command, arguments in commands:
        if command in ("closePath", "endPath"):
            yield vertices, codes
            vertices, codes = [], []
        else:
            vertices += arguments
            codes += [{"moveTo": 1, "lineTo": 2, "qCurveTo": 3, "curveTo": 4}[command]] * len(arguments)


def fill_svg(root, width, height):
    """Which pixels the words' outlines cover: bool [height, width]."""
    from fontTools.pens.recordingPen import DecomposingRecordingPen
    from fontTools.pens.transformPen import TransformPen
    from fontTools.svgLib.path import parse_path
    from matplotlib.path import Path

    space = "{http://www.w3.org/2000/svg}"
    shapes = {node.get("id"): node.get("d") for node in root.find(f"{space}defs")}
    covered = np.zeros([height, width], bool)
    points = np.stack(np.meshgrid(np.arange(width) + 0.5, np.arange(height) + 0.5), -1).reshape(-1, 2)
    for group in root.findall(f"{space}g"):
        x, y, turn, scale = re.match(
            r"translate\(([^,]+),([^)]+)\)(rotate\(-90\))?scale\((.+),-", group.get("transform")
        ).groups()
        scale = float(scale)
        # The y axis of a font points up: minus in the second row; rotate(-90) sends (a, b) to (b, -a).
        matrix = (0, -scale, -scale, 0, float(x), float(y)) if turn else (scale, 0, 0, -scale, float(x), float(y))
        for use in group.findall(f"{space}use"):
            pen = DecomposingRecordingPen({})
            moved = TransformPen(pen, matrix)
            offset = (float(use.get("x")), float(use.get("y", 0)))
            parse_path(shapes[use.get("href")[1:]], TransformPen(moved, (1, 0, 0, 1, *offset)))
            glyph = np.zeros(len(points), bool)
            for contour in contours(pen.value):
                glyph ^= Path(*contour).contains_points(points)  # a contour within another is a hole
            covered |= glyph.reshape(height, width)
    return covered


def test_svg_backgrounds_outlines_and_marks(ring):
    words = wordcloud.Words({"a<b & c": 2.0, "tea": 1.0}, "en", 2)
    text = draw(words, mask=ring, outline=3, outline_color="#ff000080", background="white").svg()
    root = ElementTree.fromstring(text)
    assert '<rect width="100%" height="100%" fill="#ffffff" fill-opacity="1"/>' in text
    assert 'stroke="#ff0000" stroke-opacity="0.502" stroke-width="3"' in text
    assert "<title>a&lt;b &amp; c</title>" in text
    assert len(root.findall("{http://www.w3.org/2000/svg}g")) == 2
    assert "<rect" not in draw(words, background="transparent").svg()


def test_files(tmp_path, ring):
    cloud = draw(CHINESE, mask=ring)
    cloud.save(str(tmp_path / "a.PNG"))
    with Image.open(tmp_path / "a.PNG") as image:
        np.testing.assert_array_equal(np.asarray(image), pixels(cloud))
    cloud.save(str(tmp_path / "a.svg"))
    assert (tmp_path / "a.svg").read_text() == cloud.svg()
    with pytest.raises(UsageError, match=r"--out is 'a\.jpg', but must end in \.png or \.svg"):
        cloud.save("a.jpg")


def test_a_tiny_mask_is_refused(tmp_path):
    Image.new("L", (5, 4)).save(tmp_path / "tiny.png")
    with pytest.raises(
        UsageError, match=r"--mask: a picture of 5 x 4 pixels, 20 of them inside, has no room for any word"
    ):
        draw(CHINESE, mask=str(tmp_path / "tiny.png"))
    one = wordcloud.Words({"茶园": 1}, "zh", 1)
    with pytest.raises(
        UsageError, match=r"has no room for any word in a font of 4 pixels: expected a larger one\. （图片"
    ):
        draw(one, mask=str(tmp_path / "tiny.png"))
    with pytest.raises(UsageError, match=r"--width, --height: a picture of 16 x 16 pixels has no room"):
        draw(wordcloud.Words({"incomprehensibilities" * 3: 1}, "en", 1), width=16, height=16)


def test_a_single_word_fills_the_picture():
    (item,) = draw(wordcloud.Words({"tea": 1}, "en", 1)).words
    assert item.size > 100
