"""The program that takes the noise out of a picture file."""

import functools
import shutil

import numpy as np
import pytest
import tensorflow as tf
from PIL import Image
from program_call import exit_status

from tf2cases.cases import DenoisingAutoencoder
from tf2cases.programs import denoise
from tf2cases.serving import export
from tf2cases.serving.model import Model


@pytest.fixture(scope="module")
def case():
    config = DenoisingAutoencoder.Config(model="original", steps=10, epochs=None)
    return DenoisingAutoencoder(config, {"image_shape": [28, 28, 1]})


@pytest.fixture(scope="module")
def model(case, tmp_path_factory):
    return export.export_case(case, str(tmp_path_factory.mktemp("exports") / "model"), warmup=False)


call = functools.partial(exit_status, denoise)


@pytest.fixture
def picture(tmp_path):
    """A grey 28x28 picture as an array, and its file."""
    pixels = np.random.default_rng(0).integers(0, 256, [28, 28], np.uint8)
    Image.fromarray(pixels).save(tmp_path / "in.png")
    return pixels, tmp_path / "in.png"


def test_the_file_written_is_what_the_live_model_makes_of_the_pixels(case, model, picture, tmp_path, capsys):
    pixels, file = picture
    assert call(f"--model={model}", file, tmp_path / "out.png") == 0
    live = case.signatures()["serving_default"](images=tf.constant(pixels[None, :, :, None] / np.float32(255)))
    np.testing.assert_allclose(
        np.asarray(Image.open(tmp_path / "out.png")), live["denoised"][0, :, :, 0].numpy() * 255, atol=0.51
    )
    out = capsys.readouterr().out
    assert "28 x 28 pixels, grey, denoised." in out
    assert "resized" not in out
    assert "converted to grey" not in out


def test_the_noisy_picture_is_not_overwritten(model, picture, capsys):
    _, file = picture
    before = file.read_bytes()
    assert call(f"--model={model}", file, file) == 2
    assert capsys.readouterr().err == f"denoise: OUT is '{file}', but must be another file than IN.\n"
    assert file.read_bytes() == before


def test_the_saved_model_denoises_like_the_live_one_to_1e_5(case, model):
    images = np.random.default_rng(1).random([5, 28, 28, 1], np.float32)
    live = case.signatures()["serving_default"](images=tf.constant(images))["denoised"].numpy()
    np.testing.assert_allclose(Model(model).call("serving_default", images=images)["denoised"], live, atol=1e-5)


def test_a_large_colour_picture_is_resized_and_made_grey_and_said_so(model, tmp_path, capsys):
    Image.new("RGB", (90, 60), (200, 30, 30)).save(tmp_path / "red.jpg")
    assert call(f"--model={model}", tmp_path / "red.jpg", tmp_path / "out.png") == 0
    out = capsys.readouterr().out
    assert "red.jpg: resized from 90 x 60 to the model's 28 x 28 pixels." in out
    assert "red.jpg: converted to grey, since the model was trained on grey pictures." in out
    assert Image.open(tmp_path / "out.png").size == (28, 28)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["in.png"], "1 file was given, but must be 2: the noisy picture and the file to write, or two folders."),
        (["in.png"] * 3, "3 files were given, but must be 2"),
        (["missing.png", "out.png"], "missing.png: cannot be read"),
        (["in.png", "nowhere/out.png"], "nowhere does not exist; it must be a file in an existing folder."),
        (
            ["in.png", "out.xyz"],
            "OUT is 'out.xyz', but must end in .png, .jpg, .jpeg, .webp, .gif, .bmp, .tif or .tiff",
        ),
        (["in.png", "."], "OUT is '.', but must be a file, not a folder."),
        ([".", "./"], "OUT is './', but must be another folder than IN, and not inside it."),
        ([".", "clean"], "OUT is 'clean', but must be another folder than IN, and not inside it."),
    ],
)
def test_wrong_files_are_refused(arguments, message, model, picture, tmp_path, capsys, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert call(f"--model={model}", *arguments) == 2
    assert message in capsys.readouterr().err


@pytest.mark.parametrize(("ending", "kind"), [(".jpg", "JPEG"), (".WEBP", "WEBP"), (".png", "PNG")])
def test_the_ending_decides_the_format(ending, kind, model, picture, tmp_path):
    assert call(f"--model={model}", picture[1], tmp_path / f"out{ending}") == 0
    assert Image.open(tmp_path / f"out{ending}").format == kind


def test_without_a_model_it_says_so(picture, tmp_path, capsys):
    assert call(picture[1], tmp_path / "out.png") == 2
    assert "--model is missing" in capsys.readouterr().err


def test_another_kind_of_model_is_refused(picture, tmp_path, capsys):
    @tf.function(input_signature=[tf.TensorSpec([None, 2], tf.float32, name="x")])
    def double(x):
        return {"y": 2 * x}

    tf.saved_model.save(tf.Module(), str(tmp_path / "m" / "1"), signatures={"serving_default": double})
    assert call(f"--model={tmp_path / 'm'}", picture[1], tmp_path / "out.png") == 2
    expected = "must be an export of a denoising autoencoder: it has no signature denoise_bytes(image_bytes)"
    assert expected in capsys.readouterr().err


@pytest.fixture
def noisy(tmp_path):
    """A folder with two pictures, one of them in a sub-folder, two files named like pictures and another one."""
    pixels = np.random.default_rng(0).integers(0, 256, [28, 28], np.uint8)
    (tmp_path / "noisy" / "more").mkdir(parents=True)
    Image.fromarray(pixels).save(tmp_path / "noisy" / "a.png")
    Image.fromarray(pixels.T).save(tmp_path / "noisy" / "more" / "b.gif")
    (tmp_path / "noisy" / "empty.png").touch()
    (tmp_path / "noisy" / "text.jpg").write_text("no picture")
    (tmp_path / "noisy" / "notes.txt").write_text("no picture")
    return tmp_path / "noisy"


@pytest.mark.parametrize("packed", [False, True])
def test_a_folder_or_archive_is_denoised_into_a_folder(packed, model, noisy, tmp_path, capsys):
    given = shutil.make_archive(str(tmp_path / "packed"), "zip", noisy) if packed else noisy
    assert call(f"--model={model}", given, tmp_path / "clean") == 1
    out, err = capsys.readouterr()
    assert [line.split(":")[1] for line in err.splitlines()] == [f" {given}/empty.png", f" {given}/text.jpg"]
    assert f"Left out of {given}: 1 without the ending of a picture (.txt 1).\n" in out
    written = sorted(path.relative_to(tmp_path) for path in (tmp_path / "clean").rglob("*.*"))
    assert [str(path) for path in written] == ["clean/a.png", "clean/more/b.png"]
    for name, source in (("a.png", "a.png"), ("more/b.png", "more/b.gif")):
        assert call(f"--model={model}", noisy / source, tmp_path / "alone.png") == 0
        assert (tmp_path / "clean" / name).read_bytes() == (tmp_path / "alone.png").read_bytes()


def test_a_folder_without_a_readable_picture_leaves_nothing(model, noisy, tmp_path, capsys):
    (noisy / "a.png").unlink()
    (noisy / "more" / "b.gif").unlink()
    assert call(f"--model={model}", noisy, tmp_path / "clean") == 2
    assert len(capsys.readouterr().err.splitlines()) == 2
    assert not (tmp_path / "clean").exists()


def test_pictures_that_would_replace_each_other_are_refused(model, noisy, tmp_path, capsys):
    shutil.copy(noisy / "a.png", noisy / "a.jpg")
    assert call(f"--model={model}", noisy, tmp_path / "clean") == 2
    expected = f"{noisy}/a.jpg and {noisy}/a.png would both be written to {tmp_path}/clean/a.png; they must have"
    assert expected in capsys.readouterr().err
