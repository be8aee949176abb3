"""What `bin.benchmark` measures, a module each. Only here may Keras be imported, to be measured against."""
