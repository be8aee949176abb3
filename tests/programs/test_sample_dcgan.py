"""The program that draws pictures with an exported DCGAN."""

import functools

import numpy as np
import pytest
import tensorflow as tf
from PIL import Image
from program_call import exit_status

from tf2cases import viz
from tf2cases.cases import DCGAN
from tf2cases.programs import sample_dcgan
from tf2cases.serving import export


@pytest.fixture(scope="module")
def case():
    return DCGAN(DCGAN.Config(latent_dim=6, steps=10), {"image_shape": [12, 12, 1]})


@pytest.fixture(scope="module")
def model(case, tmp_path_factory):
    return export.export_case(case, str(tmp_path_factory.mktemp("exports") / "model"), warmup=False)


call = functools.partial(exit_status, sample_dcgan)


def test_the_montage_is_the_live_generators_of_the_same_latents(case, model, tmp_path):
    assert call(f"--model={model}", "--count=5", "--seed=3", f"--out={tmp_path / 'a.png'}") == 0
    expected = viz.montage(case.generate(case.latents(5, 3)).numpy())[..., 0]
    drawn = np.asarray(Image.open(tmp_path / "a.png"))
    assert drawn.shape == expected.shape == (2 * 13 + 1, 3 * 13 + 1)
    assert np.abs(drawn.astype(int) - expected).max() <= 1


def test_by_default_it_draws_what_the_training_shows(case, model, tmp_path):
    assert call(f"--model={model}", f"--out={tmp_path / 'a.png'}") == 0
    shown = case.samples()["sample"][..., 0].astype(int)
    assert np.abs(np.asarray(Image.open(tmp_path / "a.png")) - shown).max() <= 1


def test_an_interpolation_goes_from_one_seeds_pictures_to_the_others(case, model, tmp_path):
    assert call(f"--model={model}", "--interpolate=3,4,5", "--count=4", f"--out={tmp_path / 'a.gif'}") == 0
    film = Image.open(tmp_path / "a.gif")
    assert film.n_frames == 5
    for frame, seed in ((0, 3), (4, 4)):
        film.seek(frame)
        expected = viz.montage(case.generate(case.latents(4, seed)).numpy())[..., 0]
        assert np.abs(np.asarray(film.convert("L")).astype(int) - expected).max() <= 2


@pytest.mark.parametrize("text", ["1,2", "1,2,x", "1,2,1", "1,2,3,4", "-1,2,9", "1,2,1001"])
def test_a_malformed_interpolation_is_refused(text, model, tmp_path, capsys):
    assert call(f"--model={model}", f"--interpolate={text}", f"--out={tmp_path / 'a.gif'}") == 2
    err = capsys.readouterr().err
    assert f"--interpolate is {text!r}, but must be SEED1,SEED2,FRAMES with 2 to 1,000 frames, such as 7,8,40." in err


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--out=a.gif"], "--out is 'a.gif', but must end in .png or the like; .gif needs --interpolate."),
        (["--out=a.png", "--interpolate=1,2,3"], "--out is 'a.png', but must end in .gif with --interpolate."),
        ([], "--out is missing"),
    ],
)
def test_an_output_of_another_kind_is_refused(arguments, message, model, capsys):
    assert call(f"--model={model}", *arguments) == 2
    assert message in capsys.readouterr().err


def test_another_kind_of_model_is_refused(tmp_path, capsys):
    @tf.function(input_signature=[tf.TensorSpec([None, 2], tf.float32, name="z")])
    def decode(z):
        return {"images": z}

    tf.saved_model.save(tf.Module(), str(tmp_path / "m" / "1"), signatures={"serving_default": decode})
    assert call(f"--model={tmp_path / 'm'}", f"--out={tmp_path / 'a.png'}") == 2
    expected = "/m', but must be an export of a DCGAN: it has no signature discriminate(images), only serving_default."
    assert expected in capsys.readouterr().err


def test_latents_of_another_width_are_refused_at_once(model):
    from tf2cases.errors import UsageError
    from tf2cases.serving.model import Model

    with pytest.raises(UsageError, match=r"input 'z' .* is float32 \(2, 7\), but must be float32 \(None, 6\)"):
        Model(model).call("serving_default", z=np.zeros([2, 7], np.float32))
