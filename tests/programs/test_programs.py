"""The programs from the command line: what they print, what they leave, and how they end."""

import functools
import json
import os
import re
import shlex
import shutil
import socket
import subprocess
import sys

import numpy as np
import pytest
from program_call import exit_status

from tf2cases import viz
from tf2cases.data import idx
from tf2cases.programs import (
    case_programs,
    classify_image,
    evaluate,
    export,
    make_captchas,
    make_wordcloud,
    predict,
    retrain,
    sample_vae,
    serve,
    train_autoencoder,
    train_captcha,
    train_dcgan,
    train_linear_regression,
    train_mnist,
)

train_houses = functools.partial(exit_status, train_linear_regression)
train_digits = functools.partial(exit_status, train_mnist)


@pytest.fixture(autouse=True)
def in_an_empty_folder(tmp_path, monkeypatch):
    """Default places are relative; and no test may reach for TFDS' folder at home."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("TFDS_DATA_DIR", str(tmp_path / "tfds"))


@pytest.fixture
def unchecked(monkeypatch):
    """Exports without the fresh process, which has its own tests."""
    from tf2cases.serving import verify

    monkeypatch.setattr(verify, "in_fresh_process", lambda *args: None)


def sentence(capsys):
    """The one line on standard error."""
    lines = [line for line in capsys.readouterr().err.splitlines() if line.strip()]
    assert len(lines) == 1, lines
    return lines[0]


def test_houses_are_trained_evaluated_and_exported_with_default_places(capsys, unchecked):
    assert train_houses("--epochs=20") == 0
    out = capsys.readouterr().out
    assert "Epoch 10 \t Loss=0.4116 \t Model: y = 0.0791x1 + 0.03948x2 + " in out
    assert "Epoch 20 \t Loss=0.353 \t Model: y = 0.1489x1 + 0.07135x2 + " in out
    assert "Closed form:" in out
    assert re.search(
        r"Done: 20 steps; the run is in runs/linear_regression; it is exported to \S*/linear_regression/1\.", out
    )
    assert sorted(os.listdir("runs/linear_regression/pictures")) == [
        "curves.png",
        "price_against_square_feet.png",
        "scatter_3d.png",
        "scatter_3d_normalised.png",
    ]
    assert exit_status(evaluate, "--workdir=runs/linear_regression") == 0
    assert "loss: 0.3530" in capsys.readouterr().out  # 0.353 in the original
    assert exit_status(export, "--workdir=runs/linear_regression", "--no_warmup") == 0
    assert os.path.isdir("exports/linear_regression/2")


def test_digits_are_trained_for_two_steps_and_go_on_to_four(capsys):
    short = ("--dataset=mnist_sample", "--model=mlp", "--export_dir=", "--workdir=w")
    assert train_digits(*short, "--steps=2") == 0
    assert train_digits(*short, "--steps=4") == 0
    out = capsys.readouterr().out
    assert "resuming from step 2" in out
    assert "Done: 4 steps; the run is in w." in out
    assert re.search(r"Test accuracy \d+\.\d\d% .*: \d+ of 1,000 right, \d+ wrong", out)
    record = json.load(open("w/config.json"))
    assert record["config"]["steps"] == 4
    assert record["versions"]["tensorflow"]
    assert exit_status(evaluate, "--workdir=w", "--step=2") == 0
    assert "mnist_mlp_mnist_sample at step 2, mnist_sample" in capsys.readouterr().out


def test_help_lists_the_flags_with_defaults_and_ends_well(capsys):
    assert train_digits("--help") == 0
    out = capsys.readouterr().out
    assert "usage: python -m bin.train_mnist [flags]" in out
    assert "--learning_rate: Largest learning rate. Default: 0.001." in out


def write_idx(folder, images=None, labels=None):
    os.makedirs(folder, exist_ok=True)
    images = np.zeros([4, 28, 28], np.uint8) if images is None else images
    labels = np.arange(4, dtype=np.uint8) if labels is None else labels
    for part in ("train", "t10k"):
        idx.write(f"{folder}/{part}-images-idx3-ubyte", images)
        idx.write(f"{folder}/{part}-labels-idx1-ubyte", labels)


def wrong_magic():
    write_idx("d")
    with open("d/train-images-idx3-ubyte", "r+b") as file:
        file.write(b"\x12\x34")


def truncated_gzip():
    write_idx("d")
    os.remove("d/train-images-idx3-ubyte")
    idx.write("d/train-images-idx3-ubyte.gz", np.random.default_rng(0).integers(0, 256, [4, 28, 28], np.uint8))
    with open("d/train-images-idx3-ubyte.gz", "r+b") as file:
        file.truncate(100)


BAD_DIGITS = {
    "wrong magic": (wrong_magic, r"magic"),
    "truncated gzip": (truncated_gzip, r"truncated|damaged|ends"),
    "label out of range": (lambda: write_idx("d", labels=np.array([0, 1, 2, 10], np.uint8)), r"label.*10"),
    "counts differ": (lambda: write_idx("d", labels=np.arange(3, dtype=np.uint8)), r"4 .*3|3 .*4"),
}


@pytest.mark.parametrize("name", BAD_DIGITS)
def test_bad_idx_files_end_with_one_sentence_and_status_2(name, capsys):
    make, pattern = BAD_DIGITS[name]
    make()
    assert train_digits("--data_dir=d", "--steps=1") == 2
    assert re.match(rf"train_mnist: .*({pattern})", sentence(capsys))


BAD_TABLES = {
    "missing": (None, "--csv=c.csv", r"c\.csv"),
    "wrong column": ("a,b,price\n1,2,3\n4,5,7\n6,1,9\n", "--target=cost", r"cost.*a, b, price"),
    "text in a number": ("a,b,price\n1,2,3\n4,five,7\n6,1,9\n", None, r"'five'"),
    "constant column": ("a,b,price\n1,2,3\n4,2,7\n6,2,9\n8,2,1\n", None, r"\bb\b"),
    "fewer rows than features": ("a,b,price\n1,2,3\n4,5,7\n", None, r"2 rows|rows"),
}


@pytest.mark.parametrize("name", BAD_TABLES)
def test_bad_tables_end_with_one_sentence_and_status_2(name, capsys):
    text, flag, pattern = BAD_TABLES[name]
    if text is not None:
        open("c.csv", "w").write(text)
    assert train_houses("--csv=c.csv", *([flag] if flag else []), "--export_dir=") == 2
    assert re.match(rf"train_linear_regression: .*{pattern}", sentence(capsys))


@pytest.mark.parametrize(
    ("flags", "pattern"),
    [
        (("--dataset=cats",), r"--dataset is 'cats', but must be one of mnist, fashion_mnist, mnist_sample"),
        (("--steps=0",), r"--steps is 0, but must be at least 1"),
        (("--steps=5", "--epochs=2"), r"--steps=5 and --epochs=2.*only one"),
        (("--learning_rate=fast",), r"--learning_rate is 'fast', but must be a number\.$"),
        (("--epochs=two",), r"--epochs is 'two', but must be a number\.$"),
        (("--steps=1.5",), r"--steps is '1\.5', but must be a whole number\.$"),
        (("--augment=maybe",), r"--augment is 'maybe', but must be true or false\.$"),
        (("--no_such_flag",), r"no_such_flag"),
        (("stray",), r"unexpected argument 'stray': .*; did you mean --data_dir=stray\?$"),
        (("--data_dir=a", "stray"), r"unexpected argument 'stray': only flags like --name=value are accepted\.$"),
        (("epochs=3",), r"unexpected argument 'epochs=3': .*; did you mean --epochs=3\?$"),
        (("--dataset=mnist_sample", "--steps=10", "--warmup_steps=10", "--export_dir="), r"warmup_steps is 10"),
    ],
)
def test_bad_flags_end_with_one_sentence_and_status_2(flags, pattern, capsys):
    assert train_digits(*flags) == 2
    assert re.match(rf"train_mnist: .*{pattern}", sentence(capsys))


def test_a_data_set_that_is_nowhere_and_no_network_ends_at_once(capsys, monkeypatch):
    def refused(*args, **kwargs):
        raise OSError("Network is unreachable")

    monkeypatch.setattr(socket, "create_connection", refused)
    monkeypatch.setattr(socket, "getaddrinfo", refused)
    assert train_digits("--data_dir=nowhere", "--steps=1") == 2
    assert re.match(r"train_mnist: .*nowhere.*--dataset=mnist_sample", sentence(capsys))


def test_a_workdir_of_another_config_is_refused_and_overwrite_starts_anew(capsys):
    flags = ("--dataset=mnist_sample", "--model=mlp", "--steps=1", "--export_dir=", "--workdir=w")
    assert train_digits(*flags) == 0
    capsys.readouterr()
    assert train_digits(*flags, "--batch_size=64") == 2
    assert re.match(r"train_mnist: --batch_size is 64, .*started with 128; .*--overwrite", sentence(capsys))
    assert train_digits(*flags, "--batch_size=64", "--overwrite") == 0


def test_a_second_trainer_is_kept_out(capsys):
    from tf2cases.training.workdir import Workdir

    first = Workdir("w")
    assert train_digits("--dataset=mnist_sample", "--steps=1", "--workdir=w") == 2
    assert re.match(r"train_mnist: --workdir is 'w', but another process is training there", sentence(capsys))
    first.close()


def test_a_full_disk_ends_with_status_1_and_keeps_the_previous_checkpoint(capsys, monkeypatch):
    import tensorflow as tf

    flags = ("--dataset=mnist_sample", "--model=mlp", "--export_dir=", "--workdir=w", "--checkpoint_every=2")
    assert train_digits(*flags, "--steps=2") == 0
    capsys.readouterr()

    def full(self, path, options=None):
        os.makedirs(os.path.dirname(path), exist_ok=True)
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(tf.train.Checkpoint, "write", full)
    assert train_digits(*flags, "--steps=4") == 1
    assert re.match(
        r"train_mnist: the checkpoint of step 4 .*No space left on device; .*step 2, is intact", sentence(capsys)
    )
    assert os.listdir("w/checkpoints") == ["step_00000002"]


@pytest.mark.parametrize(
    ("module", "arguments", "meant"),
    [
        (make_wordcloud, ["novel.txt"], "--text=novel.txt"),
        (make_wordcloud, ["--text=a", "novel.txt"], None),  # a name with a space
        (train_mnist, ["--overwrite", "true"], None),
        (evaluate, ["runs/a"], "--workdir=runs/a"),
        (export, ["runs/a"], "--workdir=runs/a"),
        (make_captchas, ["captchas"], "--out=captchas"),
        (retrain, ["flowers"], "--data_dir=flowers"),
        (train_linear_regression, ["houses.csv"], "--csv=houses.csv"),
        (serve, ["exports"], "--model_base_path=exports"),
        (sample_vae, ["exports/vae"], None),  # the model, or the picture
        (sample_vae, ["--out=a.png", "exports/vae"], "--model=exports/vae"),
    ],
)
def test_a_stray_argument_is_answered_with_the_flag_that_was_probably_meant(module, arguments, meant, capsys):
    assert exit_status(module, *arguments) == 2
    said = sentence(capsys)
    assert said.endswith(f"are accepted; did you mean {meant}?" if meant else "are accepted.")


@pytest.mark.parametrize(
    ("module", "flags", "message"),
    [
        (classify_image, ["--top_k=0"], "--top_k is '0', but must be a whole number from 1 to 100000."),
        (classify_image, ["--engine=x"], "--engine is 'x', but must be one of network, graph."),
        (predict, ["--deadline=1e9"], "--deadline is '1e9', but must be a number from 0.001 to 86400."),
        (make_captchas, ["--count=x: y"], "--count is 'x: y', but must be a whole number of at most 100000000."),
    ],
)
def test_a_wrong_value_is_answered_with_what_is_accepted(module, flags, message, capsys):
    assert exit_status(module, *flags) == 2
    assert sentence(capsys).endswith(f": {message}")


@pytest.mark.parametrize("module", [train_dcgan, train_autoencoder])
def test_own_pictures_need_a_place(module, capsys):
    os.mkdir("data")  # the default folder of the data sets
    assert exit_status(module, "--dataset=folder") == 2
    expected = (
        "--data_dir is missing: with --dataset=folder it must be the folder, or the .zip or .tar, of your own pictures."
    )
    assert sentence(capsys).endswith(expected)


@pytest.mark.parametrize("module", [train_dcgan, train_autoencoder])
@pytest.mark.parametrize("place", ["photos", "photos.zip"])
def test_own_pictures_without_a_data_set_are_recognised(module, place, capsys, monkeypatch):
    monkeypatch.setattr("tf2cases.data.tfds.download", lambda *_: pytest.fail("it is downloaded"))
    viz.write_png("photos/more/a.png", np.zeros([28, 28], np.uint8))
    shutil.make_archive("photos", "zip", "photos")
    assert exit_status(module, f"--data_dir={place}") == 2
    expected = (
        f"--data_dir is '{place}', which has pictures and not the data set mnist; add --dataset=folder to train on"
    )
    assert expected in sentence(capsys)
    assert sorted(os.listdir()) == ["photos", "photos.zip"]


def test_a_folder_with_the_data_set_and_pictures_is_accepted(capsys):
    write_idx("d")
    viz.write_png("d/a.png", np.zeros([28, 28], np.uint8))
    assert exit_status(train_autoencoder, "--data_dir=d", "--batch_size=2", "--dry_run") == 0
    os.mkdir("empty")
    assert exit_status(train_autoencoder, "--data_dir=empty", "--dry_run") == 0
    assert "download mnist to empty" in capsys.readouterr().out


@pytest.mark.parametrize("module", [evaluate, export])
def test_a_folder_without_a_run_is_refused(module, capsys):
    assert exit_status(module, "--workdir=empty") == 2
    assert "--workdir is 'empty', but there is no run in it" in sentence(capsys)
    assert exit_status(module) == 2
    assert "workdir" in sentence(capsys)


def test_debug_shows_the_traceback(capsys):
    assert exit_status(evaluate, "--workdir=empty", "--debug") == 2
    assert "Traceback" in capsys.readouterr().err


def test_a_nan_in_training_ends_with_status_1_and_the_step(capsys):
    flags = ("--steps=300", "--learning_rate=1e30", "--export_dir=")
    assert train_houses(*flags) == 1
    assert re.match(r"train_linear_regression: the metrics became infinite or NaN at step \d", sentence(capsys))


def test_a_run_under_two_replicas_is_exported_like_any_other(unchecked, capsys, two_replicas):
    flags = ("--dataset=mnist_sample", "--model=mlp", "--steps=2", "--strategy=mirrored", "--workdir=w")
    assert train_digits(*flags) == 0
    assert os.path.exists("exports/w/1/saved_model.pb")


def test_predict_reads_a_written_digit(unchecked, capsys):
    """The whole line, from training to an answer for a dark digit on light paper."""
    from tf2cases.data import mnist

    assert train_digits("--dataset=mnist_sample", "--model=mlp", "--epochs=3", "--workdir=w") == 0
    source = mnist.load_sample()
    right = 0
    for i in range(10):
        page = np.full([200, 150], 255, np.uint8)
        page[60:116, 40:96] -= np.kron(source.test["images"][i, :, :, 0], np.ones([2, 2], np.uint8))
        viz.write_png(f"{i}.png", page)
    capsys.readouterr()
    assert exit_status(predict, "--model=exports/w", *(f"{i}.png" for i in range(10))) == 0
    lines = capsys.readouterr().out.splitlines()
    for i, line in enumerate(lines):
        name, label, probability = line.split("\t")
        assert name == f"{i}.png"
        assert 0 < float(probability) <= 1
        right += label == str(source.test["labels"][i])
    assert right >= 8  # 93 % of the test digits are read right after three epochs, MNIST's own framing or this


def test_captchas_are_made_learnt_and_another_folder_is_evaluated(capsys, unchecked):
    kind = ("--charset=01", "--length=2", "--width=60", "--height=40", "--workers=1")
    assert exit_status(make_captchas, "--out=made", "--count=30", *kind) == 0
    flags = (*kind, "--train_count=40", "--test_count=10", "--steps=2", "--batch_size=10", "--workdir=w")
    assert exit_status(train_captcha, *flags) == 0
    out = capsys.readouterr().out
    assert re.search(r"Strings read correctly: \d+\.\d\d% of 10 \(by chance 0\.25\)", out)
    assert re.search(r"First test picture: [01]{2}, read as [01]{2}\.", out)
    assert re.search(r"Time \d:\d\d: \d+% getting the data ready, \d+% training", out)
    assert exit_status(evaluate, "--workdir=w", "--test_dir=made") == 0
    assert "of 30 (by chance 0.25)" in capsys.readouterr().out
    picture = next(name for name in sorted(os.listdir("made")) if re.match(r"[01]{2}-", name))
    assert exit_status(predict, "--model=exports/w", f"made/{picture}") == 0
    assert re.match(rf"made/{picture}\t[01]{{2}}\t\d", capsys.readouterr().out)


def test_an_option_that_a_case_does_not_have_is_refused(capsys):
    assert train_houses("--epochs=1", "--export_dir=", "--workdir=w") == 0
    capsys.readouterr()
    assert exit_status(evaluate, "--workdir=w", "--test_dir=pictures") == 2
    assert "--test_dir is 'pictures', but the case linear_regression has no such option." in sentence(capsys)


@pytest.mark.parametrize(
    ("module", "flag"),
    [(evaluate, "workdir"), (export, "workdir"), (make_captchas, "out"), (predict, "model"), (retrain, "data_dir")],
)
def test_a_flag_without_a_default_is_asked_for(module, flag, capsys):
    assert exit_status(module) == 2
    assert re.match(rf"\w+: --{flag} is missing: ", sentence(capsys))


def test_an_interrupt_ends_with_status_130_and_says_what_is_kept(capsys, monkeypatch):
    def interrupted(*args):
        raise KeyboardInterrupt

    monkeypatch.setattr("tf2cases.training.train", interrupted)
    assert train_digits("--steps=1") == 130
    assert "train_mnist: interrupted; saved checkpoints are kept; run the same command" in sentence(capsys)


def test_an_interrupted_export_is_told_how_to_be_made(capsys, monkeypatch):
    def interrupted(*args, **options):
        raise KeyboardInterrupt

    monkeypatch.setattr("tf2cases.serving.export.export", interrupted)
    train = ("--dataset=mnist_sample", "--model=mlp", "--steps=1", "--workdir=a w")
    assert train_digits(*train) == 130
    assert "the run is complete; export it with `python -m bin.export '--workdir=a w'`." in sentence(capsys)
    assert train_digits(*train, "--export_dir=e", "--publish_as=p", "--no_warmup") == 130
    command = "python -m bin.export '--workdir=a w' --export_dir=e --publish_as=p --no_warmup"
    assert f"the run is complete; export it with `{command}`." in sentence(capsys)
    assert exit_status(export, *shlex.split(command)[3:]) == 130
    assert sentence(capsys) == "export: interrupted; nothing was exported; run the same command again."
    assert not os.path.exists("e/p")


def test_a_data_set_that_changed_is_refused_on_resume(capsys):
    flags = ("--data_dir=d", "--model=mlp", "--batch_size=2", "--export_dir=", "--workdir=w")
    write_idx("d")
    assert train_digits(*flags, "--steps=1") == 0
    write_idx("d", labels=np.array([0, 1, 2, 9], np.uint8))
    capsys.readouterr()
    assert train_digits(*flags, "--steps=2") == 2
    assert re.match(r"train_mnist: --dataset=mnist has changed since the run in --workdir=w", sentence(capsys))


def test_a_workdir_of_another_case_is_refused_before_anything_is_drawn(capsys):
    assert train_houses("--epochs=1", "--export_dir=", "--workdir=w") == 0
    capsys.readouterr()
    assert exit_status(train_captcha, "--workdir=w", "--cache_dir=drawn") == 2
    assert "it holds a run of the case 'linear_regression', not 'captcha'" in sentence(capsys)
    assert not os.path.exists("drawn")


def test_pictures_with_other_characters_than_the_readers_are_refused(capsys):
    kind = ("--length=2", "--width=60", "--height=40", "--workers=1")
    assert exit_status(make_captchas, "--out=letters", "--count=3", "--charset=ab", *kind) == 0
    small = ("--train_count=10", "--test_count=10", "--steps=1", "--batch_size=10", "--workdir=w", "--export_dir=")
    assert exit_status(train_captcha, "--charset=01", *kind, *small) == 0
    capsys.readouterr()
    assert exit_status(evaluate, "--workdir=w", "--test_dir=letters") == 2
    assert re.search(r"letters.*'[ab]'", sentence(capsys))


def test_a_damaged_picture_among_several_is_named(unchecked, capsys):
    assert train_digits("--dataset=mnist_sample", "--model=mlp", "--steps=1", "--workdir=w") == 0
    viz.write_png("good.png", np.zeros([28, 28], np.uint8))
    data = bytearray(open("good.png", "rb").read())
    data[data.index(b"IDAT") + 6] ^= 0xFF
    open("bad.png", "wb").write(bytes(data))
    capsys.readouterr()
    assert exit_status(predict, "--model=exports/w", "bad.png", "good.png") == 1
    out, err = capsys.readouterr()
    assert re.match(r"predict: bad\.png: .*\n$", err)
    assert re.match(r"good\.png\t\d\t[\d.]+\n$", out)


def test_a_broken_tf_config_is_shown(capsys, monkeypatch):
    monkeypatch.setenv("TF_CONFIG", "{bad")
    assert train_digits("--dataset=mnist_sample", "--strategy=multi_worker", "--steps=1") == 2
    assert "TF_CONFIG is '{bad', but must be JSON" in sentence(capsys)


def test_case_programs_share_one_set_of_flags():
    from absl import flags

    values = flags.FlagValues()
    case_programs.define_workdir(values)
    assert {"workdir", "step"} <= set(values)


def test_a_reader_of_the_help_who_has_had_enough_is_no_error(repo):
    reading, writing = os.pipe()
    os.close(reading)
    command = [sys.executable, "-m", "bin.denoise", "--help"]
    done = subprocess.run(command, stdout=writing, stderr=subprocess.PIPE, cwd=repo, timeout=60, check=False)
    os.close(writing)
    assert (done.returncode, done.stderr) == (0, b"")


def test_an_experiment_is_exported_under_its_own_name_and_published_on_request(capsys, unchecked):
    flags = ("--dataset=mnist_sample", "--model=mlp")
    assert train_digits(*flags, "--epochs=1") == 0
    assert train_digits(*flags, "--steps=2", "--workdir=runs/toy") == 0
    assert sorted(os.listdir("exports")) == ["mnist_mlp_mnist_sample", "toy"]
    assert os.listdir("exports/mnist_mlp_mnist_sample") == ["1"]
    capsys.readouterr()
    assert exit_status(export, "--workdir=runs/toy", "--publish_as=mnist_mlp_mnist_sample") == 0
    good, toy = re.findall(r"^  (\S*exports/.*): (run .*)$", capsys.readouterr().out, re.MULTILINE)
    assert good[0].endswith("exports/mnist_mlp_mnist_sample/1")
    assert re.match(r"run mnist_mlp_mnist_sample, step 32, loss [\d.]+, accuracy [\d.]+$", good[1])
    assert toy[0].endswith("exports/mnist_mlp_mnist_sample/2")
    assert re.match(r"run toy, step 2, loss [\d.]+, accuracy [\d.]+$", toy[1])


def test_a_run_in_another_folder_of_the_same_name_does_not_supersede_a_model(capsys, unchecked):
    flags = ("--dataset=mnist_sample", "--model=mlp", "--steps=2")
    assert train_digits(*flags, "--workdir=runs/toy") == 0
    assert train_digits(*flags, "--workdir=other/toy") == 2
    refused = (
        r"--workdir is 'other/toy', but \S*exports/toy/1 was not exported from there; give the run's folder another"
    )
    assert re.search(refused, sentence(capsys))
    assert not os.path.exists("other")
    assert train_digits(*flags, "--workdir=other/toy", "--export_dir=") == 0
    assert exit_status(export, "--workdir=other/toy") == 2
    assert exit_status(export, "--workdir=other/toy", "--publish_as=toy") == 0
    assert train_digits(*flags, "--workdir=other/toy", "--seed=1", "--overwrite") == 0  # the newest is from this folder
    assert sorted(os.listdir("exports/toy")) == ["1", "2", "3"]


def test_a_finished_run_that_is_started_again_is_not_exported_again(capsys, unchecked):
    for _ in range(2):
        assert train_digits("--dataset=mnist_sample", "--model=mlp", "--steps=2") == 0
    last = capsys.readouterr().out.splitlines()[-1]
    already = r"is exported to \S*exports/mnist_mlp_mnist_sample/1 already, so no further version is written\.$"
    assert re.match(rf"Done: 2 steps; the run is in runs/mnist_mlp_mnist_sample; it {already}", last)
    assert exit_status(export, "--workdir=runs/mnist_mlp_mnist_sample") == 0
    assert re.match(rf"Done: runs/mnist_mlp_mnist_sample at step 2 {already}", capsys.readouterr().out)
    assert os.listdir("exports/mnist_mlp_mnist_sample") == ["1"]


def test_a_file_that_was_added_to_an_export_is_named_when_a_further_version_is_written(capsys, unchecked):
    flags = ("--dataset=mnist_sample", "--model=mlp", "--steps=1", "--workdir=w", "--no_warmup")
    assert train_digits(*flags) == 0
    open("exports/w/1/notes.txt", "x").close()
    capsys.readouterr()
    assert train_digits(*flags) == 0
    *_, why, last = capsys.readouterr().out.splitlines()
    assert re.match(
        r"\S*exports/w/1 is this model, but notes\.txt does not belong to it; a further version is written\.$", why
    )
    assert re.match(r"Done: 1 step; the run is in w; it is exported to \S*exports/w/2\.$", last)


@pytest.mark.parametrize("name", ["a/b", "../x", ".hidden", "a b"])
def test_a_name_to_publish_that_is_none_is_refused_before_any_work(capsys, name):
    for program, flag in ((train_mnist, "--dataset=mnist_sample"), (export, "--workdir=none")):
        assert exit_status(program, flag, f"--publish_as={name}") == 2
        assert f"--publish_as is {name!r}, but must be a name of letters, digits, '_', '-' and '.'." in sentence(capsys)
