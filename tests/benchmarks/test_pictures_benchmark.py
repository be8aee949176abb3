"""The benchmark of preparing pictures, in small."""

import os

from PIL import Image

from tf2cases.benchmarks import pictures


def test_measures_every_kind(tmp_path, capsys):
    measured = pictures.compare(str(tmp_path), pictures=100, count=2, size=16)
    assert list(measured) == ["folder", "zip", "toy_faces"]
    assert all(len(rows) == 2 and min(rate for rate, _, _ in rows) > 0 for rows in measured.values())
    assert capsys.readouterr().out == ""
    assert sorted(os.listdir(tmp_path)) == ["files", "files.zip"]  # what was prepared is gone
    with Image.open(tmp_path / "files" / "000001.jpg") as picture:
        assert (picture.format, picture.size, picture.mode) == ("JPEG", (178, 218), "RGB")
