"""Small models for the page, written at once: `MODELS` is {name: what writes a version into a folder}."""

import pathlib
import shutil

import numpy as np
import stand_ins
from case_exports import DIGITS, HOUSES

from tf2cases import playground


def save_case(case, folder):
    """Writes the signatures of a case as a SavedModel, without the checks of an export, and without a card."""
    import tensorflow as tf

    functions = {name: function.get_concrete_function() for name, function in case.signatures().items()}
    module = tf.Module()
    module.served_variables = list({id(v): v for one in functions.values() for v in one.graph.variables}.values())
    tf.saved_model.save(module, str(folder), signatures=functions)


def save_digits(folder):
    """The digit model that comes with the package, with its card."""
    shutil.copytree(playground.MODELS / "digits" / "1", folder)


def save_mlp(folder):
    """An MLP that has seen the bundled digits once."""
    from tf2cases.cases import MNIST
    from tf2cases.data import mnist

    sample = mnist.load_sample().train
    case = MNIST(MNIST.Config.resolve({"model": "mlp", "steps": 60, "epochs": None}), DIGITS)
    for i in range(30):
        rows = slice(128 * i, 128 * (i + 1))
        case.train_step({"images": sample["images"][rows], "labels": sample["labels"][rows]})
    save_case(case, folder)


def save_houses(folder):
    """A plane through the houses: normalized price = 0.9 size - 0.05 bedrooms."""
    from tf2cases.cases import LinearRegression

    case = LinearRegression(LinearRegression.Config.resolve({"steps": 1, "epochs": None}), HOUSES)
    case.weights.assign(np.array([[0.0], [0.9], [-0.05]], np.float32))
    save_case(case, folder)


MODELS = {"digits": save_digits, "mlp": save_mlp, "houses": save_houses, **stand_ins.MODELS}


def save_all(place: pathlib.Path) -> None:
    for name, save in MODELS.items():
        (place / name).mkdir(parents=True)
        save(place / name / "1")
