"""Where examples come from: one file per source, `sources` to find them by name, `pipeline` to batch them."""
