"""The program from text to picture: its presets, its tables, and how it ends on bad input."""

import functools
import os
import re
import subprocess
import sys

import numpy as np
import pytest
from PIL import Image
from program_call import exit_status

from bin import make_masks
from tf2cases import files, wordcloud
from tf2cases.programs import make_wordcloud

CHINESE = "茶园后面是青山，茶园前面是小河。春天的茶园，秋天的茶馆。"


@pytest.fixture(scope="module", autouse=True)
def caches(tmp_path_factory):
    """No test may reach for the person's own cache."""
    with pytest.MonkeyPatch.context() as patched:
        patched.setenv("XDG_CACHE_HOME", str(tmp_path_factory.mktemp("caches")))
        yield


@pytest.fixture(autouse=True)
def in_an_empty_folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


run = functools.partial(exit_status, make_wordcloud)


def sentence(capsys):
    """The one line on standard error."""
    lines = capsys.readouterr().err.splitlines()
    assert len(lines) == 1, lines
    return lines[0]


def write(content, name="text.txt"):
    with open(name, "wb") as file:
        file.write(content.encode() if isinstance(content, str) else content)
    return name


SIZES = {
    "english": (400, 200),
    "chinese_raw": (800, 600),
    "chinese": (800, 600),
    "mask": (900, 640),
    "mask_colors": (700, 760),
    "custom_color": (700, 760),
    "keywords": (700, 760),
}


@pytest.mark.parametrize("preset", wordcloud.PRESETS)
def test_the_seven_on_the_embedded_texts(preset, repo, capsys):
    text = repo / "testdata" / ("garden_en.txt" if preset == "english" else "garden_zh.txt")
    assert run(f"--preset={preset}", f"--text={text}") == 0
    out = capsys.readouterr().out
    with Image.open("cloud.png") as image:
        assert image.size == SIZES[preset]
        assert image.mode == ("RGB" if preset == "english" else "RGBA")
        pixels = np.asarray(image.convert("RGBA"))
    painted = pixels[..., 3] > 0 if preset != "english" else pixels[..., :3].any(axis=2)
    assert 0.05 < painted.mean() < 0.6
    if preset == "custom_color":
        colors = np.unique(pixels[painted][:, :3], axis=0).astype(int)
        assert len(colors) > 20
        assert (colors[:, 0] > colors[:, 1]).all()  # hue 0
        assert (colors[:, 1] == colors[:, 2]).all()
    if preset == "mask":
        with Image.open(repo / "testdata" / "masks" / "teapot.png") as mask:
            assert not painted[np.asarray(mask) >= 250].any()
    assert re.search(r"cloud\.png: \d+ x \d+, \d+ of \d+ words, \w+.*\.[to]tf, \d+\.\d s\.", out)
    assert ("词" in out) == (preset != "english")


@pytest.mark.parametrize("preset", ["mask", "keywords"])
def test_the_novel_and_the_real_masks(preset, shared):
    mask = shared / "data" / "masks" / ("black_mask.png" if preset == "mask" else "color_mask.png")
    text = shared / "data" / "text" / "xyj.txt"
    with open(text, encoding="utf-8") as file, open("part.txt", "w", encoding="utf-8") as part:
        part.write(file.read(60_000))
    assert run(f"--preset={preset}", "--text=part.txt", f"--mask={mask}") == 0
    with Image.open("cloud.png") as image, Image.open(mask) as shape:
        assert image.size == shape.size
        opacity = np.asarray(image.getchannel("A"))
        shape = np.asarray(shape.convert("RGBA"))
    outside = (shape[..., :3] >= 250).all(axis=2) | (shape[..., 3] < 128)
    assert opacity.any()
    assert not opacity[outside].any()


def test_any_flag_of_a_preset_can_be_changed(capsys):
    write(CHINESE)
    flags = ("--preset=chinese", "--text=text.txt", "--width=300", "--height=200", "--background=white")
    assert run(*flags, "--color=weight:120", "--max_words=3", "--min_word_length=1", "--noown_stopwords") == 0
    with Image.open("cloud.png") as image:
        assert (image.size, image.mode) == ((300, 200), "RGB")
    assert "3 of 3 words" in capsys.readouterr().out


def test_without_a_preset_the_language_decides(capsys):
    assert run(f"--text={write(CHINESE.encode('gb18030'))}") == 0
    out = capsys.readouterr().out
    assert re.search(r"text\.txt: 56 bytes of GB18030, read as Chinese; \d+ different words, led by 茶园 3", out)
    assert re.search(r"text\.txt：56 字节，GB18030 编码，按中文处理", out)
    with Image.open("cloud.png") as image:
        assert (image.size, image.mode) == ((800, 600), "RGBA")
    assert run(f"--text={write('tea garden by the river, tea house by the hill')}") == 0
    assert "read as English" in capsys.readouterr().out
    with Image.open("cloud.png") as image:
        assert (image.size, image.mode) == ((400, 200), "RGB")


def test_same_seed_same_file():
    write(CHINESE)
    for name, seed in (("a", 4), ("b", 4), ("c", 5)):
        assert run("--text=text.txt", f"--out={name}.png", f"--seed={seed}") == 0
    a, b, c = (open(f"{name}.png", "rb").read() for name in "abc")
    assert a == b != c


def test_svg_and_outline(repo):
    write(CHINESE)
    assert run("--preset=mask_colors", "--text=text.txt", "--out=cloud.svg", "--outline=2") == 0
    text = open("cloud.svg", encoding="utf-8").read()
    assert text.startswith('<svg xmlns="http://www.w3.org/2000/svg" width="700" height="760"')
    assert "<title>茶园</title>" in text
    assert 'stroke-width="2"' in text


def test_a_table_is_written_and_drawn_from_to_the_same_picture(capsys):
    write(CHINESE)
    assert run("--text=text.txt", "--frequencies=words.csv", "--out=a.png") == 0
    assert open("words.csv", encoding="utf-8-sig").read().splitlines()[:2] == ["word,weight", "茶园,3"]
    assert run("--frequencies=words.csv", "--out=b.png") == 0
    assert open("a.png", "rb").read() == open("b.png", "rb").read()
    capsys.readouterr()


def test_an_edited_table_is_kept_when_a_text_writes_it_again(capsys):
    write(CHINESE)
    for expected in ("words.csv: ", "words.csv: "):  # the second time, the same words are written again
        assert run("--text=text.txt", "--frequencies=words.csv") == 0
        assert expected in capsys.readouterr().out
    assert not os.path.exists("words.csv~")
    write("word,weight\n鲸鱼,99\n", "words.csv")
    assert run("--text=text.txt", "--frequencies=words.csv") == 0
    out = capsys.readouterr().out
    assert "The older words.csv is kept as words.csv~." in out
    assert "原来的 words.csv 保留为 words.csv~。" in out
    assert open("words.csv~", encoding="utf-8").read() == "word,weight\n鲸鱼,99\n"
    assert "鲸鱼" not in open("words.csv", encoding="utf-8-sig").read()


@pytest.mark.parametrize("flag", ["mask", "stopwords", "user_dict"])
def test_a_file_that_is_read_is_not_overwritten(flag, capsys):
    write(CHINESE)
    Image.new("L", (50, 50)).save("a.png")
    os.link("a.png", "b.png")
    before = open("a.png", "rb").read()
    assert run("--text=text.txt", f"--{flag}=a.png", "--out=b.png") == 2
    assert f"--out is 'b.png', but must be another file than --{flag}, which is read." in sentence(capsys)
    assert open("a.png", "rb").read() == before


def test_a_table_is_printed_alone_on_standard_output(capsys):
    write(CHINESE)
    assert run("--text=text.txt", "--frequencies=-", "--max_words=2") == 0
    said = capsys.readouterr()
    assert said.out == "word,weight\n茶园,3\n青山,1\n"
    assert "cloud.png: 800 x 600, 2 of 2 words" in said.err


def test_words_of_ones_own_and_stop_words():
    write("小城北边的陈伯先打水，陈伯先喝茶。" * 2)
    write("打水\n", "stop.txt")
    write("北边的陈伯 5\n", "dict.txt")
    assert run("--text=text.txt", "--add_words=陈伯,喝茶", "--stopwords=stop.txt", "--frequencies=w.csv") == 0
    words = open("w.csv", encoding="utf-8-sig").read()
    assert "陈伯,4" in words
    assert "打水" not in words
    assert run("--text=text.txt", "--user_dict=dict.txt", "--frequencies=w.csv") == 0


def test_progress_is_told_for_a_text(monkeypatch, capsys):
    """The bar gets the text's size and as many bytes in the end; on a terminal only, after a second."""
    import tqdm

    made = []

    class Bar(tqdm.tqdm):
        def __init__(self, **given):
            made.append(given)
            super().__init__(**given)

        def update(self, n=1):
            made.append(n)
            return super().update(n)

    monkeypatch.setattr(tqdm, "tqdm", Bar)
    size = os.path.getsize(write(CHINESE * 3000))
    assert run("--text=text.txt") == 0
    assert made[0]["total"] == sum(made[1:]) == size
    assert made[0]["disable"] is None
    assert len(made) > 2
    assert capsys.readouterr().err == ""


BAD = {
    "empty": (b"", (), r"--text is 'text\.txt', but it is empty: .* （文本为空"),
    "stop words only": ("我们的，他们的，就是这样。", (), r"none of its \d+ words is left: .* （文本的 \d+ 个词都是"),
    "undecodable": (b"abc \xff\xff\xff def", (), r"its bytes are not UTF-8 \(from byte 4 on\)"),
    "binary": (b"\x7fELF\0\0\0\1", (), r"is a binary file"),
    "missing font": (CHINESE, ("--font=none.ttf",), r"--font is 'none\.ttf', but there is no such file"),
    "font without Chinese": (CHINESE, ("--font={latin}",), r"--font is .*Mono\.ttf', but it lacks '.*（该字体缺少"),
    "white mask": (CHINESE, ("--mask=white.png",), r"--mask is 'white\.png', but all of it is white or transparent"),
    "unreadable mask": (CHINESE, ("--mask=text.txt",), r"--mask: text\.txt: this is not a picture"),
    "missing mask": (CHINESE, ("--mask=none.png",), r"--mask: none\.png: cannot be read"),
    "tiny mask": (CHINESE, ("--mask=tiny.png",), r"--mask: a picture of 3 x 3 pixels, 9 of them inside, has no room"),
    "no folder": (CHINESE, ("--out=none/a.png",), r"--out is 'none/a\.png', but the folder .*/none does not exist"),
    "no folder for the table": (CHINESE, ("--frequencies=none/a.csv",), r"--frequencies is .*/none does not exist"),
    "table's ending": (CHINESE, ("--frequencies=a.xls",), r"--frequencies is 'a\.xls', but must end in \.csv"),
    "ending": (CHINESE, ("--out=a.bmp",), r"--out is 'a\.bmp', but must end in \.png or \.svg"),
    "preset": (CHINESE, ("--preset=korean",), r"--preset is 'korean', but must be one of english, chinese_raw, chi"),
    "color": (CHINESE, ("--color=plaid",), r"--color is 'plaid', but must be image, weight"),
    "number": (CHINESE, ("--max_words=many",), r"max_words"),
    "stray": (CHINESE, ("stray",), r"unexpected argument 'stray'"),
    "keywords of English": ("tea in the garden", ("--preset=keywords",), r"--preset is 'keywords', .* is not Chinese"),
    "tfidf": ("tea in the garden", ("--weights=tfidf",), r"--weights is 'tfidf', which .* but .* is not Chinese"),
}


@pytest.mark.parametrize("name", BAD)
def test_bad_input_ends_with_one_sentence_status_2_and_no_picture(name, capsys):
    content, flags, pattern = BAD[name]
    write(content)
    Image.new("L", (90, 90), 255).save("white.png")
    Image.new("L", (3, 3)).save("tiny.png")
    import wordcloud as package

    latin = os.path.join(os.path.dirname(package.__file__), "DroidSansMono.ttf")
    assert run("--text=text.txt", *(flag.format(latin=latin) for flag in flags)) == 2
    assert re.match(rf"make_wordcloud: .*{pattern}", sentence(capsys))
    assert not os.path.exists("cloud.png")


@pytest.mark.parametrize("table", ["words.csv", "-"])
def test_no_table_is_written_if_the_cloud_fails(table, capsys):
    write(CHINESE)
    Image.new("L", (3, 3)).save("tiny.png")
    assert run("--text=text.txt", f"--frequencies={table}", "--mask=tiny.png") == 2
    said = capsys.readouterr()
    assert "has no room for any word" in said.err
    assert "word,weight" not in said.out
    assert not os.path.exists("words.csv")


@pytest.mark.parametrize("weight", ["-2", "few"])
def test_bad_weights_end_with_status_2_and_the_line(weight, capsys):
    write(f"word,weight\ntea,3\nwater,{weight}\n", "words.csv")
    assert run("--frequencies=words.csv") == 2
    assert re.match(rf"make_wordcloud: --frequencies is .* line 3 has the weight '{weight}'", sentence(capsys))


def test_nothing_to_draw_is_said(capsys):
    assert run() == 2
    assert re.match(r"make_wordcloud: --text is missing: .*--frequencies.* （请用 --text", sentence(capsys))


@pytest.mark.skipif(not os.path.isdir("/proc"), reason="needs a folder that not even root can write to")
def test_a_folder_that_cannot_be_written_is_known_before_the_work(capsys):
    assert run("--text=not_looked_at.txt", "--out=/proc/cloud.png") == 2
    assert re.match(r"make_wordcloud: --out is .*but /proc cannot be written to; it must be a", sentence(capsys))


def test_a_full_disk_ends_with_status_1_and_leaves_the_older_picture(capsys, monkeypatch):
    def full(path, content):
        raise OSError(28, "No space left on device")

    write(CHINESE)
    write(b"older", "cloud.png")
    monkeypatch.setattr(files, "write_bytes", full)
    assert run("--text=text.txt") == 1
    assert "No space left on device" in sentence(capsys)
    assert open("cloud.png", "rb").read() == b"older"


def test_a_fresh_process_reads_standard_input_and_loads_no_tensorflow(repo):
    code = (
        "import sys; from tf2cases.programs import make_wordcloud, program\n"
        "try: program.run(make_wordcloud, ['make_wordcloud.py', '--text=-'])\n"
        "finally: print(sorted({'tensorflow', 'keras', 'imageio', 'matplotlib.pyplot'} & set(sys.modules)))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code],
        input=CHINESE.encode(),
        capture_output=True,
        env={**os.environ, "PYTHONPATH": str(repo), "PYTHONIOENCODING": "utf-8"},
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.decode().splitlines()[-1] == "[]"
    assert done.stderr == b""
    with Image.open("cloud.png") as image:
        assert image.size == (800, 600)


def test_the_embedded_masks_are_what_the_program_draws(repo, capsys):
    assert exit_status(make_masks, "--out=masks") == 0
    for name in ("teapot.png", "tree.png"):
        with Image.open(f"masks/{name}") as made, Image.open(repo / "testdata" / "masks" / name) as kept:
            assert made.mode == kept.mode
            difference = np.asarray(made).astype(int) - np.asarray(kept)
            assert np.abs(difference).mean() < 0.5  # another Pillow may round otherwise
    assert "mode L" in capsys.readouterr().out
