"""Data sets: one module per data set, `sources` to load them by name, and `pipeline` to batch their examples."""
