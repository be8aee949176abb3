"""Evaluates a trained case on its test set: loss, accuracy, counts right and wrong, or what else it measures.

python -m bin.evaluate --workdir=runs/mnist_cnn
"""

import dataclasses

from absl import flags

from tf2cases import cases
from tf2cases.data import pipeline
from tf2cases.errors import UsageError
from tf2cases.programs import case_programs, common


def define(values):
    case_programs.define_workdir(values)
    flags.DEFINE_string("data_dir", None, "Where the data set is now; default: where it was.", flag_values=values)
    flags.DEFINE_string("test_dir", None, "Pictures to evaluate on instead, for a case that can.", flag_values=values)
    flags.DEFINE_integer("batch_size", 500, "Examples a batch.", lower_bound=1, flag_values=values)


def main(values):
    case = cases.restore(common.required(values, "workdir"), values["step"].value)
    config = case.config
    for name in ("data_dir", "test_dir"):
        if values[name].value is None:
            continue
        if not hasattr(config, name):
            raise UsageError(f"--{name} is {values[name].value!r}, but the case {config.case} has no such option.")
        config = dataclasses.replace(config, **{name: values[name].value})
    source = case.load_test(config, case.info)
    measured = case.evaluate(pipeline.in_order(source.test, values["batch_size"].value))
    print(f"{config.name} at step {int(case.step):,}, {source.name}:")
    for name, value in measured.items():
        print(f"  {name}: {value:,.6g}")
    print(case.conclude(source, measured))
