"""Data sets: one module for each, `sources` to load them by name, and `pipeline` to batch their examples."""
