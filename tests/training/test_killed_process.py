"""Real processes, real signals: a run that is terminated, killed and started again ends like an uninterrupted one."""

import random
import re
import signal
import subprocess
import sys
import time

import pytest

STEPS = 400


def start(repo, workdir):
    command = [
        sys.executable,
        "-m",
        "bin.train_mnist",
        "--dataset=mnist_sample",
        "--model=mlp",
        "--deterministic",
        f"--workdir={workdir}",
        f"--steps={STEPS}",
        "--batch_size=16",
        "--log_every=10",
        "--eval_every=150",
        "--checkpoint_every=60",
        "--export_dir=",
    ]
    return subprocess.Popen(command, cwd=repo, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def finish(process):
    out, err = process.communicate(timeout=180)
    return process.returncode, out, err


def signal_after(process, number, step, runs, name):
    """Sends a signal once a report of `step` or later is there, and returns how the process ended."""
    deadline = time.monotonic() + 180
    while time.monotonic() < deadline and process.poll() is None:
        try:
            if runs.records(name)[-1]["step"] >= step:
                process.send_signal(number)
                break
        except (OSError, ValueError, IndexError):  # not there yet, or half a line
            pass
        time.sleep(0.005)
    return finish(process)


@pytest.fixture(scope="module")
def story(repo, runs_in, tmp_path_factory):
    """What happened: ({name: (exit status, stdout, stderr)}, the runs, steps in the checkpoints after each end)."""
    runs = runs_in(tmp_path_factory.mktemp("killed"))
    # Another moment each time: what is promised holds for all of them. A failure shows which one it was.
    moments = {"terminated": random.randrange(10, 120), "killed": random.randrange(180, 280)}
    uninterrupted = start(repo, runs.path / "whole")
    ended, saved = {}, {}
    for name, number in (("terminated", signal.SIGTERM), ("killed", signal.SIGKILL)):
        ended[name] = signal_after(start(repo, runs.path / "parts"), number, moments[name], runs, "parts")
        saved[name] = runs.checkpoints("parts")
    ended["finished"] = finish(start(repo, runs.path / "parts"))
    ended["whole"] = finish(uninterrupted)
    print(moments)
    return ended, runs, saved


def test_a_terminated_run_ends_with_143_and_says_how_to_go_on_from_its_last_step(story):
    ended, _, saved = story
    status, out, err = ended["terminated"]
    assert status == 143, err
    step = int(re.search(r"^SIGTERM: saved at step (\d+); the same command resumes from there\.$", out, re.M)[1])
    assert saved["terminated"][-1] == step
    assert 10 <= step < STEPS


def test_the_next_start_goes_on_from_there(story):
    ended, _, saved = story
    status, out, _ = ended["killed"]
    assert status == -signal.SIGKILL
    assert f"resuming from step {saved['terminated'][-1]}\n" in out
    status, out, err = ended["finished"]
    assert status == 0, err
    assert f"resuming from step {saved['killed'][-1]}\n" in out


def test_after_all_that_weights_slots_and_reports_are_those_of_an_uninterrupted_run(story):
    ended, runs, _ = story
    assert ended["whole"][0] == 0, ended["whole"]
    assert runs.checkpoints("parts") == runs.checkpoints("whole") == [300, 360, 400]
    runs.assert_identical("parts", "whole")
