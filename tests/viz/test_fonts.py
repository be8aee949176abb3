"""Names in any script are drawn with letters, in fonts that word clouds find, and never as boxes without a word."""

import logging
import os
import shutil
import sys

import matplotlib
import numpy as np
import pylopdf_fonts_zh_cn
import pytest
from matplotlib import font_manager

from tf2cases import viz
from tf2cases.viz import canvas
from tf2cases.wordcloud import fonts

# Each of the three pairs has as many characters as the other, so boxes would look the same.
CHARTS = {
    "curves": lambda a, b: viz.curves({a: ([1, 2], [1, 2])}, b),
    "bars": lambda a, b: viz.bars([a, b], [1, 2], "T"),
    "confusion matrix": lambda a, b: viz.confusion_matrix(np.eye(2, dtype=int), [a, b], "T"),
    "scatter": lambda a, b: viz.scatter_with_line([1, 2], [1, 2], 1, 0, a, b, "T"),
    "3d": lambda a, b: viz.scatter_3d([1, 2], [1, 2], [1, 3], (a, b, a), "T"),
    "grid": lambda a, b: viz.labelled(np.zeros([2, 8, 8, 1]), [a, b]),
}


@pytest.fixture(autouse=True)
def afresh():
    canvas._families.cache_clear()
    yield
    canvas._families.cache_clear()


@pytest.mark.parametrize("name", CHARTS)
def test_chinese_names_are_letters_and_not_boxes(name, caplog):
    with caplog.at_level(logging.WARNING, "matplotlib"), pytest.MonkeyPatch.context() as patched:
        patched.setattr("warnings.warn", lambda *given, **options: pytest.fail(str(given)))
        first, second = CHARTS[name]("房价", "面积"), CHARTS[name]("茶园", "青山")
    assert first.shape == second.shape
    assert (first != second).any()
    assert not caplog.records


def test_texts_are_measured_in_the_font_that_draws_them():
    figure = canvas.figure(2, 1, layout=None)
    text = figure.text(0, 0, "面积面积", fontsize=10)
    canvas.find_fonts(figure)
    assert text.get_window_extent().width == pytest.approx(4 * 10 / 72 * canvas.DPI, rel=0.1)  # they are square


def test_latin_keeps_its_font():
    usual = font_manager.findfont(font_manager.FontProperties())
    assert fonts.fallbacks("Zoë 12 − μ", usual) == ([], "")
    assert fonts.fallbacks("Zoë 茶园", usual) == ([str(pylopdf_fonts_zh_cn.sans_path())], "")


def test_characters_without_a_font_are_told_once(monkeypatch, tmp_path, capsys):
    monkeypatch.setattr(fonts, "_folders", lambda: [str(tmp_path)])
    for _ in range(2):
        viz.bars(["한국", "서울"], [1, 2], "T")
    err = capsys.readouterr().err
    assert err == (
        "Charts have boxes in place of some characters, since no font has '국', '서', '울', '한': install a font for "
        "Korean, such as Noto Sans KR (package fonts-noto-cjk in Debian).\n"
    )
    canvas._families.cache_clear()
    monkeypatch.setitem(sys.modules, "pylopdf_fonts_zh_cn", None)
    viz.bars(["茶园"], [1], "T")
    assert "install one with `pip install 'tf2cases[zh]'`." in capsys.readouterr().err


def test_several_fonts_help_each_other(monkeypatch, tmp_path):
    monkeypatch.setattr(fonts, "_folders", lambda: [str(tmp_path)])
    dejavu = os.path.join(matplotlib.get_data_path(), "fonts", "ttf", "DejaVuSans.ttf")
    shutil.copy(dejavu, tmp_path / "z.ttf")
    paths, advice = fonts.fallbacks("茶园 שלום", fonts.find("a"))
    assert paths == [str(pylopdf_fonts_zh_cn.sans_path()), str(tmp_path / "z.ttf")]
    assert not advice
