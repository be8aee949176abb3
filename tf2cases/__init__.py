"""Ten machine-learning cases in pure low-level TensorFlow 2."""

__version__ = "0.1.0"
