"""The programs, one module each, and what they share. None imports TensorFlow before its flags are parsed."""
