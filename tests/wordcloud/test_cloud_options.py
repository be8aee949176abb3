"""The presets are the seven original clouds, and every choice is checked."""

import os
import tempfile

import pytest

from tf2cases import wordcloud
from tf2cases.errors import UsageError
from tf2cases.wordcloud import cloud


def test_the_seven_presets():
    assert list(wordcloud.PRESETS) == [
        "english",
        "chinese_raw",
        "chinese",
        "mask",
        "mask_colors",
        "custom_color",
        "keywords",
    ]
    for name in wordcloud.PRESETS:
        assert wordcloud.make_options(name) is not None
    assert wordcloud.make_options("custom_color").color == "hsl(0, 60-80%, 60-80%)"
    keywords = wordcloud.make_options("keywords")
    assert (keywords.weights, keywords.max_words, keywords.color) == ("tfidf", 200, "image")


def test_what_is_given_takes_precedence_and_a_mask_brings_its_size():
    options = wordcloud.make_options("chinese", width=300, seed=7)
    assert (options.width, options.height, options.seed) == (300, 600, 7)
    masked = wordcloud.make_options("chinese", mask="m.png")
    assert (masked.width, masked.height) == (None, None)


def test_presets_with_a_shape_bring_their_mask_unless_another_is_given(repo):
    masks = {name: wordcloud.make_options(name).mask for name in wordcloud.PRESETS}
    shapes = {"mask": "teapot", "mask_colors": "tree", "custom_color": "tree", "keywords": "tree"}
    for name, mask in masks.items():
        assert (mask and os.path.realpath(mask)) == (
            os.path.realpath(repo / "testdata" / "masks" / f"{shapes[name]}.png") if name in shapes else None
        )
    assert wordcloud.make_options("mask", mask="m.png").mask == "m.png"
    assert wordcloud.make_options("mask", mask=None, width=300).width == 300


def test_an_unknown_preset_lists_them():
    with pytest.raises(
        UsageError,
        match=r"--preset is 'japanese', but must be one of english, chinese_raw, chinese, mask, mask_colors, "
        r"custom_color, keywords\. （--preset 可选",
    ):
        wordcloud.make_options("japanese")


@pytest.mark.parametrize(
    ("given", "message"),
    [
        (dict(language="fr"), r"--language is 'fr', but must be one of auto, en, zh"),
        (dict(weights="idf"), r"--weights is 'idf', but must be one of count, tfidf, textrank"),
        (dict(max_words=0), r"--max_words is 0, but must be from 1 to 5000"),
        (dict(min_word_length=-1), r"--min_word_length is -1"),
        (dict(width=15), r"--width is 15, but must be from 16"),
        (dict(height=99999), r"--height is 99999"),
        (dict(width=10_000, height=10_000), r"make more than 50 megapixels"),
        (dict(mask="m.png", outline=-1), r"--outline is -1"),
        (dict(outline=2), r"--outline is 2, but there is no --mask to draw it around"),
        (
            dict(mask="m.png", width=100),
            r"--mask is 'm\.png', which sets the picture's size: --width and --height must",
        ),
        (dict(min_font_size=0), r"--min_font_size is 0"),
        (dict(min_font_size=9, max_font_size=8), r"--max_font_size is 8, but must be from 9"),
        (dict(prefer_horizontal=1.5), r"--prefer_horizontal is 1\.5, but must be from 0 to 1"),
        (dict(seed=-1), r"--seed is -1"),
    ],
)
def test_what_is_out_of_range_is_refused(given, message):
    with pytest.raises(UsageError, match=message):
        wordcloud.make_options(**given)


def test_targets_are_checked_before_the_work(tmp_path):
    cloud.check_target("out", str(tmp_path / "a.png"))
    assert not list(tmp_path.iterdir())
    (tmp_path / "folder.png").mkdir()
    for path, message in [
        (tmp_path / "a.jpg", r"--out is '.*a\.jpg', but must end in \.png or \.svg\. （文件名应以"),
        (tmp_path / "none" / "a.png", r"--out is '.*', but the folder .*none does not exist; .* （无法写入该文件"),
        (tmp_path / "folder.png", r"but must be a file, not a folder\. （无法写入该文件"),
    ]:
        with pytest.raises(UsageError, match=message):
            cloud.check_target("out", str(path))


def test_a_folder_that_cannot_be_written_is_refused(tmp_path, monkeypatch):
    def refused(**given):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(tempfile, "TemporaryFile", refused)
    with pytest.raises(UsageError, match=rf"but {tmp_path} cannot be written to; it must be a file in a writable"):
        cloud.check_target("out", str(tmp_path / "a.png"))
