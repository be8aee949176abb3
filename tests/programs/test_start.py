"""How programs start: quickly if they need no TensorFlow, and without a traceback if Ctrl-C stops them."""

import os
import signal
import statistics
import subprocess
import sys

import pytest
from test_help import MISTAKES, names_in

from tf2cases import quiet

LIMIT = 0.5  # seconds of processor time


def processor_time(command, repo):
    """Seconds of processor time, system calls included, that a process takes."""
    process = subprocess.Popen(command, cwd=repo, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    _, _, usage = os.wait4(process.pid, 0)
    process.returncode = 0  # it has been waited for
    return usage.ru_utime + usage.ru_stime


def test_help_and_mistakes_are_answered_within_half_a_second_of_processor_time(repo):
    wrong = {name: list(flags) for name, *flags in MISTAKES}
    slow = {}
    for name in sorted(names_in(repo / "bin") - {"__main__"}):
        forms = [["--help"], ["--helpshort"], ["--helpfull"], ["--no_such_flag"], wrong.get(name, ["stray"])]
        # The five forms take the same way through the program, so one run of each serves as five runs.
        times = [processor_time([sys.executable, "-m", f"bin.{name}", *form], repo) for form in forms]
        if statistics.median(times) > LIMIT:
            slow[name] = times
    listing = [processor_time([sys.executable, "-m", "bin"], repo) for _ in range(5)]
    if statistics.median(listing) > LIMIT:
        slow["bin"] = listing
    assert not slow


# A module that Python imports when it starts: sends SIGINT when a certain module is about to be imported.
INTERRUPTER = """
import os, signal, sys

class Interrupter:
    def find_spec(self, name, path=None, target=None):
        if name == os.environ["INTERRUPTED_IMPORT"]:
            os.kill(os.getpid(), signal.SIGINT)

sys.meta_path.insert(0, Interrupter())
signal.signal(signal.SIGINT, signal.default_int_handler)
"""
# From the first import after the launcher's package to those after TensorFlow's.
MOMENTS = [
    "tf2cases.programs",
    "absl",
    "tf2cases.configs.run",
    "tensorflow",
    "tensorflow.python.framework.ops",
    "tf2cases.training",
]
CALLS = {
    "launcher": ["-m", "bin.train_mnist"],
    "command": ["-c", "import sys; sys.argv[0] = 'tf2cases'; from tf2cases.programs import command; command.main()"],
}


@pytest.mark.parametrize(
    ("call", "moment"),
    # The command itself is in the package tf2cases.programs.
    [
        *((call, moment) for call in CALLS for moment in MOMENTS if (call, moment) != ("command", "tf2cases.programs")),
        ("command", "inspect"),  # by pkgutil, which finds the programs before `main` is called
    ],
)
def test_ctrl_c_during_an_import_prints_one_line(repo, tmp_path, call, moment):
    (tmp_path / "sitecustomize.py").write_text(INTERRUPTER)
    environment = {
        **os.environ,
        "PYTHONPATH": os.pathsep.join([str(tmp_path), str(repo)]),
        "INTERRUPTED_IMPORT": moment,
    }
    words = ["train_mnist"] if call == "command" else []
    command = [sys.executable, *CALLS[call], *words, "--dataset=mnist_sample", "--steps=1"]
    done = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True)
    assert done.stderr.startswith("train_mnist: interrupted; ")
    assert (done.returncode, done.stderr.count("\n"), done.stdout) == (130, 1, "")


def test_an_ignored_interrupt_stays_ignored(monkeypatch):
    monkeypatch.setattr(quiet, "_guarded", False)
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        quiet.guard_start()
        assert signal.getsignal(signal.SIGINT) is signal.SIG_IGN
        quiet.end_guard()
        assert signal.getsignal(signal.SIGINT) is signal.SIG_IGN
    finally:
        signal.signal(signal.SIGINT, before)


def test_importing_the_launchers_does_not_change_what_ctrl_c_does():
    handler = signal.getsignal(signal.SIGINT)
    for name in [name for name in sys.modules if name == "bin" or name.startswith("bin.")]:
        del sys.modules[name]
    import bin.train_mnist  # noqa: F401

    assert signal.getsignal(signal.SIGINT) is handler
