"""The benchmarks of `bin.benchmark`, one module each. Only they may import Keras, to measure against it."""
