"""A Chinese word cloud in a mask against direct calls of jieba and wordcloud, as whole processes.

    python -m bin.benchmark wordcloud --text=novel.txt --mask=shape.png --rounds=5

Each round runs both, in alternating order; the ratios are computed per round. A first round, which reads files and
fills caches, does not count. By default, text and mask are those of `testdata`.
"""

import functools
import os
import subprocess
import sys
import tempfile
import time

from absl import flags

from tf2cases.benchmarks import rounds
from tf2cases.configs import path_flags
from tf2cases.data.source import testdata_path
from tf2cases.errors import RunError, UsageError
from tf2cases.wordcloud import fonts

# The code that the packages' own documentation suggests.
_BARE = """
import sys
import jieba, numpy
from PIL import Image
from wordcloud import WordCloud
text, mask, font, out = sys.argv[1:]
words = " ".join(jieba.cut(open(text, encoding="utf-8").read()))
cloud = WordCloud(mask=numpy.array(Image.open(mask)), font_path=font, mode="RGBA", background_color=None)
cloud.generate(words).to_file(out)
"""
_COLUMNS = [("s", ".1f"), ("s of CPU time", ".1f"), ("MiB at most", ".0f")]


def define(values: flags.FlagValues) -> None:
    path_flags.define("text", None, "Chinese text in UTF-8.", path_flags.OTHER, values)
    path_flags.define("mask", None, "Mask, grey or coloured, white outside.", path_flags.OTHER, values)
    rounds.define_rounds(values, 5)


def main(values: flags.FlagValues) -> None:
    text = values.text or testdata_path("garden_zh.txt")
    mask = values.mask or testdata_path(os.path.join("masks", "teapot.png"))
    for name, path in (("text", text), ("mask", mask)):
        if not os.path.isfile(path):
            raise UsageError(f"--{name} is {path!r}, but there is no such file.")
    font = fonts.find("中文")
    with tempfile.TemporaryDirectory() as folder:
        out = os.path.join(folder, "cloud.png")
        ours = ["-m", "bin.make_wordcloud", "--preset=mask", f"--text={text}", f"--mask={mask}", f"--out={out}"]
        contenders = {"ours": ours, "bare": ["-c", _BARE, text, mask, font, out]}
        measures = {name: functools.partial(measure, arguments) for name, arguments in contenders.items()}
        measured = rounds.interleaved(measures, values.rounds + 1)
    print("median [min .. max] of whole processes; bare: jieba.cut, WordCloud(mask).generate, to_file")
    rounds.show({name: rows[1:] for name, rows in measured.items()}, _COLUMNS, compared=("ours", "bare"))


def measure(arguments: list[str]) -> rounds.Numbers:
    """Runs the Python interpreter with arguments; returns (seconds, seconds of CPU time, peak memory in MiB).

    Raises:
      RunError: the process failed.
    """
    with tempfile.TemporaryFile() as said:
        started = time.perf_counter()
        process = subprocess.Popen([sys.executable, *arguments], stdout=said, stderr=said)
        _, status, usage = os.wait4(process.pid, 0)
        seconds = time.perf_counter() - started
        process.returncode = os.waitstatus_to_exitcode(status)
        if process.returncode:
            said.seek(0)
            lines = said.read().decode(errors="replace").strip().splitlines() or ["it printed nothing"]
            raise RunError(f"a measured process ended with status {process.returncode}: {lines[-1]}")
    # The peak includes this process's size when it forked, so this process must stay small.
    unit = 2**20 if sys.platform == "darwin" else 2**10  # of ru_maxrss
    return seconds, usage.ru_utime + usage.ru_stime, usage.ru_maxrss / unit
