"""Evaluates a trained case on its test set and prints its metrics, such as loss and accuracy.

For a GAN it also prints the Frechet distance between generated and real pictures; bin.evaluate_dcgan has the details.

python -m bin.evaluate --workdir=runs/mnist_cnn
"""

import dataclasses
from typing import Any

from absl import flags

from tf2cases.configs import path_flags
from tf2cases.errors import UsageError
from tf2cases.programs import case_programs

REQUIRED = ("workdir",)
_SAMPLES = 1000  # pictures of a GAN that are compared with real ones


def define(values: flags.FlagValues) -> None:
    case_programs.define_workdir(values)
    case_programs.define_data_dir(values)
    test_dir = "Folder of other pictures to evaluate on, for cases with this option."
    path_flags.define("test_dir", None, test_dir, path_flags.OTHER, values)
    flags.DEFINE_integer("batch_size", 500, "Examples per batch.", lower_bound=1, upper_bound=2**16, flag_values=values)


def main(values: flags.FlagValues) -> None:
    case = case_programs.restore(values)
    from tf2cases import training

    config = case.config
    for name in ("data_dir", "test_dir"):
        if (given := values[name].value) is None:
            continue
        if not hasattr(config, name):
            raise UsageError(f"--{name} is {given!r}, but the case {config.case} has no such option.")
        config = dataclasses.replace(config, **{name: given})
        config.check_used({name: given})
    if values.data_dir is not None and values.test_dir is not None:
        raise UsageError(
            f"--data_dir is {values.data_dir!r}, but has no effect with --test_dir, whose pictures are used: leave one "
            "of them out."
        )
    source = case.load_test(config, case.info)
    measured = training.evaluate(case, source, values.batch_size)
    print(f"{config.name} at step {int(case.step):,}, {source.name}:")
    for name, value in measured.items():
        print(f"  {name}: {value:,.6g}")
    print(case.conclude(source, measured))
    if hasattr(case, "generate") and hasattr(case, "latents"):
        print(_distance(case, config, source))


def _distance(case: Any, config: Any, source: Any) -> str:
    """The distance between the pictures of a GAN and real ones, in a sentence."""
    from tf2cases.evaluation import gan, picture_features

    features = picture_features.make("random_conv", config.dataset, config.data_dir, case.info["image_shape"], None)
    samples = min(_SAMPLES, len(source.train["images"]))
    evaluation = gan.Evaluation(case, source, features, samples, seed=0)
    record = evaluation.measure(case)
    return (
        f"Frechet distance between {samples:,} generated and the held-out pictures: {record['frechet']:.5g}; between "
        f"as many real ones and these: {evaluation.frechet_floor:.5g}. Features: {features.name}. "
        "The program evaluate_dcgan shows more."
    )
