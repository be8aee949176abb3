"""A config's fields as command-line flags."""

import dataclasses
from collections.abc import Callable
from typing import Any

from absl import flags

from tf2cases.configs import RunConfig, field_types, path_flags


def define(config_class: type[RunConfig], flag_values: flags.FlagValues) -> None:
    """Defines one flag for each field of a config class.

    The flags default to None instead of the field's default, so that `given` can tell which were given.
    """
    makers: dict[type, Callable] = {bool: flags.DEFINE_bool, int: flags.DEFINE_integer, float: flags.DEFINE_float}
    kinds = field_types(config_class)
    for f in dataclasses.fields(config_class):
        text = f.metadata["help"]
        if f.metadata["choices"]:
            text += f" One of: {', '.join(map(str, f.metadata['choices']))}."
        if f.default not in (None, ""):
            text += f" Default: {f.default}."
        if f.metadata["path"]:
            path_flags.define(f.name, None, text, f.metadata["path"], flag_values, f.metadata["may_be_empty"])
            continue
        maker = makers.get(kinds[f.name], flags.DEFINE_string)
        maker(f.name, None, text, flag_values=flag_values)


def given(config_class: type[RunConfig], flag_values: flags.FlagValues) -> dict[str, Any]:
    """Returns {field name: value} of the flags that were given."""
    values = {f.name: flag_values[f.name].value for f in dataclasses.fields(config_class)}
    return {name: value for name, value in values.items() if value is not None}
