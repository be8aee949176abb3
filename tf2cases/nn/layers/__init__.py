"""Layers: tf.Modules that make their variables in `create` and compute in `__call__`.

The contract, which containers and `summary` rely on:

  * The constructor takes the configuration and checks it; it makes no variables. It keeps every argument in the
    attribute of the same name, where `repr` finds it.
  * `create(input_shape, seed)` makes the variables and returns the output shape. Shapes are tuples with None for the
    batch; `seed` is an int, from which the initial value of each variable is drawn statelessly.
  * `__call__(inputs, ...)` computes in the dtype of its inputs: variables are float32 and are cast to it. So a network
    fed with bfloat16 runs in bfloat16, and the same network fed with float32 (in an export, say) runs in float32.
  * A layer that behaves differently in training has further parameters of these names in `__call__`: `is_training`
    (bool), `seed` (int64 [2], the seed of the step) and `update_statistics` (bool, whether moving statistics are
    updated). Containers read the signature and pass on what it names; see `call`.
"""
