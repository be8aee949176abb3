"""Layers: tf.Modules that create their variables in `create` and compute in `__call__`.

Containers and `summary` rely on this contract:

  * The constructor checks its arguments and stores each in the attribute of the same name, where `repr` reads it. It
    creates no variables.
  * `create(input_shape, seed)` creates the variables and returns the output shape. Shapes are tuples with None for the
    batch size; `seed` is an int from which the initial value of each variable is drawn statelessly.
  * `__call__(inputs, ...)` computes in the dtype of its inputs: variables are float32 and are cast to it. A network
    called with bfloat16 runs in bfloat16; the same network called with float32 (e.g. in an export) runs in float32.
  * A layer that behaves differently in training takes some of these additional arguments in `__call__`: `is_training`
    (bool), `seed` (int64 [2], the seed of the step) and `update_statistics` (bool, whether to update moving
    statistics). Containers read the signature and pass only the arguments that it names; see `call`.
"""
