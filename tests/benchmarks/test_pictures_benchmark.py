"""The measuring program for pictures, in small."""

import os

from PIL import Image

from tf2cases.benchmarks import pictures as benchmark_pictures


def test_measures_every_kind(tmp_path, capsys):
    rates = benchmark_pictures.compare(str(tmp_path), pictures=100, rounds=2, size=16)
    assert list(rates) == ["folder", "zip", "toy_faces"]
    assert all(len(measured) == 2 and min(measured) > 0 for measured in rates.values())
    assert capsys.readouterr().out == ""
    assert sorted(os.listdir(tmp_path)) == ["files", "files.zip"]  # what was prepared is gone
    with Image.open(tmp_path / "files" / "000001.jpg") as picture:
        assert (picture.format, picture.size, picture.mode) == ("JPEG", (178, 218), "RGB")
