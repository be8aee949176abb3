"""What `bin.benchmark` measures."""
