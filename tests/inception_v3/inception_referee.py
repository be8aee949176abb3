"""Inception-v3 as others have it: Keras' model with weights that tell pictures apart, Slim's names, the graph of 2015.

None of this uses the project's own table of the network.
"""

import re

import numpy as np
import tensorflow as tf


def smooth_pictures(count, seed=0):
    """float32 [count, 299, 299, 3] in [0, 1]."""
    coarse = np.random.default_rng(seed).uniform(0, 1, [count, 6, 6, 3])
    return tf.clip_by_value(tf.image.resize(coarse, [299, 299], "bicubic"), 0, 1).numpy()


def make_keras_model():
    """Kernels he-normal, statistics of 8 smooth pictures, then perturbed.

    With plain random weights all pictures would be answered alike, and nothing would be tested.
    """
    import keras

    keras.utils.set_random_seed(5)
    model = keras.applications.InceptionV3(weights=None, classifier_activation=None)
    rng = np.random.default_rng(6)
    norms = []
    for layer in model.layers:
        if isinstance(layer, keras.layers.Conv2D):
            fan_in = np.prod(layer.kernel.shape[:3])
            layer.kernel.assign(rng.normal(0, np.sqrt(2 / fan_in), layer.kernel.shape))
        if isinstance(layer, keras.layers.BatchNormalization):
            norms.append(layer)
            layer.momentum = 0.0
    model(2 * smooth_pictures(8) - 1, training=True)
    for layer in norms:
        shape = layer.beta.shape
        layer.beta.assign(rng.normal(0, 0.1, shape))
        layer.moving_mean.assign_add(rng.normal(0, 0.1, shape) * np.sqrt(layer.moving_variance))
        layer.moving_variance.assign(layer.moving_variance * rng.uniform(0.8, 1.25, shape))
    return model


def numbered(model, kind):
    """The layers of a kind by the numbers in their names: the order of their making."""
    found = [(re.fullmatch(rf"{kind}(?:_(\d+))?", layer.name), layer) for layer in model.layers]
    return [layer for match, layer in sorted(((int(m[1] or 0), x) for m, x in found if m), key=lambda pair: pair[0])]


def units(model):
    """[{"kernel", "beta", "moving_mean", "moving_variance": array}] of the 94 convolutions in that order."""
    pairs = zip(numbered(model, "conv2d"), numbered(model, "batch_normalization"), strict=True)
    return [
        {"kernel": conv.kernel.numpy()}
        | {name: getattr(norm, name).numpy() for name in ("beta", "moving_mean", "moving_variance")}
        for conv, norm in pairs
    ]


def _slim_block(name, *branches):
    return [f"Mixed_{name}/Branch_{branch.split()[0]}/{unit}" for branch in branches for unit in branch.split()[1:]]


_6 = (
    "0 Conv2d_0a_1x1",
    "1 Conv2d_0a_1x1 Conv2d_0b_1x7 Conv2d_0c_7x1",
    "2 Conv2d_0a_1x1 Conv2d_0b_7x1 Conv2d_0c_1x7 Conv2d_0d_7x1 Conv2d_0e_1x7",
    "3 Conv2d_0b_1x1",
)
_5 = ("2 Conv2d_0a_1x1 Conv2d_0b_3x3 Conv2d_0c_3x3", "3 Conv2d_0b_1x1")
_7 = ("2 Conv2d_0a_1x1 Conv2d_0b_3x3 Conv2d_0c_1x3 Conv2d_0d_3x1", "3 Conv2d_0b_1x1")
# The names in TF-Slim's checkpoint (research/slim/nets/inception_v3.py of tensorflow/models), in the same order.
SLIM_UNITS = [
    *["Conv2d_1a_3x3", "Conv2d_2a_3x3", "Conv2d_2b_3x3", "Conv2d_3b_1x1", "Conv2d_4a_3x3"],
    *_slim_block("5b", "0 Conv2d_0a_1x1", "1 Conv2d_0a_1x1 Conv2d_0b_5x5", *_5),
    *_slim_block("5c", "0 Conv2d_0a_1x1", "1 Conv2d_0b_1x1 Conv_1_0c_5x5", *_5),
    *_slim_block("5d", "0 Conv2d_0a_1x1", "1 Conv2d_0a_1x1 Conv2d_0b_5x5", *_5),
    *_slim_block("6a", "0 Conv2d_1a_1x1", "1 Conv2d_0a_1x1 Conv2d_0b_3x3 Conv2d_1a_1x1"),
    *[unit for block in ("6b", "6c", "6d", "6e") for unit in _slim_block(block, *_6)],
    *_slim_block("7a", "0 Conv2d_0a_1x1 Conv2d_1a_3x3", "1 Conv2d_0a_1x1 Conv2d_0b_1x7 Conv2d_0c_7x1 Conv2d_1a_3x3"),
    *_slim_block("7b", "0 Conv2d_0a_1x1", "1 Conv2d_0a_1x1 Conv2d_0b_1x3 Conv2d_0b_3x1", *_7),
    *_slim_block("7c", "0 Conv2d_0a_1x1", "1 Conv2d_0a_1x1 Conv2d_0b_1x3 Conv2d_0c_3x1", *_7),
]


def slim_tensors(model, classes=1001):
    """{name: array} as TF-Slim's checkpoint has them, with what is left over there."""
    tensors = {}
    for name, unit in zip(SLIM_UNITS, units(model), strict=True):
        tensors[f"InceptionV3/{name}/weights"] = unit["kernel"]
        for kind in ("beta", "moving_mean", "moving_variance"):
            tensors[f"InceptionV3/{name}/BatchNorm/{kind}"] = unit[kind]
    kernel, bias = last_layer(classes)
    return tensors | {
        "InceptionV3/Logits/Conv2d_1c_1x1/weights": kernel[None, None],
        "InceptionV3/Logits/Conv2d_1c_1x1/biases": bias,
        "InceptionV3/AuxLogits/Conv2d_1b_1x1/weights": np.zeros([1, 1, 768, 128], np.float32),
        "InceptionV3/AuxLogits/Conv2d_1b_1x1/BatchNorm/beta": np.zeros([128], np.float32),
        "global_step": np.int64(1),
    }


def last_layer(classes):
    """(kernel [2048, classes], bias [classes])."""
    rng = np.random.default_rng(8)
    return rng.normal(0, 0.01, [2048, classes]).astype(np.float32), rng.normal(0, 0.1, classes).astype(np.float32)


class GraphOf2015:
    """Builds the frozen graph: its names, its operations with their attributes of the time, producer version 8."""

    def __init__(self, all_units, classes=1008, scale=False):
        self._units, self._scale = iter(all_units), scale
        self.graph_def = tf.compat.v1.GraphDef()
        self.graph_def.versions.producer = 8
        self._stem_and_blocks(classes)

    def _node(self, name, op, inputs=(), **attributes):
        node = self.graph_def.node.add(name=name, op=op, input=list(inputs))
        for key, value in attributes.items():
            attr = node.attr[key]
            if isinstance(value, tf.DType):
                attr.type = value.as_datatype_enum
            elif isinstance(value, bool):
                attr.b = value
            elif isinstance(value, int):
                attr.i = value
            elif isinstance(value, float):
                attr.f = value
            elif isinstance(value, str):
                attr.s = value.encode()
            elif isinstance(value, list):
                attr.list.i.extend(value)
            else:
                attr.tensor.CopyFrom(value)
        return name

    def _const(self, name, value):
        array = np.asarray(value)
        return self._node(name, "Const", dtype=tf.as_dtype(array.dtype), value=tf.make_tensor_proto(array))

    def _conv(self, name, inputs, strides=1, padding="SAME"):
        unit = next(self._units)
        kernel = self._const(f"{name}/conv2d_params", unit["kernel"])
        channels = unit["beta"].shape[0]
        convolved = self._node(
            f"{name}/Conv2D",
            "Conv2D",
            [inputs, kernel],
            T=tf.float32,
            strides=[1, strides, strides, 1],
            padding=padding,
            use_cudnn_on_gpu=True,
        )
        beta = self._const(f"{name}/batchnorm/beta", unit["beta"])
        gamma = self._const(f"{name}/batchnorm/gamma", unit.get("gamma", np.full(channels, 7, np.float32)))
        mean = self._const(f"{name}/batchnorm/moving_mean", unit["moving_mean"])
        variance = self._const(f"{name}/batchnorm/moving_variance", unit["moving_variance"])
        norm = self._node(
            f"{name}/batchnorm",
            "BatchNormWithGlobalNormalization",
            [convolved, mean, variance, beta, gamma],
            T=tf.float32,
            variance_epsilon=0.001,
            scale_after_normalization=self._scale,
        )
        checked = self._node(f"{name}/CheckNumerics", "CheckNumerics", [norm], T=tf.float32, message=name)
        control = self._node(f"{name}/control_dependency", "Identity", [norm, f"^{checked}"], T=tf.float32)
        return self._node(name, "Relu", [control], T=tf.float32)

    def _pool(self, name, inputs, op="AvgPool", size=3, strides=1, padding="SAME"):
        return self._node(
            name,
            op,
            [inputs],
            T=tf.float32,
            ksize=[1, size, size, 1],
            strides=[1, strides, strides, 1],
            padding=padding,
        )

    def _join(self, name, parts):
        axis = self._const(f"{name}/join/concat_dim", np.int32(3))
        return self._node(f"{name}/join", "Concat", [axis, *parts], N=len(parts), T=tf.float32)

    def _chain(self, scope, inputs, steps):
        """Convolutions in a row; a step is (strides, padding)."""
        for i, step in enumerate(steps):
            inputs = self._conv(f"{scope}/conv_{i}" if i else f"{scope}/conv", inputs, *step)
        return inputs

    def _fork(self, scope, inputs):
        return [self._conv(f"{scope}/mixed/conv", inputs), self._conv(f"{scope}/mixed/conv_1", inputs)]

    def _stem_and_blocks(self, classes):
        plain, down = (), (2, "VALID")
        file = self._const("DecodeJpeg/contents", np.array(b"", object))
        image = self._node(
            "DecodeJpeg",
            "DecodeJpeg",
            [file],
            channels=3,
            ratio=1,
            fancy_upscaling=True,
            try_recover_truncated=False,
            acceptable_fraction=1.0,
        )
        x = self._node("Cast", "Cast", [image], SrcT=tf.uint8, DstT=tf.float32)
        x = self._node("ExpandDims", "ExpandDims", [x, self._const("ExpandDims/dim", np.int32(0))], T=tf.float32)
        size = self._const("ResizeBilinear/size", np.array([299, 299], np.int32))
        x = self._node("ResizeBilinear", "ResizeBilinear", [x, size], T=tf.float32)
        x = self._node("Sub", "Sub", [x, self._const("Sub/y", np.float32(128))], T=tf.float32)
        x = self._node("Mul", "Mul", [x, self._const("Mul/y", np.float32(1 / 128))], T=tf.float32)
        x = self._conv("conv", x, 2, "VALID")
        x = self._conv("conv_1", x, 1, "VALID")
        x = self._conv("conv_2", x)
        x = self._pool("pool", x, "MaxPool", 3, 2, "VALID")
        x = self._conv("conv_3", x, 1, "VALID")
        x = self._conv("conv_4", x, 1, "VALID")
        x = self._pool("pool_1", x, "MaxPool", 3, 2, "VALID")
        for name in ("mixed", "mixed_1", "mixed_2"):
            parts = [self._conv(f"{name}/conv", x)]
            parts.append(self._chain(f"{name}/tower", x, [plain] * 2))
            parts.append(self._chain(f"{name}/tower_1", x, [plain] * 3))
            parts.append(self._conv(f"{name}/tower_2/conv", self._pool(f"{name}/tower_2/pool", x)))
            x = self._join(name, parts)
        parts = [self._conv("mixed_3/conv", x, *down), self._chain("mixed_3/tower", x, [plain, plain, down])]
        x = self._join("mixed_3", [*parts, self._pool("mixed_3/pool", x, "MaxPool", 3, 2, "VALID")])
        for name in ("mixed_4", "mixed_5", "mixed_6", "mixed_7"):
            parts = [self._conv(f"{name}/conv", x)]
            parts.append(self._chain(f"{name}/tower", x, [plain] * 3))
            parts.append(self._chain(f"{name}/tower_1", x, [plain] * 5))
            parts.append(self._conv(f"{name}/tower_2/conv", self._pool(f"{name}/tower_2/pool", x)))
            x = self._join(name, parts)
        parts = [self._chain("mixed_8/tower", x, [plain, down])]
        parts.append(self._chain("mixed_8/tower_1", x, [plain, plain, plain, down]))
        x = self._join("mixed_8", [*parts, self._pool("mixed_8/pool", x, "MaxPool", 3, 2, "VALID")])
        for name, op in (("mixed_9", "AvgPool"), ("mixed_10", "MaxPool")):
            parts = [self._conv(f"{name}/conv", x)]
            parts += self._fork(f"{name}/tower", self._chain(f"{name}/tower", x, [plain]))
            parts += self._fork(f"{name}/tower_1", self._chain(f"{name}/tower_1", x, [plain] * 2))
            parts.append(self._conv(f"{name}/tower_2/conv", self._pool(f"{name}/tower_2/pool", x, op)))
            x = self._join(name, parts)
        x = self._pool("pool_3", x, "AvgPool", 8, 1, "VALID")
        shape = self._const("pool_3/_reshape/shape", np.array([1, 2048], np.int32))
        x = self._node("pool_3/_reshape", "Reshape", [x, shape], T=tf.float32)
        kernel, bias = last_layer(classes)
        x = self._node(
            "softmax/logits/MatMul",
            "MatMul",
            [x, self._const("softmax/weights", kernel)],
            T=tf.float32,
            transpose_a=False,
            transpose_b=False,
        )
        x = self._node("softmax/logits", "BiasAdd", [x, self._const("softmax/biases", bias)], T=tf.float32)
        self._node("softmax", "Softmax", [x], T=tf.float32)
