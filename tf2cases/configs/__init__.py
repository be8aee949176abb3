"""The options of a run: one frozen dataclass per case. TensorFlow is not imported here."""

from tf2cases.configs.run import OptimizerConfig, RunConfig, differences, field, field_types
