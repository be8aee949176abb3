"""Files and folders that are whole or absent, whatever stops their writer, and what failed in one sentence."""

import contextlib
import errno
import json
import os
import re
import signal
import subprocess
import sys
import threading

import pytest
import tensorflow as tf

from tf2cases import files
from tf2cases.errors import RunError, UsageError


def left(folder):
    return sorted(os.listdir(folder))


def killed(program):
    """Runs a program in a process of its own that ends by a kill."""
    code = f"import os, signal\nfrom tf2cases import files\n{program}"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == -signal.SIGKILL


# Files


@pytest.mark.parametrize("durable", [True, False])
def test_a_file_gets_its_name_when_it_is_whole(tmp_path, durable):
    path = tmp_path / "new" / "folder" / "a.txt"
    with files.replacing(path, "w", durable, encoding="utf-8") as file:
        file.write("ä")
        (name,) = left(path.parent)
        assert re.fullmatch(r"\.a\.txt\.[0-9a-f]{8}\.partial", name)
    assert left(path.parent) == ["a.txt"]
    assert path.read_bytes() == "ä".encode()


@pytest.mark.parametrize("error", [ValueError, KeyboardInterrupt])
def test_an_exception_leaves_the_older_file_and_nothing_else(tmp_path, error):
    (tmp_path / "a").write_text("old")

    def stopped():
        with files.replacing(tmp_path / "a") as file:
            file.write(b"half")
            raise error

    with pytest.raises(error):
        stopped()
    assert left(tmp_path) == ["a"]
    assert (tmp_path / "a").read_text() == "old"


@pytest.mark.parametrize("moment", ["made", "locked", "opened"])
def test_a_signal_at_any_moment_leaves_nothing(tmp_path, monkeypatch, moment):
    """Such as between the creation of the temporary file and its first byte, which takes long for small files."""

    def interrupted(*arguments):
        raise KeyboardInterrupt

    place, name = {"made": (os, "open"), "locked": (files, "try_hold"), "opened": (os.path, "exists")}[moment]
    with monkeypatch.context() as patch:
        patch.setattr(place, name, interrupted)
        with pytest.raises(KeyboardInterrupt), files._temporary(tmp_path, "a", os.mkdir, os.rmdir):
            pass
    assert left(tmp_path) == []


def test_a_full_disk_leaves_the_older_file_and_nothing_else(tmp_path, monkeypatch):
    def full(handle):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    (tmp_path / "a").write_text("old")
    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match="No space left"):
        files.write_bytes(tmp_path / "a", b"new")
    assert left(tmp_path) == ["a"]
    assert (tmp_path / "a").read_text() == "old"


def test_a_link_is_followed(tmp_path):
    (tmp_path / "real").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "real" / "a")
    for content in (b"1", b"2"):  # first it leads nowhere
        files.write_bytes(tmp_path / "link", content)
        assert (tmp_path / "link").is_symlink()
        assert (tmp_path / "real" / "a").read_bytes() == content
    assert left(tmp_path / "real") == ["a"]


def test_a_pipe_is_written_to_and_not_replaced(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    got = []
    reader = threading.Thread(target=lambda: got.append((tmp_path / "pipe").read_bytes()))
    reader.start()
    files.write_bytes(tmp_path / "pipe", b"through")
    reader.join(10)
    assert got == [b"through"]
    assert (tmp_path / "pipe").is_fifo()
    assert left(tmp_path) == ["pipe"]


def test_a_device_is_written_to_and_not_replaced():
    files.write_bytes(os.devnull, b"gone")
    with open(os.devnull, "rb") as file:
        assert file.read() == b""
    if os.path.exists("/dev/full"):
        with pytest.raises(OSError, match="No space left"):
            files.write_bytes("/dev/full", b"more")


def test_a_folder_is_not_replaced_by_a_file(tmp_path):
    (tmp_path / "a").mkdir()
    for path in (tmp_path / "a", ""):
        with pytest.raises(IsADirectoryError):
            files.write_bytes(path, b"")
    assert left(tmp_path) == ["a"]
    assert left(tmp_path / "a") == []


def test_a_link_that_leads_to_itself_is_not_replaced(tmp_path):
    (tmp_path / "a").symlink_to("a")
    with pytest.raises(OSError, match="Too many levels"):
        files.write_bytes(tmp_path / "a", b"")
    assert left(tmp_path) == ["a"]
    assert (tmp_path / "a").is_symlink()


@pytest.mark.parametrize("name", ["a" * 255, "本" * 85, "é" * 127, "a" * 237])
def test_the_longest_names_that_the_system_takes_can_be_written(tmp_path, name):
    (tmp_path / f".{os.fsdecode(name.encode()[:237])}.01234567.partial").write_text("left by a killed writer")
    files.write_bytes(tmp_path / name, b"whole")
    assert left(tmp_path) == [name]
    with files.temporary_folder(tmp_path, "b" * 255) as folder:
        files.publish(folder, str(tmp_path / ("b" * 255)))
    assert len(left(tmp_path)) == 2


def test_file_errors_name_the_file_and_not_its_temporary_name(tmp_path, monkeypatch):
    def full(handle):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    def refused(path, *arguments):
        raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), path)

    def cannot_rename(source, target):
        raise OSError(errno.EBUSY, os.strerror(errno.EBUSY), source, None, target)

    for place, name, failing in ((os, "fsync", full), (files, "open", refused), (os, "replace", cannot_rename)):
        with monkeypatch.context() as patch:
            patch.setattr(place, name, failing, raising=False)
            with pytest.raises(OSError, match=str(tmp_path)) as caught:
                files.write_bytes(tmp_path / "a", b"new")
        assert (caught.value.filename, caught.value.filename2) == (str(tmp_path / "a"), None)
    assert left(tmp_path) == []


# What can be written


def refusal(path):
    with pytest.raises(UsageError) as caught:
        files.check_target("--out", str(path))
    return str(caught.value)


def test_what_can_be_written_is_accepted_before_the_work_and_nothing_is_left(tmp_path):
    (tmp_path / "real").mkdir()
    (tmp_path / "real" / "old").write_text("")
    for link, target in (("to_old", "real/old"), ("to_new", "real/new"), ("to_link", "to_new")):
        (tmp_path / link).symlink_to(tmp_path / target)
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "to_pipe").symlink_to("pipe")
    for name in ("new", "real/old", "to_old", "to_new", "to_link", "pipe", "to_pipe"):
        files.check_target("--out", str(tmp_path / name))
    assert left(tmp_path / "real") == ["old"]


def test_what_cannot_be_written_is_refused_before_the_work(tmp_path):
    (tmp_path / "folder").mkdir()
    (tmp_path / "file").write_text("")
    links = {"to_folder": "folder", "to_nowhere": "none/a", "loop": "loop", "under_file": "file/a"}
    for link, target in links.items():
        (tmp_path / link).symlink_to(tmp_path / target)
    for name, why in {
        "folder": "must be a file, not a folder",
        "to_folder": "must be a file, not a folder",
        "new/": "must be a file, not a folder",
        "none/a": f"the folder {tmp_path}/none does not exist",
        "to_nowhere": f"the folder {tmp_path}/none does not exist",
        "under_file": f"the folder {tmp_path}/file does not exist",
        "loop": "it cannot be used: Too many levels of symbolic links",
        "x" * 256: "it cannot be used: File name too long",
    }.items():
        assert refusal(f"{tmp_path}/{name}").startswith(f"--out is '{tmp_path}/{name}', but {why}")


@pytest.mark.skipif(not os.path.isdir("/proc/self"), reason="needs a folder that not even root can write to")
def test_the_folder_of_a_links_target_must_be_writable_and_not_that_of_the_link(tmp_path):
    (tmp_path / "link").symlink_to("/proc/new")
    assert refusal(tmp_path / "link").endswith(
        "but /proc cannot be written to; it must be a file in a writable folder."
    )
    assert files.can_write_in(tmp_path)
    assert not files.can_write_in("/proc")
    assert left(tmp_path) == ["link"]


@pytest.mark.skipif(not os.path.isdir("/proc/self/fd"), reason="needs names for open handles")
def test_an_open_pipe_is_written_to_by_its_name(tmp_path):
    """That of /dev/stdout leads, once resolved, to a name that is no path."""
    reading, writing = os.pipe()
    (tmp_path / "out.png").symlink_to(f"/proc/self/fd/{writing}")
    files.check_target("--out", str(tmp_path / "out.png"))
    files.write_bytes(tmp_path / "out.png", b"through")
    assert os.read(reading, 99) == b"through"
    os.close(reading)
    os.close(writing)


def test_text_and_json(tmp_path):
    files.write_text(tmp_path / "a", "caf\udce9 ä\n")
    assert (tmp_path / "a").read_bytes() == b"caf\xe9 \xc3\xa4\n"
    files.write_json(tmp_path / "b", {"name": "火鸡", "n": 1})
    assert (tmp_path / "b").read_text(encoding="utf-8") == '{\n  "name": "火鸡",\n  "n": 1\n}\n'
    assert json.loads((tmp_path / "b").read_bytes()) == {"name": "火鸡", "n": 1}


# What killed processes leave


def test_what_a_killed_writer_left_is_swept_and_a_live_writers_is_kept(tmp_path):
    (tmp_path / "a").write_text("old")
    kill = "os.kill(os.getpid(), signal.SIGKILL)"
    killed(f"with files.replacing({str(tmp_path / 'a')!r}) as file: file.write(b'half'); file.flush(); {kill}")
    assert len(left(tmp_path)) == 2
    assert (tmp_path / "a").read_text() == "old"
    with files.replacing(tmp_path / "b") as file:
        file.write(b"live")
        files.sweep(tmp_path)
        assert [re.sub("[0-9a-f]{8}", "*", name) for name in left(tmp_path)] == [".b.*.partial", "a"]
    assert (tmp_path / "b").read_bytes() == b"live"


def test_the_next_writer_of_a_file_sweeps_its_leftovers_alone(tmp_path):
    others = [".a.0123ABCD.partial", ".a.partial", ".b.0123abcd.partial", "a.0123abcd.partial"]
    for name in (".a.0123abcd.partial", *others):
        (tmp_path / name).write_text("")
    files.write_bytes(tmp_path / "a", b"")
    assert left(tmp_path) == sorted(["a", *others])


def test_a_killed_process_leaves_a_folder_that_is_swept_and_a_live_ones_is_kept(tmp_path):
    kill = "open(path + '/file', 'w').close(); os.kill(os.getpid(), signal.SIGKILL)"
    killed(f"with files.temporary_folder({str(tmp_path)!r}, 'a') as path: {kill}")
    (dead,) = left(tmp_path)
    assert re.fullmatch(r"\.a\.[0-9a-f]{8}\.partial", dead)
    with files.temporary_folder(tmp_path, "b") as live:
        files.sweep(tmp_path)
        assert left(tmp_path) == [os.path.basename(live)]
    assert left(tmp_path) == []


def test_sweeping_touches_nothing_through_links_and_never_waits_or_fails(tmp_path):
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / ".a.0123abcd.partial").symlink_to(tmp_path / "elsewhere")
    os.mkfifo(tmp_path / ".b.0123abcd.partial")
    files.sweep(tmp_path)
    files.sweep(tmp_path / "nowhere")
    assert (tmp_path / "elsewhere").is_dir()
    assert (tmp_path / ".a.0123abcd.partial").is_symlink()


# Folders


def test_a_folder_gets_its_name_when_it_is_whole(tmp_path):
    parent = tmp_path / "new"
    with files.temporary_folder(parent, "a") as path:
        os.makedirs(os.path.join(path, "deep"))
        files.write_text(os.path.join(path, "deep", "file"), "1")
        assert left(parent) == [os.path.basename(path)]
        files.publish(path, str(parent / "a"))
    assert left(parent) == ["a"]
    assert (parent / "a" / "deep" / "file").read_text() == "1"


def test_a_folder_that_is_not_published_vanishes(tmp_path):
    def stopped():
        with files.temporary_folder(tmp_path, "a") as path:
            files.write_text(os.path.join(path, "file"), "1")
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        stopped()
    assert left(tmp_path) == []


def test_a_folder_replaces_another_only_if_it_is_told_to(tmp_path):
    (tmp_path / "a").mkdir()
    (tmp_path / "a" / "old").write_text("")
    with files.temporary_folder(tmp_path, "a") as path:
        files.write_text(os.path.join(path, "new"), "")
        with pytest.raises(OSError, match="not empty"):
            files.publish(path, str(tmp_path / "a"))
        assert left(tmp_path / "a") == ["old"]
        files.publish(path, str(tmp_path / "a"), replace=True)
    assert left(tmp_path) == ["a"]
    assert left(tmp_path / "a") == ["new"]


def test_a_folder_is_published_in_the_working_directory(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with files.temporary_folder(".", "a") as path:
        files.publish(path, "a")
    assert left(tmp_path) == ["a"]


def test_a_folder_that_is_swept_before_it_is_locked_is_made_again(tmp_path, monkeypatch):
    mkdir, swept = os.mkdir, []

    def interrupted(path, *arguments):
        mkdir(path, *arguments)
        if not swept:
            swept.append(path)
            files.sweep(tmp_path)

    monkeypatch.setattr(os, "mkdir", interrupted)
    with files.temporary_folder(tmp_path, "a") as path:
        assert [path] != swept
        assert left(tmp_path) == [os.path.basename(path)]


def test_removing_a_folder(tmp_path):
    (tmp_path / "a" / "deep").mkdir(parents=True)
    (tmp_path / "a" / "deep" / "file").write_text("")
    (tmp_path / "link").symlink_to(tmp_path / "a")
    files.remove_folder(str(tmp_path / "link"))
    assert left(tmp_path) == ["a"]
    assert left(tmp_path / "a") == ["deep"]
    files.remove_folder(str(tmp_path / "a"))
    assert left(tmp_path) == []
    with pytest.raises(FileNotFoundError):
        files.remove_folder(str(tmp_path / "a"))


def test_a_folder_is_gone_by_its_name_before_it_is_emptied(tmp_path):
    (tmp_path / "a").mkdir()
    kill = "files.shutil.rmtree = lambda path: os.kill(os.getpid(), signal.SIGKILL)"
    killed(f"{kill}\nfiles.remove_folder({str(tmp_path / 'a')!r})")
    (leftover,) = left(tmp_path)
    assert leftover.endswith(".partial")
    files.sweep(tmp_path)
    assert left(tmp_path) == []


# Locks


def test_a_lock_is_held_by_one_and_freed_with_its_file(tmp_path):
    with open(tmp_path / "lock", "w") as first:
        assert files.try_hold(first)
        with open(tmp_path / "lock", "w") as second:
            assert not files.try_hold(second)
    with open(tmp_path / "lock", "w") as third:
        assert files.try_hold(third)


def test_who_waits_says_so_and_for_what(tmp_path, capsys):
    with open(tmp_path / "lock", "w") as free:
        files.hold(free, "does nothing")
    assert capsys.readouterr().out == ""
    first = open(tmp_path / "lock", "w")
    files.hold(first, "does nothing")
    held = threading.Event()

    def wait():
        with open(tmp_path / "lock", "w") as second:
            files.hold(second, "draws faces")
            held.set()

    waiting = threading.Thread(target=wait)
    waiting.start()
    assert not held.wait(0.3)
    first.close()
    assert held.wait(10)
    waiting.join()
    assert capsys.readouterr().out == "Waiting for another process that draws faces.\n"


# What failed


def raised(function):
    try:
        function()
    except Exception as error:
        return error
    raise AssertionError("nothing was raised")


def test_the_reason_of_what_python_raises(tmp_path):
    assert files.reason(raised(lambda: open(tmp_path / "none"))) == "No such file or directory"
    assert files.reason(OSError("more than 5 MiB")) == "more than 5 MiB"
    assert files.reason(ValueError()) == "ValueError"


def test_the_reason_of_what_tensorflow_raises(tmp_path):
    full = tf.errors.ResourceExhaustedError(None, None, "{{function_node x}} /run/ckpt; write failed [Op:SaveV2]")
    assert files.reason(full) == "No space left on device"
    missing = raised(lambda: tf.io.read_file(str(tmp_path / "none")))
    assert files.reason(missing) == f"{tmp_path}/none; No such file or directory"
    assert files.reason(tf.errors.UnknownError(None, None, "[Op:SaveV2]")) == "UnknownError"


@pytest.mark.parametrize(
    "error",
    [OSError(errno.ENOSPC, os.strerror(errno.ENOSPC)), tf.errors.ResourceExhaustedError(None, None, "write failed")],
)
def test_a_full_disk_is_one_sentence_whoever_reports_it(error):
    sentence = r"^runs/x could not be written: No space left on device; what was saved before is intact\.$"
    with pytest.raises(RunError, match=sentence) as caught, files.writing("runs/x"):
        raise error
    assert caught.value.__cause__ is error


def test_other_errors_pass():
    for error in (ValueError("x"), RunError("y"), KeyboardInterrupt()):
        with pytest.raises(type(error)) as caught, files.writing("runs/x"):
            raise error
        assert caught.value is error


def test_tensorflow_is_neither_needed_nor_loaded():
    program = (
        "import sys; from tf2cases import files; "
        "sys.exit(files.failures() != (OSError,) or 'tensorflow' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", program], check=False).returncode == 0
    assert tf.errors.OpError in files.failures()
    with contextlib.suppress(*files.failures()):
        raise tf.errors.DataLossError(None, None, "x")


# Names that TensorFlow does not read as they are


@pytest.mark.parametrize("name", ["plain", "a[1]", "[", "]", "a\\b", "\\", "*", "?", "本 ä", os.fsdecode(b"caf\xe9")])
def test_a_checkpoint_is_read_in_a_folder_and_with_a_prefix_of_any_name(tmp_path, name):
    (tmp_path / name).mkdir()
    with files.literal(tmp_path / name) as place:
        tf.train.Checkpoint(x=tf.Variable(5.0)).write(os.path.join(place, "v"))
    assert left(tmp_path / name) == ["v.data-00000-of-00001", "v.index"]
    with files.literal(tmp_path / name / "v") as prefix:
        assert tf.train.load_checkpoint(prefix).get_tensor("x/.ATTRIBUTES/VARIABLE_VALUE") == 5
    for end in ("index", "data-00000-of-00001"):
        os.rename(tmp_path / name / f"v.{end}", tmp_path / f"p{name}.{end}")
    with files.literal(tmp_path / f"p{name}") as prefix:
        assert tf.train.load_checkpoint(prefix).get_tensor("x/.ATTRIBUTES/VARIABLE_VALUE") == 5
    assert (prefix == str(tmp_path / f"p{name}")) == (name in ("plain", "本 ä"))
    assert not os.path.exists(prefix)  # the link, not what it led to
    assert left(tmp_path / name) == []


def test_literal_names_do_not_need_an_ordinary_temporary_folder(tmp_path, monkeypatch):
    (tmp_path / "[").mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path / "["))
    with files.literal(tmp_path / "[") as place:
        assert "[" not in place
        assert os.path.samefile(place, tmp_path / "[")
