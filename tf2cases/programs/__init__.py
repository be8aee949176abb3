"""The programs, one module each, and their shared code. None imports TensorFlow before its flags are parsed."""
