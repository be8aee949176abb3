"""Evaluates a trained case on its test set and prints its metrics, such as loss and accuracy.

python -m bin.evaluate --workdir=runs/mnist_cnn
"""

import dataclasses

from absl import flags

from tf2cases.configs import path_flags
from tf2cases.errors import UsageError
from tf2cases.programs import case_programs

REQUIRED = ("workdir",)


def define(values: flags.FlagValues) -> None:
    case_programs.define_workdir(values)
    case_programs.define_data_dir(values)
    test_dir = "Folder of other pictures to evaluate on, for cases with this option."
    path_flags.define("test_dir", None, test_dir, path_flags.OTHER, values)
    flags.DEFINE_integer("batch_size", 500, "Examples per batch.", lower_bound=1, flag_values=values)


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
