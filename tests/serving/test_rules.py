"""Each rule of serving refuses what breaks it, and names itself."""

import pytest
import tensorflow as tf
from small_model import SmallModel

from tf2cases.serving import rules


def concrete(body, *specs):
    return tf.function(body, input_signature=specs).get_concrete_function()


def floats(*shape, name="x", dtype=tf.float32):
    return tf.TensorSpec(shape, dtype, name=name)


def good():
    return concrete(lambda x: {"y": x + 1.0}, floats(None, 3))


def test_the_small_model_keeps_every_rule():
    signatures = SmallModel().signatures()
    rules.check({name: function.get_concrete_function() for name, function in signatures.items()})


def test_input_specs_are_by_name():
    assert rules.input_specs(good()) == {"x": tf.TensorSpec([None, 3], tf.float32, name="x")}


def bytes_by_default():
    files = tf.TensorSpec([None], tf.string, name="image_bytes")
    return concrete(lambda image_bytes: {"size": tf.strings.length(image_bytes)}, files)


def output_named_like_an_input():
    return concrete(lambda x: {"x": x + 1.0}, floats(None, 3))


def nested():
    return concrete(lambda x: {"y": {"z": x}}, floats(None, 3))


def bare():
    return concrete(lambda x: x * 2.0, floats(None, 3))


def odd_name():
    return concrete(lambda x: {"y/z": x}, floats(None, 3))


def fixed_input():
    return concrete(lambda x: {"y": x}, floats(8, 3))


def scalar_input():
    return concrete(lambda x: {"y": x[tf.newaxis]}, floats())


def fixed_output():
    return concrete(lambda x: {"y": tf.reduce_sum(x, axis=0)}, floats(None, 3))


def half_output():
    return concrete(lambda x: {"y": tf.cast(x, tf.bfloat16)}, floats(None, 3))


def double_output():
    return concrete(lambda x: {"y": x}, floats(None, 3, dtype=tf.float64))


def compiled():
    body = tf.function(lambda x: {"y": x}, jit_compile=True, input_signature=[floats(None, 3)])
    return body.get_concrete_function()


def compiled_inside():
    inner = tf.function(lambda x: x * 2.0, jit_compile=True)
    return concrete(lambda x: {"y": inner(x)}, floats(None, 3))


def compiled_in_a_branch():
    inner = tf.function(lambda x: x * 2.0, jit_compile=True)
    body = lambda x: {"y": tf.cond(tf.size(x) > 3, lambda: inner(x), lambda: x)}  # noqa: E731
    return concrete(body, floats(None, 3))


@pytest.mark.parametrize(
    ("make", "rule", "what"),
    [
        (nested, "flat outputs", "flat dictionary of tensors"),
        (bare, "flat outputs", "flat dictionary of tensors"),
        (odd_name, "plain names", "'y/z' must be letters"),
        (fixed_input, "batch dimension", r"input 'x' has shape \(8, 3\)"),
        (scalar_input, "batch dimension", r"input 'x' has shape \(\)"),
        (fixed_output, "batch dimension", r"output 'y' has shape \(3,\)"),
        (half_output, "float32 outputs", "output 'y' is bfloat16"),
        (double_output, "float32 outputs", "output 'y' is float64"),
        (bytes_by_default, "byte inputs", "'image_bytes' takes bytes, so the signature's name must end in _bytes"),
        (output_named_like_an_input, "names of outputs", "'x' is an input and an output"),
        (compiled, "no XLA", "jit_compile=True"),
        (compiled_inside, "no XLA", "jit_compile=True"),
        (compiled_in_a_branch, "no XLA", "jit_compile=True"),
    ],
)
def test_a_broken_rule_is_named(make, rule, what):
    with pytest.raises(rules.RuleError, match=f"rule '{rule}': signature 'other': .*{what}.*\\.$"):
        rules.check({"serving_default": good(), "other": make()})


def test_a_function_compiled_only_on_demand_is_no_offence():
    inner = tf.function(lambda x: x * 2.0, jit_compile=False)
    rules.check({"serving_default": concrete(lambda x: {"y": inner(x)}, floats(None, 3))})


@pytest.mark.parametrize("names", [[], ["classify_bytes"]])
def test_a_default_signature_is_wanted(names):
    with pytest.raises(rules.RuleError, match=r"rule 'a default signature': .*serving_default"):
        rules.check({name: good() for name in names})


@pytest.mark.parametrize(
    ("body", "spec", "what"),
    [
        (lambda x: {"scores": x}, floats(None, 3), "only input must be 'inputs'"),
        (
            lambda inputs: {"label": tf.expand_dims(inputs, 1)},
            tf.TensorSpec([None], tf.string, name="inputs"),
            "output 'label' is string",
        ),
        (
            lambda inputs: {"classes": inputs},
            tf.TensorSpec([None], tf.string, name="inputs"),
            r"output 'classes' is string \(None,\)",
        ),
    ],
)
def test_classify_has_the_shape_that_tf_serving_asks_for(body, spec, what):
    with pytest.raises(rules.RuleError, match=what):
        rules.check({"serving_default": good(), "classify": concrete(body, spec)})


def test_bytes_that_are_no_text_need_a_name_that_says_so():
    png = tf.io.encode_png(tf.zeros([2, 2, 1], tf.uint8))[tf.newaxis].numpy()
    rules.check_answer("sample", {"image_bytes": png, "label": tf.constant(["é", "字"]).numpy()})
    with pytest.raises(rules.RuleError, match="rule 'byte outputs': signature 'sample': output 'image'"):
        rules.check_answer("sample", {"image": png})
