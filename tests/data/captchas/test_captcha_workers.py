"""The processes that draw: the same pictures however many, no TensorFlow in them, and none left behind."""

import os
import signal
import subprocess
import sys

import pytest

from tf2cases.data.captchas.drawing import Kind
from tf2cases.data.captchas.workers import Workers
from tf2cases.errors import RunError

_KIND = Kind("0123456789", 4, 160, 60, "test", 0)


@pytest.fixture
def process_ids(monkeypatch):
    """The ids of the processes that workers start, as a list that grows."""
    ids = []

    class Recorded(subprocess.Popen):
        def __init__(self, *args, **kwargs):
            super().__init__(*args, **kwargs)
            if kwargs.get("pass_fds"):  # the workers' pipes; libraries start processes, too
                ids.append(self.pid)

    monkeypatch.setattr(subprocess, "Popen", Recorded)
    return ids


def test_pictures_do_not_depend_on_the_number_of_workers():
    drawn = []
    for count in (1, 2, 3):
        with Workers(count) as workers:
            drawn.append([list(workers.draw(_KIND, 7, 130, form)) for form in ("grey", "png")])
    assert drawn[0] == drawn[1] == drawn[2]
    assert [len(form) for form in drawn[0]] == [130, 130]
    with Workers(1) as workers:
        assert list(workers.draw(_KIND, 100, 1, "grey")) == drawn[0][0][93:94]


def test_workers_change_the_package_in_themselves_only():
    import secrets

    import captcha.image

    with Workers(1) as workers:
        list(workers.draw(_KIND, 0, 1, "grey"))
    assert captcha.image.secrets is secrets


@pytest.mark.skipif(not os.path.exists("/proc/self/maps"), reason="needs Linux's /proc")
def test_tensorflow_is_not_in_the_workers(process_ids):
    import tensorflow  # noqa: F401  in the parent

    with Workers(1) as workers:
        list(workers.draw(_KIND, 0, 1, "grey"))
        with open(f"/proc/{process_ids[0]}/maps", encoding="utf-8") as file:
            libraries = file.read()
    assert "PIL" in libraries
    assert "tensorflow" not in libraries


def test_a_failure_in_a_worker_reaches_the_parent():
    with Workers(2) as workers:
        with pytest.raises(RunError, match=r"A process that draws captchas failed: division by zero\.$"):
            list(workers.draw(Kind("01", 0, 160, 60, "test", 0), 0, 10, "grey"))


def test_a_killed_worker_is_noticed(process_ids):
    with Workers(2) as workers:
        os.kill(process_ids[1], signal.SIGKILL)
        with pytest.raises(RunError, match=r"ended with exit status -9 before its work was done"):
            list(workers.draw(_KIND, 0, 300, "grey"))


def test_workers_are_gone_afterwards(process_ids):
    with Workers(2) as workers:
        next(workers.draw(_KIND, 0, 500, "grey"))  # and leaves the rest
    assert len(process_ids) == 2
    for process_id in process_ids:
        with pytest.raises(ProcessLookupError):
            os.kill(process_id, 0)


@pytest.mark.parametrize("busy", [False, True])
def test_workers_die_with_a_killed_parent(busy):
    program = (
        "import sys, time\n"
        "from tf2cases.data.captchas.drawing import Kind\n"
        "from tf2cases.data.captchas.workers import Workers\n"
        "with Workers(2) as workers:\n"
        "    drawing = workers.draw(Kind('01', 4, 160, 60, 'test', 0), 0, 10**5, 'grey')\n"
        f"    for _ in range({60 if busy else 1}): next(drawing)\n"
        "    print('ready', flush=True)\n"
        f"    for _ in drawing if {busy} else (): pass\n"
        "    time.sleep(100)\n"
    )
    with subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE) as parent:
        assert parent.stdout.readline() == b"ready\n"
        parent.kill()
        # The workers share the parent's standard output, so its end comes when the last of them is gone.
        rest, _ = parent.communicate(timeout=30)
    assert rest == b""
