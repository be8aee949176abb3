"""SIGTERM and SIGHUP end a program as Ctrl-C does: what is unfinished is removed, and the exit status is 128 + n."""

import os
import signal
import types

import pytest
from program_call import exit_status

from tf2cases import files
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
