"""The program that draws pictures with an exported autoencoder."""

import functools

import numpy as np
import pytest
from PIL import Image
from program_call import exit_status

from tf2cases.cases import MNIST, VAE
from tf2cases.programs import sample_vae
from tf2cases.serving import export, verify

INFO = {"image_shape": [28, 28, 1], "class_names": list("0123456789")}


@pytest.fixture(scope="module")
def exports(tmp_path_factory):
    """{name: (case, folder)}; the check in a fresh process has its own tests."""
    folder, made = tmp_path_factory.mktemp("exports"), {}
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(verify, "in_fresh_process", lambda *args: None)
        for latent_dim in (2, 5):
            case = VAE(VAE.Config(latent_dim=latent_dim, steps=10, epochs=None), INFO)
            place = folder / str(latent_dim) / "vae"
            export.export_case(case, str(place), warmup=False)
            made[latent_dim] = case, place
        digits = MNIST(MNIST.Config(model="mlp", steps=10, epochs=None), INFO)
        export.export_case(digits, str(folder / "mnist_mlp"), warmup=False)
        made["mnist"] = digits, folder / "mnist_mlp"
    return made


call = functools.partial(exit_status, sample_vae)


def pixels(path):
    return np.asarray(Image.open(path)).astype(float)


def test_a_grid_is_the_manifold_of_the_live_model(exports, tmp_path, capsys):
    case, model = exports[2]
    assert call(f"--model={model}", "--grid=3", f"--out={tmp_path}/grid.png") == 0
    assert capsys.readouterr().out == f"{tmp_path}/grid.png: 9 pictures.\n"
    z = [[-4, 4], [0, 4], [4, 4], [-4, 0], [0, 0], [4, 0], [-4, -4], [0, -4], [4, -4]]  # row by row from the top
    cells = 255 * case._generate(np.float32(z)).numpy().reshape(3, 3, 28, 28)
    np.testing.assert_allclose(pixels(tmp_path / "grid.png"), cells.swapaxes(1, 2).reshape(84, 84), atol=0.52)


def test_by_default_two_latents_give_a_grid_and_others_random_pictures(exports, tmp_path, capsys):
    assert call(f"--model={exports[2][1]}", f"--out={tmp_path}/two.png") == 0
    assert call(f"--model={exports[5][1]}", f"--out={tmp_path}/five.png") == 0
    assert "two.png: 400 pictures.\n" in (out := capsys.readouterr().out)
    assert "five.png: 100 pictures.\n" in out
    assert pixels(tmp_path / "two.png").shape == (20 * 28, 20 * 28)
    assert pixels(tmp_path / "five.png").shape == (10 * 29 + 1, 10 * 29 + 1)
    # Asked for, a grid goes through the first two of five.
    assert call(f"--model={exports[5][1]}", "--grid=4", f"--out={tmp_path}/grid.png") == 0
    assert pixels(tmp_path / "grid.png").shape == (4 * 28, 4 * 28)


def test_random_pictures_follow_the_seed(exports, tmp_path):
    case, model = exports[5]
    for name, seed in (("a", 1), ("b", 1), ("c", 2)):
        assert call(f"--model={model}", "--count=6", f"--seed={seed}", f"--out={tmp_path}/{name}.png") == 0
    a, b, c = (pixels(tmp_path / f"{name}.png") for name in "abc")
    assert a.shape == (2 * 29 + 1, 3 * 29 + 1)
    np.testing.assert_array_equal(a, b)
    assert not np.array_equal(a, c)
    z = np.random.default_rng(1).standard_normal([6, 5]).astype(np.float32)
    np.testing.assert_allclose(a[1:29, 1:29], 255 * case._generate(z).numpy()[0, :, :, 0], atol=0.52)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--out=x.png"], "sample_vae: --model is missing"),
        (["--model=exports/vae"], "sample_vae: --out is missing"),
        (
            ["--model=m", "--out=x.png", "--grid=3", "--count=4"],
            "sample_vae: --grid=3 and --count=4 were both given, but only one of them can be.",
        ),
        (["--model=m", "--out=x.png", "--grid=0"], "--grid is '0', but must be a whole number from 1 to 200."),
        (["--model=nowhere", "--out=x.png"], "sample_vae: there is no directory nowhere: a model must be a directory"),
    ],
)
def test_mistakes_end_with_one_sentence_and_status_2(arguments, message, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    assert call(*arguments) == 2
    err = capsys.readouterr().err
    assert message in err
    assert "Traceback" not in err


def test_a_model_that_draws_nothing_is_refused(exports, tmp_path, capsys):
    model = exports["mnist"][1]
    assert call(f"--model={model}", f"--out={tmp_path}/x.png") == 2
    expected = (
        f"--model is '{model}', but must be an export of a variational autoencoder: it has no signature decode(z)"
    )
    assert expected in capsys.readouterr().err
