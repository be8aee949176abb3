"""The dry run: what it says, and that it leaves no trace."""

import os
import re
import shutil

import pytest
from program_call import exit_status

from tf2cases import cases
from tf2cases.programs import retrain, train_autoencoder, train_captcha, train_dcgan, train_mnist

TRAIN = ("--dataset=mnist_sample", "--model=mlp", "--batch_size=100", "--export_dir=e", "--workdir=w")


@pytest.fixture(autouse=True)
def in_an_empty_folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


def plan(program, *arguments, capsys):
    before = [(at, sorted(names)) for at, _, names in sorted(os.walk("."))]
    assert exit_status(program, *arguments, "--dry_run") == 0
    assert [(at, sorted(names)) for at, _, names in sorted(os.walk("."))] == before
    return capsys.readouterr().out


def test_it_tells_config_data_sizes_disk_and_time(capsys):
    out = plan(train_mnist, *TRAIN, "--epochs=2", capsys=capsys)
    assert out.startswith("Dry run: nothing is written.\nConfig:\n  --dataset=mnist_sample  (not the default)\n")
    assert "\n  --learning_rate=0.001\n" in out
    assert "\nWorkdir: w, a new run.\nExport: a new version in e/w.\n" in out
    assert "\nData: mnist_sample, 4,000 for train (images uint8 [28, 28, 1], labels uint8 []); 1,000 for test (" in out
    assert "; 3.9 MB.\n" in out  # 5,000 * 785 bytes
    assert "\nCase: 669,706 trainable parameters, float32, " in out
    # Three float32 numbers per parameter, with those of Adam.
    assert re.search(r"\nDisk: 2 checkpoints of 8\.0 MB, 16\.1 MB in all; [\d,.]+ GB are free\.\n", out)
    assert re.search(
        r"\nTime: about \d+:\d\d for all 80 steps: [\d.]+ s to compile, [\d.]+ ms a step \(mean of 5\), 2 evaluations "
        r"of [\d.]+ s; pictures and checkpoints not included\.\n$",
        out,
    )


def test_it_tells_what_happens_to_the_run_in_the_folder(capsys):
    assert exit_status(train_mnist, *TRAIN, "--steps=3", "--export_dir=") == 0
    capsys.readouterr()
    out = plan(train_mnist, *TRAIN, "--steps=5", capsys=capsys)
    assert re.search(r"\nWorkdir: w, run [0-9a-f]{8}, resumed from step 3\.\n", out)
    out = plan(train_mnist, *TRAIN, "--steps=5", "--overwrite", capsys=capsys)
    assert re.search(r"\nWorkdir: w; its run is removed first, \d files and folders\.\n", out)
    assert exit_status(train_mnist, *TRAIN, "--seed=4", "--dry_run") == 2
    assert "--seed is 4, but the run in --workdir=w was started with 0" in capsys.readouterr().err
    assert int(cases.restore("w").step) == 3


def test_data_that_would_be_drawn_are_not(capsys):
    out = plan(train_captcha, "--steps=5", "--cache_dir=c", capsys=capsys)
    wanted = (
        r"\nData: not ready; the run would first draw 50,000 captchas into c/captcha-\w+ \(480\.0 MB on the disk\)\. "
        r"Times can be told once this is done\."
    )
    assert re.search(wanted, out)  # 160 x 60 bytes each


def test_pictures_that_would_be_prepared_are_not(tmp_path, capsys):
    import numpy as np

    from tf2cases import viz

    for number in range(8):
        viz.write_png(tmp_path / "own" / f"{number}.png", np.full([28, 28], 9 * number, np.uint8))
    own = ("--dataset=folder", "--data_dir=own", "--cache_dir=c")
    prepare = r"\nData: not ready; the run would first prepare the pictures in c/prepared/\w+-\w+ "
    out = plan(train_autoencoder, *own, capsys=capsys)
    assert re.search(prepare + r"\(8 pictures, at most 18\.8 kB on the disk\)\. Times can be told once", out)
    shutil.make_archive("own", "zip", "own")
    shutil.make_archive("own", "gztar", "own")
    own = ("--dataset=folder", "--cache_dir=c", "--size=64")
    out = plan(train_dcgan, *own, "--data_dir=own.zip", capsys=capsys)
    assert re.search(prepare + r"\(8 pictures, at most 98\.3 kB on the disk\)\. ", out)  # 8 * 64 * 64 * 3
    out = plan(train_dcgan, *own, "--data_dir=own.tar.gz", capsys=capsys)
    assert re.search(r"prepare the pictures in \S+\. Sizes and times can be told once", out)
    out = plan(train_dcgan, "--dataset=toy_faces", "--cache_dir=c", capsys=capsys)
    assert re.search(prepare + r"\(12,000 pictures, 147\.5 MB on the disk\)\. ", out)  # 12,000 * 64 * 64 * 3


def test_weights_and_sets_that_would_be_downloaded_are_not(tmp_path, capsys):
    for name in "ab":
        (tmp_path / "own" / name).mkdir(parents=True)
        for number in range(30):
            (tmp_path / "own" / name / f"{number}.jpg").write_bytes(b"%d" % number)
    out = plan(retrain, "--data_dir=own", capsys=capsys)
    assert re.search(r"\nData: not ready; the run would first download http\S+ to data/inception_v3/\S+\. ", out)
    out = plan(train_mnist, "--data_dir=nowhere", capsys=capsys)
    assert "\nData: not ready; the run would first download mnist to nowhere (11.6 MB). Times can be told once" in out
