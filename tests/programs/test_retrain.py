"""Retraining from the command line, and its export asked about pictures."""

import json
import os
import re
import shutil

from program_call import exit_status

from tf2cases.programs import classify_image, evaluate, retrain


def test_a_folder_is_retrained_and_its_export_names_the_classes(shapes, tmp_path, capfd, monkeypatch):
    monkeypatch.chdir(tmp_path)
    # The check in a fresh process is tested where exports are.
    monkeypatch.setattr("tf2cases.serving.verify.in_fresh_process", lambda *_: None)
    flags = [f"--{name}={value}" for name, value in shapes.items()]
    assert exit_status(retrain, *flags, "--steps=40", "--no_warmup") == 0
    out = capfd.readouterr().out
    assert re.search(r"Accuracy: training \d+\.\d\d% of 18, validation \d+\.\d\d% of 3, test \d+\.\d\d% of 3; by", out)
    assert "Done: 40 steps; the run is in runs/retrain_pictures; it is exported to " in out
    assert "/exports/retrain_pictures/1." in out
    assert {"confusion.png", "curves.png"} <= set(os.listdir("runs/retrain_pictures/pictures"))

    folder = os.path.join(shapes["data_dir"], "rows")
    assert exit_status(classify_image, "--model=exports/retrain_pictures", "--json", folder) == 0
    records = [json.loads(line) for line in capfd.readouterr().out.splitlines()]
    assert len(records) == 8
    assert all(set(record["classes"]) == {"columns", "discs", "rows"} for record in records)


def test_a_run_is_evaluated_on_pictures_that_have_moved(shapes, tmp_path, capfd, monkeypatch):
    monkeypatch.chdir(tmp_path)
    shutil.copytree(shapes["data_dir"], "photos")
    assert exit_status(retrain, "--data_dir=photos", "--weights=random", "--steps=20", "--export_dir=") == 0
    capfd.readouterr()
    assert exit_status(evaluate, "--workdir=runs/retrain_photos") == 0
    before = capfd.readouterr().out
    assert "accuracy" in before

    os.rename("photos", "moved")
    assert exit_status(evaluate, "--workdir=runs/retrain_photos") == 2
    assert "--data_dir is 'photos', but must be a folder" in capfd.readouterr().err
    assert exit_status(evaluate, "--workdir=runs/retrain_photos", "--data_dir=moved") == 0
    assert capfd.readouterr().out.splitlines()[1:] == before.splitlines()[1:]  # but for the folder's name


def test_mistakes_end_with_one_sentence_and_status_2(tmp_path, capfd, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "pictures" / "cats").mkdir(parents=True)
    assert exit_status(retrain, "--data_dir=pictures", "--weights=random") == 2
    err = capfd.readouterr().err
    assert re.fullmatch(r"retrain: --data_dir=pictures has one sub-folder, 'cats', but must have at least two.*\n", err)
