"""A config's fields as absl flags."""

import dataclasses

from absl import flags

from tf2cases.configs import field_types


def define(config_class, flag_values):
    """Defines one flag for each field of `config_class` in an `absl.flags.FlagValues`.

    The flags' own default is None, which stands for the field's, so that one can see which were given.
    """
    makers = {bool: flags.DEFINE_bool, int: flags.DEFINE_integer, float: flags.DEFINE_float}
    kinds = field_types(config_class)
    for f in dataclasses.fields(config_class):
        text = f.metadata["help"]
        if f.metadata["choices"]:
            text += f" One of: {', '.join(map(str, f.metadata['choices']))}."
        if f.default not in (None, ""):
            text += f" Default: {f.default}."
        maker = makers.get(kinds[f.name], flags.DEFINE_string)
        maker(f.name, None, text, flag_values=flag_values)


def given(config_class, flag_values):
    """{field name: value} of the fields whose flags were given."""
    values = {f.name: flag_values[f.name].value for f in dataclasses.fields(config_class)}
    return {name: value for name, value in values.items() if value is not None}
