"""SIGTERM and SIGHUP end a program as Ctrl-C does: what is unfinished is removed, and the exit status is 128 + n."""

import glob
import os
import signal
import subprocess
import sys
import time
import types

import pytest
from program_call import exit_status

from tf2cases import files
from tf2cases.programs import make_captchas, train_linear_regression
from tf2cases.training.signals import Stopper


def program_that(act):
    module = types.ModuleType("cut", "Writes a file.")
    module.define = lambda values: None
    module.main = lambda values: act()
    return module


@pytest.mark.parametrize(
    ("number", "sentence"),
    [
        (signal.SIGTERM, "cut: interrupted by SIGTERM; finished output is kept."),
        (signal.SIGHUP, "cut: interrupted by SIGHUP; finished output is kept."),
        (signal.SIGINT, "cut: interrupted; finished output is kept."),
    ],
)
def test_a_signal_while_drawing_or_exporting_leaves_nothing_unfinished(number, sentence, tmp_path, capsys):
    (tmp_path / "a").write_text("old")
    before = signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell's background jobs ignore it

    def act():
        with files.temporary_folder(tmp_path / "exports", "version"), files.replacing(tmp_path / "a") as file:
            file.write(b"half")
            os.kill(os.getpid(), number)

    try:
        assert exit_status(program_that(act)) == 128 + number
    finally:
        signal.signal(signal.SIGINT, before)
    assert capsys.readouterr().err.splitlines() == [sentence]
    assert sorted(os.listdir(tmp_path)) == ["a", "exports"]
    assert os.listdir(tmp_path / "exports") == []
    assert (tmp_path / "a").read_text() == "old"
    assert signal.getsignal(signal.SIGTERM) == signal.getsignal(signal.SIGHUP) == signal.SIG_DFL


def test_with_nohup_a_program_goes_on(tmp_path):
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        assert exit_status(program_that(lambda: os.kill(os.getpid(), signal.SIGHUP))) == 0
        with Stopper() as stopper:
            os.kill(os.getpid(), signal.SIGHUP)
        assert stopper.received is None
    finally:
        signal.signal(signal.SIGHUP, before)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_training_run_saves_after_each_of_the_signals(number):
    with Stopper() as stopper:
        os.kill(os.getpid(), number)
    assert stopper.received == number


def test_leftovers_of_killed_writers_go_when_the_same_place_is_written_again(tmp_path):
    (tmp_path / ".a.png.01234567.partial").write_text("half")
    (tmp_path / ".b.png.01234567.partial").write_text("of another file")
    with files.replacing(tmp_path / "a.png") as file:
        file.write(b"whole")
    (tmp_path / ".1.01234567.partial").mkdir()
    (tmp_path / ".1.01234567.partial" / "variables").write_text("half")
    with files.temporary_folder(tmp_path, "1") as folder:
        files.publish(folder, str(tmp_path / "1"))
    assert sorted(os.listdir(tmp_path)) == [".b.png.01234567.partial", "1", "a.png"]


# Real processes and real signals


def started(repo, *arguments):
    command = [sys.executable, "-m", *arguments]
    environment = {**os.environ, "PYTHONPATH": str(repo)}
    return subprocess.Popen(command, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)


def ended_by(number, process, pattern, delay=0.0):
    """Sends a signal once a path like `pattern` exists; returns the exit status and what was printed as an error."""
    deadline = time.monotonic() + 120
    while not glob.glob(pattern) and process.poll() is None and time.monotonic() < deadline:
        time.sleep(0.002)
    time.sleep(delay)
    process.send_signal(number)
    _, err = process.communicate(timeout=120)
    return process.returncode, err


def partial(folder):
    return [name for name in os.listdir(folder) if name.endswith(".partial")]


def test_captchas_that_are_cut_short_by_a_signal_are_whole_files(repo, tmp_path):
    for number in (signal.SIGTERM, signal.SIGHUP, signal.SIGKILL):
        out = tmp_path / number.name
        draw = ("bin.make_captchas", f"--out={out}", "--count=5000", "--workers=1", "--overwrite")
        status, err = ended_by(number, started(repo, *draw), f"{out}/*-00050.png")
        if number == signal.SIGKILL:
            assert status == -number
        else:
            assert status == 128 + number
            assert err.splitlines()[-1].startswith(
                f"make_captchas: interrupted by {number.name}; all captchas in {out}"
            )
            assert partial(out) == []
        assert all(path.read_bytes().endswith(b"IEND\xaeB`\x82") for path in out.glob("*.png"))
        assert 50 < len(list(out.glob("*.png"))) < 5000
    # What a kill may leave goes with the next start.
    (out / ".0123-00001.png.01234567.partial").write_text("half")
    assert exit_status(make_captchas, f"--out={out}", "--count=1", "--workers=1", "--overwrite") == 0
    assert partial(out) == []


@pytest.mark.slow
def test_an_export_that_is_cut_short_by_a_signal_leaves_no_version_and_nothing_else(repo, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("TMPDIR", str(tmp_path / "tmp"))
    os.mkdir("tmp")
    assert exit_status(train_linear_regression, "--epochs=1", "--workdir=run", "--export_dir=") == 0
    export = ("bin.export", "--workdir=run", "--export_dir=exports")
    for number, delay in ((signal.SIGTERM, 0.0), (signal.SIGHUP, 1.0), (signal.SIGKILL, 0.5)):
        status, err = ended_by(number, started(repo, *export), "exports/run/.version.*", delay)
        left = os.listdir("exports/run")
        if number == signal.SIGKILL:
            assert status == -number
            assert left == partial("exports/run") != []
        else:
            assert status == 128 + number
            assert err.splitlines()[-1] == f"export: interrupted by {number.name}; finished output is kept."
            assert left == []
    process = started(repo, *export)
    process.communicate(timeout=120)
    assert (process.returncode, os.listdir("exports/run")) == (0, ["1"])
    assert [name for name in os.listdir("tmp") if "autograph" not in name] == []  # TensorFlow's own
