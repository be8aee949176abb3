"""The benchmarks of inference, features, captchas and word clouds, in small."""

import functools
import re

import pytest
from program_call import exit_status

from tf2cases.benchmarks import wordcloud
from tf2cases.programs import benchmark

NUMBER = r"[\d.,]+ \[[\d.,]+ \.\. [\d.,]+\]"
run = functools.partial(exit_status, benchmark)


def test_inference_is_timed_against_keras(capfd):
    assert run("inference", "--batch_sizes=1", "--rounds=2", "--seconds=0.1") == 0
    out = capfd.readouterr().out
    assert "batch 1\n" in out
    for name in ("tf2cases", "keras   "):
        assert re.search(rf"  {name}  {NUMBER} pictures/s  {NUMBER} CPU ms/picture\n", out)
    assert re.search(rf"tf2cases / keras: pictures/s {NUMBER}, CPU ms/picture {NUMBER}\n", out)


def test_caching_features_is_timed_against_the_network(capfd):
    assert run("features", "--pictures=4", "--rounds=2") == 0
    out = capfd.readouterr().out
    for name in ("caching", "network"):
        assert re.search(rf"  {name}  {NUMBER} pictures/s  {NUMBER} CPU ms/picture\n", out)
    assert re.search(rf"caching / network: pictures/s {NUMBER}, CPU ms/picture {NUMBER}\n", out)


def test_drawing_captchas_is_timed_against_a_bare_loop(capsys):
    assert run("captchas", "--rounds=2", "--pictures=20", "--workers=1") == 0
    out = capsys.readouterr().out
    for form in ("grey", "png"):
        assert re.search(rf"{form}\n  workers    {NUMBER} pictures/s\n  bare loop  {NUMBER} pictures/s\n", out)
    assert len(re.findall(rf"  workers / bare loop: pictures/s {NUMBER}\n", out)) == 2


def test_word_clouds_are_timed_as_whole_processes(capsys, monkeypatch):
    seconds = iter([9.0, 9.0, 4.0, 2.0, 2.0, 4.0])  # ours, bare; bare, ours; ours, bare; the first round counts not
    monkeypatch.setattr(wordcloud, "measure", lambda arguments: (next(seconds), 1.0, 300.0))
    assert run("wordcloud", "--rounds=2") == 0
    lines = capsys.readouterr().out.splitlines()[1:]
    assert lines == [
        "  ours  2.0 [2.0 .. 2.0] s  1.0 [1.0 .. 1.0] s of CPU time  300 [300 .. 300] MiB at most",
        "  bare  4.0 [4.0 .. 4.0] s  1.0 [1.0 .. 1.0] s of CPU time  300 [300 .. 300] MiB at most",
        "  ours / bare: s 0.50 [0.50 .. 0.50], s of CPU time 1.00 [1.00 .. 1.00], MiB at most 1.00 [1.00 .. 1.00]",
    ]


def test_processes_are_measured_and_their_failure_is_told(capsys):
    seconds, busy, most = wordcloud.measure(["-c", "x = bytearray(80 << 20)"])
    assert 0 < busy < seconds + 1
    assert most > 80
    with pytest.raises(wordcloud.RunError, match=r"ended with status 3: told"):
        wordcloud.measure(["-c", "import sys; print('told'); sys.exit(3)"])
    assert run("wordcloud", "--text=none.txt") == 2
    assert "benchmark wordcloud: --text is 'none.txt', but there is no such file." in capsys.readouterr().err
