"""Drawing: what the captcha package draws for the same draws, and whether it is still that package."""

import ast
import hashlib
import secrets

import captcha
import captcha.image
import numpy as np
import PIL
import pytest
from PIL import Image

from tf2cases.data.captchas import drawing
from tf2cases.data.captchas.drawing import Draws, Kind, Painter

# What the drawing was checked against. After an update of the package: see that the tests below pass, and that pictures
# look as before; then set these anew.
_VERSION = "0.7.1"
_SOURCE = "9bf0c6b25c81ce8199ca84c911152f53cf16f0bfb5cd41b3b9d2b96d7ffdbda2"
_PILLOW = "13.0.0"
_GOLDENS = [
    ("0123456789", 0, "5655", "7707abe8e8a53bd6"),
    ("0123456789", 1, "6382", "175a948bfc77f4ed"),
    ("0123456789", 12345, "3350", "a5a3583f13d4bf36"),
    ("abcXYZ", 0, "XXXX", "24576281780a5eb1"),
]


@pytest.fixture(autouse=True)
def package(monkeypatch):
    """Puts the package's `secrets` back after each test; it is replaced in workers only."""
    monkeypatch.setattr(captcha.image, "secrets", secrets)


def _kind(characters="0123456789", **changed):
    return Kind(**{**dict(characters=characters, length=4, width=160, height=60, stream="golden", seed=0), **changed})


def test_the_package_is_the_one_that_was_checked():
    with open(captcha.image.__file__, "rb") as file:
        source = hashlib.sha256(file.read()).hexdigest()
    assert (captcha.__version__, source) == (_VERSION, _SOURCE), (
        f"captcha {captcha.__version__} is not the {_VERSION} that the drawing was checked against: the same seed may "
        "give other pictures, so check them and set the goldens of this test anew."
    )


def test_the_package_draws_from_three_functions_only():
    with open(captcha.image.__file__, encoding="utf-8") as file:
        tree = ast.parse(file.read())
    attributes = [node for node in ast.walk(tree) if isinstance(node, ast.Attribute)]
    used = {node.attr for node in attributes if isinstance(node.value, ast.Name) and node.value.id == "secrets"}
    assert used == {"randbelow", "choice", "randbits"}
    imported = {a.name for node in ast.walk(tree) if isinstance(node, ast.Import) for a in node.names}
    assert not imported & {"random", "numpy", "uuid", "time"}


@pytest.mark.parametrize(("characters", "index", "text", "golden"), _GOLDENS)
def test_goldens(characters, index, text, golden):
    drawn, grey = drawing.drawer(_kind(characters))(index, "grey")
    assert drawn == text
    if PIL.__version__ != _PILLOW:
        pytest.skip(f"the goldens are of Pillow {_PILLOW}, and this is {PIL.__version__}")
    assert hashlib.sha256(grey).hexdigest()[:16] == golden, (
        f"captcha {captcha.__version__} with Pillow {PIL.__version__} draws other pictures than it did."
    )


@pytest.mark.parametrize(("width", "height", "length"), [(160, 60, 4), (100, 40, 6), (320, 120, 5)])
def test_pixels_are_the_packages_own(width, height, length):
    kind = _kind("Kindgj0189", width=width, height=height, length=length)
    draw, package, draws = drawing.drawer(kind), captcha.image.ImageCaptcha(width, height), Draws()
    ours = [draw(i, "grey") for i in range(25)]
    drawing.install(draws)
    for i, (text, grey) in enumerate(ours):
        assert kind.text(i, draws) == text
        assert package.generate_image(text).convert("L").tobytes() == grey


def test_png_holds_the_packages_pixels(tmp_path):
    draws = Draws()
    text, png = drawing.drawer(_kind())(3, "png")
    (tmp_path / "a.png").write_bytes(png)
    drawing.install(draws)
    assert _kind().text(3, draws) == text
    expected = captcha.image.ImageCaptcha(160, 60).generate_image(text)
    np.testing.assert_array_equal(np.asarray(Image.open(tmp_path / "a.png")), np.asarray(expected))


def test_a_picture_does_not_depend_on_those_before():
    draw = drawing.drawer(_kind())
    forwards = [draw(i, "grey") for i in range(5)]
    assert [draw(i, "grey") for i in reversed(range(5))] == forwards[::-1]


@pytest.mark.parametrize("changed", [dict(stream="other"), dict(seed=1)])
def test_streams_and_seeds_differ(changed):
    ours, others = drawing.drawer(_kind()), drawing.drawer(_kind(**changed))
    assert not {ours(i, "grey")[1] for i in range(10)} & {others(i, "grey")[1] for i in range(10)}


def test_draws_stay_in_range():
    draws = Draws()
    draws.start("x", 0, 0)
    assert {draws.randbelow(3) for _ in range(100)} == {0, 1, 2}
    assert {draws.choice("ab") for _ in range(50)} == {"a", "b"}
    bits = [draws.randbits(32) for _ in range(1000)]
    assert 0 <= min(bits) < 2**25
    assert 2**32 - 2**25 < max(bits) < 2**32


def test_grey_is_the_weighted_sum_rounded(monkeypatch):
    rgb = np.random.RandomState(0).randint(0, 256, [50, 50, 3]).astype(np.uint8)
    monkeypatch.setattr(Painter, "generate_image", lambda self, text: Image.fromarray(rgb))
    grey = np.frombuffer(Painter(50, 50).grey("x"), np.uint8).reshape(50, 50)
    exact = rgb @ np.array([0.299, 0.587, 0.114])
    assert np.abs(grey - exact).max() < 0.502  # the weights have 16 bits


def test_accepts_the_defaults_and_every_named_charset():
    from tf2cases.data.captchas.text import NAMED

    for characters in NAMED.values():
        drawing.check(_kind(characters))


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        (dict(width=59), r"^width is 59, but must be from 60 to 4096 for 4 characters"),
        (dict(width=5000), r"^width is 5000, but must be from 60 to 4096"),
        (dict(height=29), r"^height is 29, but must be from 30 to 4096"),
        (dict(height=5000), r"^height is 5000"),
        (dict(characters="a\u4e2d"), r"^charset has the character '中', but the captcha package's font cannot draw it"),
    ],
)
def test_refuses_what_cannot_be_drawn(changed, message):
    with pytest.raises(ValueError, match=message):
        drawing.check(_kind(**changed))


def test_a_space_takes_the_packages_draws():
    taken = []

    class Counting(Draws):
        def randbelow(self, n):
            taken.append(n)
            return super().randbelow(n)

        def randbits(self, k):
            taken.append(k)
            return super().randbits(k)

    draws = Counting()
    drawing.install(draws)
    canvas = captcha.image.Draw(Image.new("RGB", (160, 60)))
    sizes = []
    for kind_of in (captcha.image.ImageCaptcha, Painter):
        draws.start("x", 0, 0)
        sizes.append(kind_of(160, 60)._draw_character(" ", canvas, (0, 0, 0, 255)).size)
    half = len(taken) // 2
    assert taken[:half] == taken[half:]
    assert sizes[0] == sizes[1]
