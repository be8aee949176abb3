"""The manifest of a run: what it lists, what it removes, and what it leaves alone."""

import os

import pytest

from tf2cases.training import manifest


def write(folder, *names):
    path = os.path.join(folder, *names)
    os.makedirs(os.path.dirname(path), exist_ok=True)
    with open(path, "w") as file:
        file.write("x")


def tree(folder):
    return sorted(os.path.relpath(os.path.join(at, name), folder) for at, _, names in os.walk(folder) for name in names)


def test_a_path_is_listed_once_and_before_it_is_written(tmp_path):
    path = manifest.add(tmp_path, "pictures", "a.png")
    assert path == str(tmp_path / "pictures" / "a.png")
    assert not os.path.exists(path)
    manifest.add(tmp_path, "pictures", "a.png")
    manifest.own(tmp_path, "本.txt")
    assert (tmp_path / "manifest.txt").read_text() == "pictures/a.png\n本.txt\n"


def test_a_file_of_somebody_else_is_left_alone_and_another_name_is_used(tmp_path):
    write(tmp_path, "pictures", "a.png")
    for _ in range(2):
        assert manifest.own(tmp_path, "pictures", "a.png") == str(tmp_path / "pictures" / "a-1.png")
        write(tmp_path, "pictures", "a-1.png")
    assert manifest.own(tmp_path, "b.png") == str(tmp_path / "b.png")
    write(tmp_path, "b.png")
    assert manifest.own(tmp_path, "b.png") == str(tmp_path / "b.png")


def test_everything_listed_is_removed_and_nothing_else(tmp_path):
    run, other = tmp_path / "run", tmp_path / "other"
    for names in (("metrics.jsonl",), ("pictures", "a_000100.png"), ("checkpoints", "step_1", "v", "data")):
        write(run, *names)
    manifest.add(run, "metrics.jsonl")
    manifest.add(run, "pictures", "a_000100.png")
    manifest.add(run, "checkpoints", "step_1")
    manifest.add(run, "never", "written.png")
    write(run, "damaged_metrics.jsonl")  # set aside by the run
    write(run, "pictures", "IMG_000123.png")
    write(run, "checkpoints", "mine")
    write(other, "kept")
    os.symlink(other, run / "linked")
    manifest.add(run, "linked")
    manifest.remove(run)
    assert tree(tmp_path) == ["other/kept", "run/checkpoints/mine", "run/pictures/IMG_000123.png"]
    assert sorted(os.listdir(run)) == ["checkpoints", "pictures"]


def test_folders_that_become_empty_are_removed(tmp_path):
    write(tmp_path, "pictures", "a.png")
    manifest.add(tmp_path, "pictures", "a.png")
    manifest.remove(tmp_path)
    assert os.listdir(tmp_path) == []
    manifest.remove(tmp_path)


@pytest.mark.parametrize("line", ["../secret", "/secret", "a/../../secret", "", "\0", "\xff" * 300])
def test_lines_that_a_run_never_writes_remove_nothing(tmp_path, line):
    run = tmp_path / "run"
    write(tmp_path, "secret")
    write(run, "a", "b")
    (run / "manifest.txt").write_text(f"{line}\n")
    manifest.remove(run)
    assert tree(tmp_path) == ["run/a/b", "secret"]


def test_names_that_no_run_has_listed_are_foreign(tmp_path):
    for names in (("b.txt",), ("a", "c"), (".git", "c"), ("pictures", "x.png")):
        write(tmp_path, *names)
    manifest.add(tmp_path, "pictures", "x.png")
    assert manifest.foreign(tmp_path) == ["a", "b.txt"]
