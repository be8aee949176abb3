"""What a run can be told: the configs of all cases, without TensorFlow."""
