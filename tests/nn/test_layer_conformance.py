"""What all layers have in common."""

import inspect

import nn_registry
import numpy as np
import pytest
import tensorflow as tf
from nn_registry import LAYERS, call, has

from tf2cases import nn

EVERY_LAYER = pytest.mark.parametrize("case", LAYERS, ids=nn_registry.names(LAYERS))
# float32 rounding, in any order of summation.
CLOSE = dict(rtol=1e-5, atol=1e-5)


def values(layer):
    return {v.name: v.numpy() for v in layer.variables}


def perturb(layer):
    """Gives every variable a value that no initializer gives; those that must be positive stay so."""
    draws = np.random.default_rng(9)
    for variable in layer.variables:
        variable.assign(draws.uniform(0.2, 1.2, variable.shape).astype(np.float32))


def assert_same(actual, expected):
    """Two dicts of arrays are equal to the last bit."""
    assert actual.keys() == expected.keys()
    for name, value in expected.items():
        np.testing.assert_array_equal(actual[name], value, err_msg=name)


NEEDS_TRAINING = (nn.BatchNorm, nn.Dropout, nn.SpectralNorm)


def test_registry_is_complete():
    public = {kind for kind in vars(nn).values() if inspect.isclass(kind) and issubclass(kind, nn.Layer)}
    assert public - {nn.Layer} == {type(case.make()) for case in LAYERS}


@EVERY_LAYER
def test_constructor_makes_no_variables(case):
    layer = case.make()
    assert layer.variables == ()
    assert layer.output_shape is None


@EVERY_LAYER
def test_create_tells_the_output_shape(case):
    layer = case.make()
    promised = layer.create((None, *case.shape), 0)
    assert layer.output_shape == promised
    assert promised[0] is None
    assert call(layer, case.inputs(3)).shape == (3, *promised[1:])
    assert case.make().create((7, *case.shape), 0) == (7, *promised[1:])


@EVERY_LAYER
def test_static_shape_is_known_when_traced_with_unknown_batch(case):
    layer = case.create()
    function = tf.function(lambda x: call(layer, x, is_training=True))
    traced = function.get_concrete_function(tf.TensorSpec([None, *case.shape]))
    assert tuple(traced.structured_outputs.shape) == layer.output_shape


@pytest.mark.parametrize(
    "case",
    [c for c in LAYERS if len(c.shape) == 3 and c.name not in ("flatten", "sequential", "global_avg_pool")],
    ids=lambda c: c.name,
)
def test_picture_size_may_be_unknown(case):
    layer, x = case.make(), case.inputs()
    unknown = (None, None, None, case.shape[-1])
    shape = layer.create(unknown, 0)
    assert shape[:3] == (None, None, None)
    function = tf.function(lambda x: call(layer, x), input_signature=[tf.TensorSpec(unknown)])
    actual = function(x)
    assert actual.shape[-1] == shape[-1]
    np.testing.assert_allclose(actual, call(layer, x), **CLOSE)


@EVERY_LAYER
def test_variables_have_short_fixed_names_and_are_float32(case):
    layer = case.create()
    assert sorted(v.name for v in layer.variables) == sorted(f"{name}:0" for name in case.variables)
    assert all(v.dtype == tf.float32 for v in layer.variables)


@EVERY_LAYER
def test_variables_names_do_not_depend_on_what_was_made_before(case):
    case.create()
    with tf.name_scope("elsewhere"):
        layer = case.make()
    layer.create((None, *case.shape), 0)
    assert sorted(v.name for v in layer.variables) == sorted(f"{name}:0" for name in case.variables)


@EVERY_LAYER
def test_initial_values_are_a_function_of_the_seed(case):
    first, again, other = case.create(seed=1), case.create(seed=1), case.create(seed=2)
    assert_same(values(again), values(first))
    drawn = {name for name in values(first) if name.endswith("kernel:0")}
    for name in drawn:
        assert not np.array_equal(values(first)[name], values(other)[name]), name


@EVERY_LAYER
def test_checkpoint_restores_into_a_new_instance(case, tmp_path):
    layer, x = case.create(seed=1), case.inputs()
    perturb(layer)
    path = tf.train.Checkpoint(layer=layer).save(str(tmp_path / "c"))
    new = case.create(seed=2)
    tf.train.Checkpoint(layer=new).restore(path).assert_consumed()
    assert_same(values(new), values(layer))
    np.testing.assert_array_equal(call(new, x), call(layer, x))


@EVERY_LAYER
def test_checkpoint_restores_before_the_variables_are_made(case, tmp_path):
    layer = case.create(seed=1)
    perturb(layer)
    path = tf.train.Checkpoint(layer=layer).save(str(tmp_path / "c"))
    new = case.make()
    status = tf.train.Checkpoint(layer=new).restore(path)
    new.create((None, *case.shape), 2)
    status.assert_consumed()
    assert_same(values(new), values(layer))


@EVERY_LAYER
def test_checkpoint_holds_the_variables_and_nothing_else(case, tmp_path):
    layer = case.create()
    path = tf.train.Checkpoint(layer=layer).write(str(tmp_path / "c"))
    saved = [name for name, _ in tf.train.list_variables(path) if name.startswith("layer/")]
    assert len(saved) == len(case.variables)


@EVERY_LAYER
def test_saved_model_answers_for_any_batch(case, tmp_path):
    layer = case.create()
    perturb(layer)
    module = tf.Module()
    module.layer = layer
    spec = tf.TensorSpec([None, *case.shape], name="inputs")
    module.answer = tf.function(lambda inputs: {"outputs": call(layer, inputs)}, input_signature=[spec])
    tf.saved_model.save(module, str(tmp_path), signatures=module.answer)
    answer = tf.saved_model.load(str(tmp_path)).signatures["serving_default"]
    for batch in (1, 7):
        x = case.inputs(batch)
        np.testing.assert_allclose(answer(inputs=x)["outputs"], call(layer, x), **CLOSE)


@pytest.mark.parametrize("jit", [False, True], ids=["traced", "compiled"])
@EVERY_LAYER
def test_eager_equals(case, jit):
    """In training and not, in what comes out and in what is left in the variables."""
    eager, other, x = case.create(), case.create(), case.inputs()
    perturb(eager)
    perturb(other)

    @tf.function(jit_compile=jit)
    def function(x, seed):
        return call(other, x, True, seed), call(other, x, False)

    expected = call(eager, x, True), call(eager, x, False)
    for a, b in zip(function(x, tf.constant(nn_registry.STEP_SEED)), expected, strict=True):
        np.testing.assert_allclose(a, b, **CLOSE)
    for name, value in values(eager).items():
        np.testing.assert_allclose(values(other)[name], value, **CLOSE, err_msg=name)


# Half a unit in the last place is 2^-9 for bfloat16's 8 significant bits and 2^-12 for float16's 11; some tens of
# roundings follow one another.
@pytest.mark.parametrize("is_training", [False, True], ids=["inference", "training"])
@pytest.mark.parametrize(("dtype", "tolerance"), [(tf.bfloat16, 2e-2), (tf.float16, 3e-3)], ids=["bfloat16", "float16"])
@EVERY_LAYER
def test_low_precision_in_is_low_precision_out(case, dtype, tolerance, is_training):
    layer = case.create()
    expected = call(layer, case.inputs(), is_training)
    actual = call(layer, case.inputs(dtype=dtype), is_training)
    assert actual.dtype == dtype
    largest = np.abs(expected).max()
    np.testing.assert_allclose(tf.cast(actual, tf.float32), expected, rtol=0, atol=tolerance * largest)
    assert all(v.dtype == tf.float32 for v in layer.variables)


@EVERY_LAYER
def test_gradients_are_the_finite_differences(case):
    """Along random directions, in training, for the inputs and every trainable variable.

    In float64, but where the fused batch norm or a power iteration has no more than float32.
    """
    layer = case.create()
    single = has(layer, (nn.BatchNorm, nn.SpectralNorm))
    dtype, step, tolerance = (np.float32, 2.0**-9, 2e-2) if single else (np.float64, 2.0**-12, 1e-6)
    x = tf.cast(case.inputs(), dtype)
    draws = np.random.default_rng(3)
    weights = draws.standard_normal(call(layer, x).shape)

    def loss(x):
        return tf.reduce_sum(tf.cast(call(layer, x, True), tf.float64) * weights)

    variables = layer.trainable_variables
    with tf.GradientTape() as tape:
        tape.watch(x)
        total = loss(x)
    gradients = tape.gradient(total, [x, *variables])

    def check(gradient, value, loss_at):
        direction = draws.choice([-1.0, 1.0], value.shape)
        above, below = (value + sign * step * direction for sign in (1, -1))
        above, below = above.astype(value.dtype), below.astype(value.dtype)
        expected = loss_at(above) - loss_at(below)
        actual = np.sum(gradient.numpy().astype(np.float64) * (above.astype(np.float64) - below))
        # The sum's own size, since the terms may cancel.
        scale = np.sum(np.abs(gradient)) * 2 * step
        assert abs(actual - expected) <= tolerance * scale

    check(gradients[0], x.numpy(), lambda value: float(loss(tf.constant(value))))
    for gradient, variable in zip(gradients[1:], variables, strict=True):
        original = variable.numpy()

        def loss_at(value, variable=variable):
            variable.assign(value)
            return float(loss(x))

        check(gradient, original, loss_at)
        variable.assign(original)


@pytest.mark.parametrize("is_training", [False, True], ids=["inference", "training"])
@EVERY_LAYER
def test_two_replicas_answer_as_one_device(case, is_training, two_replicas):
    """Dropout's draws too. (In training, batch norm takes each replica's own statistics: see its own tests.)"""
    layer, x = case.create(), case.inputs()
    if is_training and has(layer, nn.BatchNorm):
        return
    expected = call(layer, x, is_training)
    with two_replicas.scope():
        mirrored = case.create()

    @tf.function
    def run(x):
        halves = two_replicas.experimental_distribute_values_from_function(
            lambda context: tf.split(x, 2)[context.replica_id_in_sync_group]
        )
        outputs = two_replicas.run(lambda half: call(mirrored, half, is_training), args=(halves,))
        return tf.concat(two_replicas.experimental_local_results(outputs), 0)

    assert_same(values(mirrored), values(layer))
    np.testing.assert_allclose(run(x), expected, **CLOSE)


@EVERY_LAYER
def test_scopes_nest_in_the_graph(case):
    """So that TensorBoard shows a network as a box with its layers inside."""
    layer, x = case.create(), case.inputs()

    def function(x):
        with tf.name_scope("outer"):
            return call(layer, x, is_training=True)

    graph = tf.function(function).get_concrete_function(x).graph
    inside = [op.name for op in graph.get_operations() if op.name.startswith(f"outer/{layer.name}/")]
    assert inside
    if case.name == "sequential":
        assert any(name.startswith("outer/network/block/up/") for name in inside)


@EVERY_LAYER
def test_repr_is_the_call_that_makes_the_layer(case):
    assert repr(case.make()) == repr(case.create()) == case.source


@EVERY_LAYER
def test_a_layer_made_from_the_repr_is_the_same(case):
    layer, again = case.create(seed=3), nn_registry.evaluate(repr(case.create()))
    again.create((None, *case.shape), 3)
    assert_same(values(again), values(layer))
    np.testing.assert_array_equal(call(again, case.inputs()), call(layer, case.inputs()))


@EVERY_LAYER
def test_calling_before_create_says_so(case):
    layer = case.make()
    message = rf"^{layer.name} was called before `create`, which creates the variables\.$"
    with pytest.raises(RuntimeError, match=message):
        call(layer, case.inputs())


@EVERY_LAYER
def test_is_training_must_be_given_where_it_is_needed(case):
    layer, x = case.create(), case.inputs()
    network = nn.Sequential([case.make()], name="around")
    network.create((None, *case.shape), 0)
    for called in (layer, network):
        if has(layer, NEEDS_TRAINING):
            with pytest.raises(TypeError, match=r"'is_training'"):
                called(x)
        else:
            called(x)
    # What a network's layers do not need may be given all the same.
    everything = dict(is_training=True, seed=tf.constant(nn_registry.STEP_SEED), update_statistics=False)
    assert network(x, **everything).shape[1:] == layer.output_shape[1:]


@EVERY_LAYER
def test_an_unknown_argument_is_refused(case):
    with pytest.raises(TypeError, match=r"unexpected keyword argument 'training'"):
        case.create()(case.inputs(), training=False)


@EVERY_LAYER
def test_several_in_one_container_are_numbered_unless_they_were_given_a_name(case):
    name = case.make().name
    if case.make().given_name:
        with pytest.raises(ValueError, match=rf"^branches: branch name '{name}' is used twice, but must be unique\.$"):
            nn.Branches([case.make(), case.make()])
        return
    several, one = (nn.Branches([case.make() for _ in range(count)]) for count in (3, 1))
    assert [layer.name for layer in several.branches] == [name, f"{name}_1", f"{name}_2"]
    for branches in (several, one):
        branches.create((None, *case.shape), 0)
    # The first one has the variables, by name and value, that it would have alone.
    assert_same(values(several.branches[0]), values(one.branches[0]))
    first, second = (values(layer) for layer in several.branches[:2])
    assert [n.replace(f"branches/{name}/", f"branches/{name}_1/") for n in first] == list(second)
    for kernel, other in zip(first.items(), second.items(), strict=True):
        assert "kernel" not in kernel[0] or not np.array_equal(kernel[1], other[1])
