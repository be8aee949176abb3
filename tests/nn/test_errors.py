"""Every error message of the kit: what it says, and that no `raise` is left out."""

import ast
import pathlib
import re
import traceback

import pytest
import tensorflow as tf

from tf2cases import nn

FOLDER = pathlib.Path(nn.__file__).parent


def create(layer, *shape):
    layer.create(shape, 0)


def dense():
    layer = nn.Dense(2)
    layer.create((None, 3), 0)
    return layer


def dropout():
    layer = nn.Dropout(0.5)
    layer.create((None, 3), 0)
    return layer


def sgd(**options):
    return nn.SGD([tf.Variable([1.0])], **({"learning_rate": 0.1} | options))


def gradients_of_nothing():
    variable = tf.Variable([1.0], name="lonely")
    with tf.GradientTape() as tape:
        loss = tf.constant(1.0)
    nn.SGD([variable], 0.1).gradients(loss, tape)


def adam(**options):
    return nn.Adam([tf.Variable([1.0])], 0.1, **options)


def rmsprop(**options):
    return nn.RMSprop([tf.Variable([1.0])], 0.1, **options)


def adadelta(**options):
    return nn.Adadelta([tf.Variable([1.0])], 0.1, **options)


def share(name, value):
    return rf"^{name} is {value}, but must be at least 0 and less than 1\.$"


# What is done, and the whole message as a regular expression.
ERRORS = [
    (lambda: nn.Dense(0), r"^dense: units is 0, but must be a positive integer\.$"),
    (lambda: nn.Dense(2.5, name="d"), r"^d: units is 2\.5, but must be a positive integer\.$"),
    (lambda: nn.Conv2D(-1, 3), r"^conv2d: filters is -1, but must be a positive integer\.$"),
    (lambda: nn.Conv2D(1, (0, 3)), r"^conv2d: kernel_height is 0, but must be a positive integer\.$"),
    (lambda: nn.Conv2D(1, (3, 0)), r"^conv2d: kernel_width is 0, but must be a positive integer\.$"),
    (lambda: nn.Conv2DTranspose(1, 3, "2"), r"^conv2d_transpose: strides is '2', but must be a positive integer\.$"),
    (lambda: nn.Conv2D(1, 3, padding="same"), r"^conv2d: padding is 'same', but must be 'SAME' or 'VALID'\.$"),
    (lambda: nn.MaxPool2D(2, padding="FULL"), r"^max_pool: padding is 'FULL', but must be 'SAME' or 'VALID'\.$"),
    (lambda: nn.MaxPool2D(0), r"^max_pool: pool_size is 0, but must be a positive integer\.$"),
    (lambda: nn.MaxPool2D(2, 0), r"^max_pool: strides is 0, but must be a positive integer\.$"),
    (lambda: nn.UpSampling2D(0), r"^up_sampling: size is 0, but must be a positive integer\.$"),
    (lambda: nn.BatchNorm(momentum=1.5), r"^batch_norm: momentum is 1\.5, but must be between 0 and 1\.$"),
    (lambda: nn.BatchNorm(epsilon=0), r"^batch_norm: epsilon is 0, but must be greater than 0\.$"),
    (lambda: nn.Dropout(1), r"^dropout: rate is 1, but must be at least 0 and less than 1\.$"),
    (lambda: create(dense(), None, 3), r"^dense was created already, but a layer can be created only once\.$"),
    (lambda: nn.Dropout(-0.1), r"^dropout: rate is -0\.1, but must be at least 0 and less than 1\.$"),
    (
        lambda: nn.Sequential([nn.Flatten(name="b"), nn.Flatten(name="a"), nn.Flatten(name="a")], name="net"),
        r"^net: layer name 'a' is used twice, but must be unique\.$",
    ),
    (
        lambda: create(nn.Dense(2), None),
        r"^dense got inputs of shape \[None\], but needs rank 2: \[batch, \.\.\., features\]\.$",
    ),
    (
        lambda: create(nn.Dense(2), 3, None),
        r"^dense got inputs of shape \[3, None\], but needs a known last dimension\.$",
    ),
    *(
        (
            lambda layer=layer: create(layer, None, 4, 3),
            rf"^{layer.name} got inputs of shape \[None, 4, 3\], but needs rank 4: "
            r"\[batch, height, width, channels\]\.$",
        )
        for layer in (
            nn.BatchNorm(),
            nn.Conv2D(1, 1),
            nn.Conv2DTranspose(1, 1, name="up"),
            nn.MaxPool2D(),
            nn.AvgPool2D(),
            nn.GlobalAvgPool2D(),
            nn.UpSampling2D(),
        )
    ),
    (
        lambda: create(nn.Conv2D(1, 1), None, 4, 4, None),
        r"^conv2d got inputs of shape \[None, 4, 4, None\], but needs a known last dimension\.$",
    ),
    (
        lambda: create(nn.Conv2D(1, (2, 3), padding="VALID"), None, 2, 2, 1),
        r"^conv2d: inputs have width 2, but a VALID window of 3 needs at least 3\.$",
    ),
    (
        lambda: create(nn.MaxPool2D(3), None, 2, 3, 1),
        r"^max_pool: inputs have height 2, but a VALID window of 3 needs at least 3\.$",
    ),
    (
        lambda: nn.Branches([nn.Flatten(name="a"), nn.Flatten(), nn.Flatten(name="a")]),
        r"^branches: branch name 'a' is used twice, but must be unique\.$",
    ),
    (
        lambda: create(nn.Branches([nn.MaxPool2D(1), nn.AvgPool2D(2)]), None, 4, 4, 1),
        r"^branches: branches have output shapes \[\[None, 4, 4, 1\], \[None, 2, 2, 1\]\], "
        r"but may differ in the last axis only\.$",
    ),
    (
        lambda: create(nn.Flatten(), None, None, 3),
        r"^flatten got inputs of shape \[None, None, 3\], but only the batch size may be unknown\.$",
    ),
    (
        lambda: create(nn.Reshape([2, 2]), None, 5),
        r"^reshape got inputs of shape \[None, 5\], but needs 4 elements per example for the shape \[2, 2\]\.$",
    ),
    (
        lambda: nn.initializers.glorot_uniform((3,), 0),
        r"^shape is \[3\], but fan-in and fan-out need a kernel of rank 2 or more\.$",
    ),
    (
        lambda: nn.losses.mean_squared_error(tf.zeros([3]), tf.zeros([3, 1])),
        r"^targets have shape \(3,\), but must have that of the outputs, \(3, 1\)\.$",
    ),
    (lambda: nn.SGD([], 0.1), r"^variables is empty, but an optimizer needs at least one variable\.$"),
    (lambda: sgd(learning_rate=0), r"^learning_rate is 0, but must be greater than 0\.$"),
    (lambda: sgd(learning_rate=float("nan")), r"^learning_rate is nan, but must be greater than 0\.$"),
    (lambda: sgd(clip_norm=0.0), r"^clip_norm is 0\.0, but must be greater than 0\.$"),
    (lambda: adam(beta1=-1), share("beta1", "-1")),
    (lambda: adam(beta2=1), share("beta2", "1")),
    (lambda: rmsprop(rho=1.5), share("rho", r"1\.5")),
    (lambda: adadelta(rho=1), share("rho", "1")),
    *(
        (lambda make=make: make(epsilon=0), r"^epsilon is 0, but must be greater than 0\.$")
        for make in (adam, rmsprop, adadelta)
    ),
    (lambda: sgd().apply([tf.zeros([1]), tf.zeros([1])]), r"^2 gradients were given, but there are 1 variables\.$"),
    (gradients_of_nothing, r"^the loss does not depend on lonely:0, so it has no gradient\.$"),
    (
        lambda: nn.precision.compute_dtype("float64"),
        r"^precision is 'float64', but must be one of float32, bfloat16, float16\.$",
    ),
    (
        lambda: nn.precision.loss_scale("half"),
        r"^precision is 'half', but must be one of float32, bfloat16, float16\.$",
    ),
    (lambda: nn.schedules.make("linear", 0.1, 10), r"^schedule is 'linear', but must be one of constant, cosine\.$"),
    (
        lambda: nn.schedules.make("cosine", 0.1, 10, warmup_steps=10),
        r"^warmup_steps is 10, but must be at least 0 and less than the run's 10 steps\.$",
    ),
    (
        lambda: nn.schedules.make("constant", 0.1, 10, warmup_steps=-1),
        r"^warmup_steps is -1, but must be at least 0 and less than the run's 10 steps\.$",
    ),
    *(
        (
            lambda decay=decay: nn.ExponentialMovingAverage(dense(), dense(), decay),
            rf"^decay is {re.escape(str(decay))}, but must be at least 0 and less than 1\.$",
        )
        for decay in (1, -0.5)
    ),
]

# Errors of other kinds.
OTHER_ERRORS = [
    (
        RuntimeError,
        lambda: nn.Dense(2)(tf.ones([2, 3])),
        r"^dense was called before `create`, which creates the variables\.$",
    ),
    (
        TypeError,
        lambda: dropout()(tf.ones([2, 3]), is_training=True),
        r"^dropout needs the argument 'seed' in training, but it was not given\.$",
    ),
    (
        TypeError,
        lambda: nn.call(dropout(), tf.ones([2, 3])),
        r"^dropout needs the argument 'is_training', but it was not given\.$",
    ),
]

# The methods that a subclass has to have.
ABSTRACT = [
    lambda: create(nn.Layer(), None, 3),
    lambda: nn.Optimizer([tf.Variable([1.0])], 0.1).apply([tf.constant([1.0])]),
]


@pytest.mark.parametrize(("mistake", "message"), ERRORS, ids=[message for _, message in ERRORS])
def test_message(mistake, message):
    with pytest.raises(ValueError, match=message):
        mistake()


@pytest.mark.parametrize(("kind", "mistake", "message"), OTHER_ERRORS, ids=[message for *_, message in OTHER_ERRORS])
def test_message_of_another_kind(kind, mistake, message):
    with pytest.raises(kind, match=message):
        mistake()


@pytest.mark.parametrize("mistake", ABSTRACT)
def test_abstract_methods(mistake):
    with pytest.raises(NotImplementedError):
        mistake()


def raised_at(mistake):
    """(file, line) of this package's innermost frame, which is where the error came from."""
    try:
        mistake()
    except (ValueError, TypeError, RuntimeError) as error:
        frames = traceback.extract_tb(error.__traceback__)
        return next((f.filename, f.lineno) for f in reversed(frames) if f.filename.startswith(str(FOLDER)))


def test_every_raise_is_tested():
    raises = [
        (str(path), range(node.lineno, node.end_lineno + 1))
        for path in FOLDER.rglob("*.py")
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.Raise)
    ]
    seen = [raised_at(mistake) for mistake in [m for m, _ in ERRORS] + [m for _, m, _ in OTHER_ERRORS] + ABSTRACT]
    missing = [
        f"{name}:{lines[0]}" for name, lines in raises if not any(f == name and line in lines for f, line in seen)
    ]
    assert len(raises) > 10
    assert not missing
