"""Flags made from a config's fields."""

import dataclasses

import pytest
from absl import flags

from tf2cases.cases import REGISTRY
from tf2cases.cases.mnist import Config
from tf2cases.programs import config_flags


def parse(*arguments, config_class=Config):
    values = flags.FlagValues()
    config_flags.define(config_class, values)
    values(["program", *arguments])
    return values


@pytest.mark.parametrize("case", REGISTRY)
def test_every_field_is_a_flag_with_its_help_and_default(case):
    config_class = REGISTRY[case].Config
    values = parse(config_class=config_class)
    for f in dataclasses.fields(config_class):
        text = values[f.name].help
        assert text.startswith(f.metadata["help"])
        assert (f"Default: {f.default}." in text) == (f.default not in (None, ""))
        for choice in f.metadata["choices"] or ():
            assert choice in text.split("One of: ")[1]


def test_nothing_is_given_where_no_flag_is():
    assert config_flags.given(Config, parse()) == {}


def test_given_flags_have_the_type_of_their_field():
    values = parse("--epochs=2", "--batch_size=64", "--workdir=run", "--augment", "--nodropout", "--learning_rate=1e-3")
    assert config_flags.given(Config, values) == {
        "epochs": 2.0,
        "batch_size": 64,
        "workdir": "run",
        "augment": True,
        "dropout": False,
        "learning_rate": 0.001,
    }


def test_a_flag_given_with_its_default_value_still_counts_as_given():
    assert config_flags.given(Config, parse("--epochs=5", "--noaugment")) == {"epochs": 5.0, "augment": False}
    best = Config.resolve(config_flags.given(Config, parse("--recipe=best", "--epochs=5", "--noaugment")))
    assert (best.epochs, best.augment, best.schedule) == (5, False, "cosine")


@pytest.mark.parametrize("argument", ["--epochs=many", "--batch_size=1.5", "--augment=perhaps", "--colour=red"])
def test_what_does_not_parse_is_absls_error(argument):
    name = argument[2:].split("=")[0]
    with pytest.raises(flags.Error, match=name):
        parse(argument)
