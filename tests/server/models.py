"""SavedModels for the tests: like TF Serving's half_plus_two, with signatures of TensorFlow 1; and of TensorFlow 2."""

import os
import shutil

import numpy as np
import tensorflow as tf

PREDICT, CLASSIFY, REGRESS = (f"tensorflow/serving/{name}" for name in ("predict", "classify", "regress"))


def save_half_plus(path, offset=2.0, tags=("serve",)):
    """y = x / 2 + offset, of TensorFlow 1, with signatures that take x or serialized tf.Examples with x."""
    graph, v1 = tf.Graph(), tf.compat.v1
    with graph.as_default(), v1.Session(graph=graph) as session:
        a, b = v1.get_variable("a", initializer=0.5), v1.get_variable("b", initializer=float(offset))
        serialized = v1.placeholder(tf.string, [None], "tf_example")
        features = {"x": tf.io.FixedLenFeature([1], tf.float32)}
        x = tf.identity(tf.io.parse_example(serialized, features)["x"], "x")
        y = tf.add(a * x, b, "y")
        twice = tf.multiply(y, 2.0, "twice")
        session.run(v1.global_variables_initializer())
        info, build = v1.saved_model.utils.build_tensor_info, v1.saved_model.signature_def_utils.build_signature_def
        signatures = {
            "serving_default": build({"x": info(x)}, {"y": info(y)}, PREDICT),
            "both": build({"x": info(x)}, {"y": info(y), "twice": info(twice), "x": info(x)}, PREDICT),
            "regress_x_to_y": build({"inputs": info(serialized)}, {"outputs": info(y)}, REGRESS),
            "regress_x_to_twice": build({"inputs": info(serialized)}, {"outputs": info(twice)}, REGRESS),
            "classify_x_to_y": build({"inputs": info(serialized)}, {"scores": info(y)}, CLASSIFY),
        }
        builder = v1.saved_model.builder.SavedModelBuilder(path)
        builder.add_meta_graph_and_variables(session, list(tags), signatures)
        builder.save()


class Zoo(tf.Module):
    """Signatures with scalars, strings, several inputs and outputs, a table, a failure, and slow ones."""

    def __init__(self):
        super().__init__()
        self.offset = tf.Variable(1.0)
        initializer = tf.lookup.KeyValueTensorInitializer(["a", "b"], tf.constant([1, 2], tf.int64))
        self.table = tf.lookup.StaticHashTable(initializer, -1)

    def signatures(self):
        def signature(*specs):
            return tf.function(input_signature=[tf.TensorSpec(shape, dtype, name) for name, dtype, shape in specs])

        @signature(("x", tf.float32, [None]))
        def serving_default(x):
            return {"y": x + self.offset}

        @signature(("start", tf.float32, []), ("count", tf.int32, []))
        def scalars(start, count):
            return {"numbers": start + tf.range(tf.cast(count, tf.float32)), "count": count}

        @signature(("words", tf.string, [None]))
        def strings(words):
            return {"number": self.table.lookup(words), "upper": tf.strings.upper(words), "word_bytes": words}

        @signature(("x", tf.float32, [None]))
        def positive(x):
            with tf.control_dependencies([tf.debugging.assert_positive(x, "x must be positive")]):
                return {"root": tf.sqrt(x)}

        @signature(("x", tf.float32, [None, None]))
        def wide(x):
            return {"sum": tf.reduce_sum(x, 1), "rows": tf.zeros_like(x[:, 0]) + tf.cast(tf.shape(x)[0], tf.float32)}

        @signature(("x", tf.float32, [None]))
        def slow(x):
            # Counts to a number that depends on the first input: about a second for a million.
            steps = tf.cast(x[0], tf.int32)
            last = tf.while_loop(lambda i: i < steps, lambda i: i + 1, [0])[0]
            return {"y": x + 0 * tf.cast(last, tf.float32)}

        @signature(("inputs", tf.string, [None]))
        def classify(inputs):
            x = tf.io.parse_example(inputs, {"x": tf.io.FixedLenFeature([2], tf.float32)})["x"]
            return {"classes": tf.tile([["cat", "dog"]], [tf.shape(x)[0], 1]), "scores": x}

        @signature(("inputs", tf.string, [None]))
        def regress(inputs):
            x = tf.io.parse_example(inputs, {"x": tf.io.FixedLenFeature([2], tf.float32)})["x"]
            return {"outputs": x[:, 1:] + self.offset}

        @signature(*((name, dtype, [None]) for name, dtype in self.kinds().items()))
        def kinds(*values):
            return dict(zip(self.kinds(), values, strict=True))

        return {name: value for name, value in locals().items() if isinstance(value, type(serving_default))}

    @staticmethod
    def kinds():
        """{name: dtype} of the signature that returns all types as they are."""
        names = (
            "half bfloat16 float32 double int8 int16 int32 int64 uint8 uint16 uint32 uint64 bool complex64 complex128"
        )
        return {f"a_{name}": tf.dtypes.as_dtype(name) for name in [*names.split(), "string"]}


def save_zoo(path):
    zoo = Zoo()
    tf.saved_model.save(zoo, path, signatures=zoo.signatures())


def add_version(source, base, number):
    """Copies a SavedModel under a base path as tf.saved_model.save's advice has it: complete when it gets its name."""
    os.makedirs(base, exist_ok=True)
    temporary = os.path.join(base, f".{number}.partial")
    shutil.copytree(source, temporary)
    os.rename(temporary, os.path.join(base, str(number)))


def example(**features):
    """A serialized tf.Example with lists of floats."""
    lists = {k: tf.train.Feature(float_list=tf.train.FloatList(value=np.ravel(v))) for k, v in features.items()}
    return tf.train.Example(features=tf.train.Features(feature=lists))
