"""White or transparent is outside, whatever the picture's size, mode or format."""

import numpy as np
import pytest
from PIL import Image

from tf2cases.errors import UsageError
from tf2cases.wordcloud import masks

SHAPE = np.zeros([12, 20], bool)
SHAPE[3:9, 5:15] = True


def picture(mode):
    """A picture of `SHAPE` in dark red, or dark, on white, in the mode."""
    red = np.where(SHAPE[..., None], [120, 10, 20], 255).astype(np.uint8)
    if mode == "I;16":
        return Image.fromarray(np.where(SHAPE, 3000, 65535).astype(np.uint16))
    if mode == "clear":
        return Image.fromarray(np.dstack([red * 0 + red[5, 8], SHAPE * 255]).astype(np.uint8), "RGBA")
    if mode == "LA":
        return Image.merge("LA", [Image.new("L", (20, 12), 60), Image.fromarray((SHAPE * 255).astype(np.uint8))])
    return Image.fromarray(red).convert(mode, dither=Image.Dither.NONE)


@pytest.mark.parametrize("mode", ["1", "L", "LA", "P", "RGB", "RGBA", "I;16", "clear"])
def test_png_of_every_mode(mode, tmp_path):
    path = str(tmp_path / "mask.png")
    picture(mode).save(path)
    mask = masks.read(path)
    np.testing.assert_array_equal(mask.inside, SHAPE)
    assert mask.picture.shape == (12, 20, 3)
    if mode in ("RGB", "RGBA", "clear"):
        assert tuple(mask.picture[5, 8]) == (120, 10, 20)


@pytest.mark.parametrize("mode", ["RGB", "CMYK", "L"])
def test_the_uneven_white_of_jpeg_is_outside(mode, tmp_path):
    path = str(tmp_path / "mask.jpg")
    large = picture(mode if mode != "CMYK" else "RGB").resize((400, 240), Image.Resampling.NEAREST).convert(mode)
    large.save(path, quality=90)
    inside = masks.read(path).inside
    expected = np.kron(SHAPE, np.ones([20, 20], bool))
    assert (inside != expected).mean() < 0.02
    assert not inside[:40].any()


def test_transparent_colours_and_white_letters_are_outside(tmp_path):
    pixels = np.zeros([4, 6, 4], np.uint8)
    pixels[:, :, 3] = [255, 128, 127, 0, 255, 255]
    pixels[:, 4, :3] = 250
    pixels[:, 5, :3] = [255, 255, 249]
    Image.fromarray(pixels).save(tmp_path / "mask.png")
    assert masks.read(str(tmp_path / "mask.png")).inside[0].tolist() == [True, True, False, False, False, True]


def test_a_turned_photo_is_turned_back(tmp_path):
    image = picture("RGB")
    exif = Image.Exif()
    exif[0x0112] = 6
    image.transpose(Image.Transpose.ROTATE_90).save(tmp_path / "mask.png", exif=exif)
    np.testing.assert_array_equal(masks.read(str(tmp_path / "mask.png")).inside, SHAPE)


@pytest.mark.parametrize("color", [(255, 255, 255, 255), (10, 20, 30, 0), (251, 252, 253, 255)])
def test_a_mask_without_an_inside_is_refused(color, tmp_path):
    path = str(tmp_path / "mask.png")
    Image.new("RGBA", (30, 30), color).save(path)
    with pytest.raises(UsageError, match=r"--mask is '.*', but all of it is white or transparent, .* （蒙版全部是白色"):
        masks.read(path)


@pytest.mark.parametrize("content", [None, b"", b"no picture", b"\x89PNG\r\n\x1a\n"])
def test_an_unreadable_mask_is_refused(content, tmp_path):
    path = tmp_path / "mask.png"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(UsageError, match=r"--mask: .*mask\.png: .*; expected .* （无法读取蒙版图片"):
        masks.read(str(path))
