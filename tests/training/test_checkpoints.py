"""Checkpoints are complete or absent."""

import errno
import os
import pathlib
import re
import shutil
import subprocess
import sys

import pytest
import tensorflow as tf

from tf2cases.errors import RunError, UsageError
from tf2cases.training import checkpoints

RUN = "a run"


def model(value=0.0, size=3):
    module = tf.Module()
    module.weights = tf.Variable(tf.fill([size], value))
    return module


def save(directory, *steps, keep=None):
    for step in steps:
        checkpoints.save(str(directory), step, RUN, keep, model=model(float(step)))


def restore(directory, step=None):
    restored = model()
    found = checkpoints.restore(str(directory), RUN, step, model=restored)
    return found, restored.weights.numpy().tolist()


def damage(directory, step):
    """Flips bits of the stored weights."""
    (data,) = (directory / f"step_{step:08d}").glob("*.data-*")
    content = bytearray(data.read_bytes())
    content[0] ^= 0xFF
    data.write_bytes(content)


def no_space(*args, **kwargs):
    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


def test_what_was_saved_is_restored(tmp_path):
    save(tmp_path, 7)
    assert restore(tmp_path) == (7, [7.0, 7.0, 7.0])
    assert os.listdir(tmp_path) == ["step_00000007"]


def test_without_checkpoints_nothing_is_restored(tmp_path):
    assert restore(tmp_path) == (None, [0.0, 0.0, 0.0])
    assert restore(tmp_path / "missing") == (None, [0.0, 0.0, 0.0])
    assert checkpoints.steps(str(tmp_path / "missing")) == []


def test_the_newest_is_restored_by_number_and_not_by_name_or_time(tmp_path):
    save(tmp_path, 9, 123456789, 10)  # a step of more digits than the name is padded to
    assert checkpoints.steps(str(tmp_path)) == [9, 10, 123456789]
    assert restore(tmp_path)[0] == 123456789


@pytest.mark.parametrize("keep", [1, 2, 3])
def test_the_newest_few_are_kept(tmp_path, keep):
    save(tmp_path, 1, 2, 3, 4, 5, keep=keep)
    assert checkpoints.steps(str(tmp_path)) == [1, 2, 3, 4, 5][-keep:]


def test_all_are_kept_by_default(tmp_path):
    save(tmp_path, 1, 2, 3, 4, 5)
    assert checkpoints.steps(str(tmp_path)) == [1, 2, 3, 4, 5]


def test_a_given_step_is_restored(tmp_path):
    save(tmp_path, 1, 2, 3)
    assert restore(tmp_path, step=2) == (2, [2.0, 2.0, 2.0])


def test_a_step_that_was_not_saved_is_refused_with_those_that_were(tmp_path):
    save(tmp_path, 10, 20)
    message = rf"^--step is 5, but {re.escape(str(tmp_path))} has checkpoints of these steps only: 10, 20\.$"
    with pytest.raises(UsageError, match=message):
        restore(tmp_path, step=5)
    with pytest.raises(UsageError, match=r"has checkpoints of these steps only: none\.$"):
        restore(tmp_path / "missing", step=5)


def test_saving_a_step_again_replaces_it(tmp_path):
    save(tmp_path, 3)
    checkpoints.save(str(tmp_path), 3, RUN, model=model(8.0))
    assert restore(tmp_path) == (3, [8.0, 8.0, 8.0])


def test_folders_left_by_a_kill_are_ignored_and_removed_by_the_next_save(tmp_path):
    save(tmp_path, 1)
    shutil.copytree(tmp_path / "step_00000001", tmp_path / ".step_00000002.01234567.partial")
    assert checkpoints.steps(str(tmp_path)) == [1]
    assert restore(tmp_path)[0] == 1
    save(tmp_path, 3)
    assert sorted(os.listdir(tmp_path)) == ["step_00000001", "step_00000003"]


@pytest.mark.parametrize("harm", ["bits", "truncated", "no index", "empty folder"])
def test_a_damaged_newest_checkpoint_is_passed_over_with_a_warning(tmp_path, harm, monkeypatch):
    save(tmp_path, 1, 2)
    newest = tmp_path / "step_00000002"
    if harm == "bits":
        damage(tmp_path, 2)
    elif harm == "truncated":
        next(newest.glob("*.data-*")).write_bytes(b"")
    elif harm == "no index":
        next(newest.glob("*.index")).unlink()
    else:
        shutil.rmtree(newest)
        newest.mkdir()
    warnings = []
    monkeypatch.setattr(tf.get_logger(), "warning", lambda text, *args: warnings.append(text % args))
    assert restore(tmp_path) == (1, [1.0, 1.0, 1.0])
    assert len(warnings) == 1
    assert re.match(r"the checkpoint of step 2 is damaged: .+", warnings[0])


def test_when_none_can_be_read_that_is_an_error(tmp_path):
    save(tmp_path, 1, 2)
    damage(tmp_path, 1)
    damage(tmp_path, 2)
    with pytest.raises(RunError, match=rf"^none of the checkpoints in {re.escape(str(tmp_path))} can be read; "):
        restore(tmp_path)


def test_variables_that_do_not_match_are_an_error(tmp_path):
    save(tmp_path, 1)
    with pytest.raises(RunError, match=r"step_00000001 was saved by another version, or from another case \(.+\)\.$"):
        checkpoints.restore(str(tmp_path), RUN, model=model(size=4))
    other = model()
    other.more = tf.Variable(0.0)
    with pytest.raises(RunError, match="was saved by another version, or from another case"):
        checkpoints.restore(str(tmp_path), RUN, model=other)


def test_a_part_of_what_was_saved_can_be_restored_when_that_is_wanted(tmp_path):
    checkpoints.save(str(tmp_path), 4, RUN, model=model(4.0), progress=model(1.0))
    with pytest.raises(RunError, match="was saved by another version, or from another case"):
        restore(tmp_path)
    part = model()
    assert checkpoints.restore(str(tmp_path), RUN, partial=True, model=part) == 4
    assert part.weights.numpy().tolist() == [4.0, 4.0, 4.0]


@pytest.mark.parametrize("keep", [1, 2])
def test_a_run_goes_on_before_a_damaged_checkpoint_which_is_set_aside(tmp_path, keep):
    save(tmp_path, 10, 20, 30)
    damage(tmp_path, 30)
    assert checkpoints.restore(str(tmp_path), RUN, set_aside=True, model=model()) == 20
    assert sorted(os.listdir(tmp_path)) == ["damaged_step_00000030", "step_00000010", "step_00000020"]
    save(tmp_path, 25, keep=keep)
    assert checkpoints.steps(str(tmp_path)) == [20, 25][-keep:]
    assert restore(tmp_path)[0] == 25
    assert (tmp_path / "damaged_step_00000030").is_dir()


def test_only_damage_leads_back_to_an_older_checkpoint(tmp_path, monkeypatch):
    save(tmp_path, 10, 20)

    def no_memory(*args):
        raise tf.errors.ResourceExhaustedError(None, None, "OOM when allocating tensor")

    monkeypatch.setattr(tf.train.Checkpoint, "read", no_memory)
    with pytest.raises(RunError, match=r"step_00000020 could not be read: OOM when allocating tensor\.$"):
        checkpoints.restore(str(tmp_path), RUN, set_aside=True, model=model())
    assert checkpoints.steps(str(tmp_path)) == [10, 20]

    def out_of_memory(*args):
        raise MemoryError

    monkeypatch.setattr(tf.train.Checkpoint, "read", out_of_memory)
    with pytest.raises(MemoryError):
        checkpoints.restore(str(tmp_path), RUN, set_aside=True, model=model())
    assert checkpoints.steps(str(tmp_path)) == [10, 20]


def test_any_flipped_bit_that_matters_is_taken_for_damage(tmp_path):
    save(tmp_path, 10)
    problems = []
    for path in sorted((tmp_path / "step_00000010").iterdir()):
        whole = path.read_bytes()
        for i in range(0, len(whole), 97):
            path.write_bytes(whole[:i] + bytes([whole[i] ^ 4]) + whole[i + 1 :])
            try:
                assert restore(tmp_path) == (10, [10.0, 10.0, 10.0])  # a byte that nothing reads
            except RunError as error:
                problems.append(str(error))
        path.write_bytes(whole)
    assert len(problems) >= 3
    assert all("none of the checkpoints" in problem for problem in problems)


@pytest.mark.parametrize("where", ["fsync", "write", "rename", "makedirs"])
def test_a_full_disk_leaves_the_previous_checkpoint_and_no_rest(tmp_path, where, monkeypatch):
    save(tmp_path, 10)
    with monkeypatch.context() as patched:
        if where == "write":
            patched.setattr(tf.train.Checkpoint, "write", no_space)
        else:
            patched.setattr(os, where, no_space)
        with pytest.raises(
            RunError,
            match=rf"^the checkpoint of step 20 could not be written to {re.escape(str(tmp_path))}: "
            r"No space left on device; the previous one, of step 10, is intact\.$",
        ):
            save(tmp_path, 20, keep=1)
    assert os.listdir(tmp_path) == ["step_00000010"]
    assert restore(tmp_path) == (10, [10.0, 10.0, 10.0])
    save(tmp_path, 20, keep=1)
    assert restore(tmp_path)[0] == 20


def test_a_full_disk_at_the_first_checkpoint_says_that_there_is_none(tmp_path, monkeypatch):
    monkeypatch.setattr(os, "fsync", no_space)
    with pytest.raises(RunError, match=r"No space left on device; no earlier one exists\.$"):
        save(tmp_path, 20)


def test_a_file_that_really_cannot_grow_is_reported_by_tensorflow_and_survived(tmp_path):
    # The kernel's limit on a file's size stands for a full disk, which takes a file system of one's own.
    script = """
import resource, sys
import tensorflow as tf
from tf2cases.errors import RunError
from tf2cases.training import checkpoints
module = tf.Module()
module.weights = tf.Variable(tf.ones([100000]))
checkpoints.save(sys.argv[1], 1, "a run", model=module)
resource.setrlimit(resource.RLIMIT_FSIZE, (200000, 200000))
try:
    checkpoints.save(sys.argv[1], 2, "a run", model=module)
except RunError as error:
    print("RunError:", error)
"""
    repo = pathlib.Path(checkpoints.__file__).resolve().parents[2]
    ended = subprocess.run(
        [sys.executable, "-c", script, str(tmp_path)], capture_output=True, text=True, timeout=120, cwd=repo
    )
    assert re.match(
        r"RunError: the checkpoint of step 2 could not be written to .*: .+; "
        r"the previous one, of step 1, is intact\.\n$",
        ended.stdout,
    ), ended
    assert os.listdir(tmp_path) == ["step_00000001"]
    assert restore_ones(tmp_path)


def restore_ones(directory):
    restored = model(size=100000)
    checkpoints.restore(str(directory), RUN, model=restored)
    return bool(tf.reduce_all(restored.weights == 1.0))
