"""A font is used only if it has every character."""

import os
import shutil
import sys

import matplotlib
import pylopdf_fonts_zh_cn
import pytest
import wordcloud as package

from tf2cases.errors import UsageError
from tf2cases.wordcloud import fonts

LATIN = os.path.join(os.path.dirname(package.__file__), "DroidSansMono.ttf")
NOTO = str(pylopdf_fonts_zh_cn.sans_path())
DEJAVU = os.path.join(matplotlib.get_data_path(), "fonts", "ttf", "DejaVuSans.ttf")


@pytest.fixture
def system(tmp_path, monkeypatch):
    """A system with one empty font folder, without the extra's font; gives the folder."""
    monkeypatch.setattr(fonts, "_folders", lambda: [str(tmp_path)])
    monkeypatch.setitem(sys.modules, "pylopdf_fonts_zh_cn", None)
    return tmp_path


def test_latin_text_gets_the_packages_font_and_chinese_the_extras():
    assert fonts.find("garden Zoë") == LATIN
    assert fonts.find("茶园 garden") == NOTO


def test_without_the_extra_the_systems_fonts_are_looked_through(system):
    (system / "deep").mkdir()
    shutil.copy(NOTO, system / "deep" / "Unknown.OTF")
    shutil.copy(DEJAVU, system / "AAA.ttf")
    assert fonts.find("茶园") == str(system / "deep" / "Unknown.OTF")


def test_usual_names_come_first_and_boxes_for_everything_never(system):
    for name in ("Aaa.otf", "LastResort.otf", "wqy-microhei.ttc", "NotoSansCJK-Regular.ttc", "NotoColorEmoji.ttf"):
        shutil.copy(NOTO, system / name)
    assert fonts.find("茶园") == str(system / "NotoSansCJK-Regular.ttc")
    for name in ("Aaa.otf", "wqy-microhei.ttc", "NotoSansCJK-Regular.ttc"):
        os.remove(system / name)
    with pytest.raises(UsageError, match="no font has all characters"):
        fonts.find("茶园")


def test_what_is_no_font_is_passed_over(system):
    (system / "simhei.ttf").write_bytes(b"nothing of a font")
    shutil.copy(NOTO, system / "z.otf")
    assert fonts.find("茶园") == str(system / "z.otf")


def test_a_character_that_no_font_has_is_an_error_with_advice(system):
    shutil.copy(NOTO, system / "good.otf")
    with pytest.raises(
        UsageError,
        match=r"no font has all characters of the text \(good\.otf lacks only '\\ue455'\): install a font that has "
        r"them, or name one with --font=FILE\. （没有找到",
    ):
        fonts.find("茶园\ue455")


def test_ones_own_font_is_taken_by_path_or_by_name(system):
    assert fonts.find("garden", DEJAVU) == DEJAVU
    shutil.copy(NOTO, system / "My-Font 2.otf")
    for name in ("My-Font 2", "myfont2", "My-Font 2.otf"):
        assert fonts.find("茶园", name) == str(system / "My-Font 2.otf")


def test_a_font_without_chinese_is_refused_for_chinese():
    with pytest.raises(
        UsageError,
        match=r"--font is '.*DejaVuSans\.ttf', but it lacks '园', '茶': expected .* （该字体缺少“园茶”等 2 个字",
    ):
        fonts.find("茶园 tea", DEJAVU)
    with pytest.raises(UsageError, match=r"it lacks '一', '丁', '七', '万', '丈' and 3 more"):
        fonts.find("一丁七万丈三上下", DEJAVU)


def test_a_missing_font_and_a_file_that_is_none_are_refused(tmp_path):
    with pytest.raises(UsageError, match=r"--font is 'no\.ttf', but there is no such file, nor a font of that name"):
        fonts.find("a", "no.ttf")
    (tmp_path / "bad.ttf").write_text("no font")
    with pytest.raises(UsageError, match=r"--font is '.*bad\.ttf', but it is not a readable font: expected a \.ttf"):
        fonts.find("a", str(tmp_path / "bad.ttf"))


@pytest.mark.parametrize("platform", ["linux", "darwin"])
def test_every_system_has_font_folders(platform, monkeypatch):
    monkeypatch.setattr("sys.platform", platform)
    assert all("ont" in folder for folder in fonts._folders())


@pytest.mark.parametrize(
    ("text", "advice"),
    [
        (
            "한국어",
            r"install a font for Korean, such as Noto Sans KR \(package fonts-noto-cjk in Debian\), or name one",
        ),
        ("हिन्दी", r"install a font for Devanagari, such as Noto Sans Devanagari \(package fonts-noto-core in Debian\)"),
        ("茶园", r"install one with `pip install 'tf2cases\[zh\]'`, or name one"),
        ("茶园 한국어 텍스트", r"install one with `pip install 'tf2cases\[zh\]'`, or name one"),
    ],
)
def test_advice_names_a_font_for_the_script_that_is_lacking(text, advice, system):
    with pytest.raises(UsageError, match=advice):
        fonts.find(text)


def test_the_extra_is_not_advised_when_it_is_installed(tmp_path, monkeypatch):
    monkeypatch.setattr(fonts, "_folders", lambda: [str(tmp_path)])
    with pytest.raises(UsageError, match=r"install a font for Korean") as raised:
        fonts.find("茶园 한국어")
    assert "zh]" not in str(raised.value)
