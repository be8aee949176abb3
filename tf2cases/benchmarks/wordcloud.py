"""Measures a Chinese cloud in a mask against the bare calls of jieba and wordcloud, whole processes in turn.

    python -m bin.benchmark_wordcloud --text=novel.txt --mask=shape.png --rounds=5

Each round runs both, taking turns in going first, so that a machine whose speed drifts treats them alike; the ratios
are taken round by round. A first round, in which files are read and caches made, does not count.
"""

import os
import subprocess
import sys
import tempfile
import time

from absl import flags

from tf2cases.errors import RunError, UsageError
from tf2cases.programs import common
from tf2cases.wordcloud import fonts

_TESTDATA = os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "testdata")

# What a person writes who follows the packages' own pages.
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


def define(values):
    text = os.path.join(_TESTDATA, "garden_zh.txt")
    mask = os.path.join(_TESTDATA, "masks", "teapot.png")
    flags.DEFINE_string("text", text, "A Chinese text in UTF-8.", flag_values=values)
    flags.DEFINE_string("mask", mask, "A mask, grey or in colours, white outside.", flag_values=values)
    flags.DEFINE_integer("rounds", 5, "Rounds that count.", lower_bound=1, flag_values=values)


def main(values):
    for name in ("text", "mask"):
        if not os.path.isfile(values[name].value):
            raise UsageError(f"--{name} is {values[name].value!r}, but there is no such file.")
    font = fonts.find("中文")
    with tempfile.TemporaryDirectory() as folder:
        out = os.path.join(folder, "cloud.png")
        inputs = [f"--text={values.text}", f"--mask={values.mask}", f"--out={out}"]
        commands = {
            "ours": ["-m", "bin.make_wordcloud", "--preset=mask", *inputs],
            "bare": ["-c", _BARE, values.text, values.mask, font, out],
        }
        rounds = [measure_both(commands, turned=i % 2 == 1) for i in range(values["rounds"].value + 1)][1:]
    print("median [min .. max] of whole processes; bare: jieba.cut, WordCloud(mask).generate, to_file")
    for i, (what, form) in enumerate(
        (("seconds", ".1f"), ("seconds of processor time", ".1f"), ("MiB at most", ".0f"))
    ):
        ours, bare = ([measured[name][i] for measured in rounds] for name in ("ours", "bare"))
        ratios = [a / b for a, b in zip(ours, bare, strict=True)]
        spreads = f"ours {common.spread(ours, form)}  bare {common.spread(bare, form)}"
        print(f"  {what}: {spreads}  ours / bare {common.spread(ratios, '.2f')}")


def measure_both(commands, turned):
    """Runs both once.

    Args:
      commands: {name: arguments of the Python interpreter}.
      turned: whether the last goes first.

    Returns:
      {name: (seconds, seconds of processor time, MiB at most)}.
    """
    names = list(commands)
    return {name: measure(commands[name]) for name in (reversed(names) if turned else names)}


def measure(arguments):
    """Runs a process: (seconds, seconds of processor time, MiB at most).

    Raises:
      RunError: it failed.
    """
    with tempfile.TemporaryFile() as said:
        started = time.perf_counter()
        process = subprocess.Popen([sys.executable, *arguments], stdout=said, stderr=said)
        _, status, usage = os.wait4(process.pid, 0)
        seconds = time.perf_counter() - started
        process.returncode = os.waitstatus_to_exitcode(status)
        if process.returncode:
            said.seek(0)
            lines = said.read().decode(errors="replace").strip().splitlines() or ["it said nothing"]
            raise RunError(f"a measured process ended with status {process.returncode}: {lines[-1]}")
    # Counted from this process's size when it forked, so that one must stay small.
    unit = 2**20 if sys.platform == "darwin" else 2**10  # of ru_maxrss
    return seconds, usage.ru_utime + usage.ru_stime, usage.ru_maxrss / unit
