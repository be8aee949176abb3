"""The table of layers."""

import textwrap

import tensorflow as tf

from tf2cases import nn


def small():
    network = nn.Sequential(
        [
            nn.Conv2D(4, 3, name="conv"),
            nn.BatchNorm(name="norm"),
            nn.Sequential([nn.MaxPool2D(name="pool"), nn.Flatten(name="flatten")], name="inner"),
            nn.Dense(1000, name="logits"),
        ],
        name="small",
    )
    network.create((None, 8, 8, 1), 0)
    return network


def test_summary_of_a_small_network():
    # 3 x 3 x 1 x 4 + 4 = 40; 4 x 4 = 16, half of them moving statistics; 64 x 1000 + 1000 = 65,000.
    assert nn.summary(small()) == textwrap.dedent(
        """\
        Layer    Output shape     Parameters
        ------------------------------------
        conv     (None, 8, 8, 4)          40
        norm     (None, 8, 8, 4)          16
        pool     (None, 4, 4, 4)           0
        flatten  (None, 64)                0
        logits   (None, 1000)         65,000
        ------------------------------------
        Parameters: 65,056 (trainable 65,048, others 8)"""
    )


def test_summary_of_several_networks():
    head = nn.Dense(2, name="head")
    head.create((None, 3), 0)
    assert nn.summary([head, small()]) == textwrap.dedent(
        """\
        head
        Layer    Output shape     Parameters
        ------------------------------------
        head     (None, 2)                 8
        ------------------------------------
        Parameters: 8 (trainable 8, others 0)

        small
        Layer    Output shape     Parameters
        ------------------------------------
        conv     (None, 8, 8, 4)          40
        norm     (None, 8, 8, 4)          16
        pool     (None, 4, 4, 4)           0
        flatten  (None, 64)                0
        logits   (None, 1000)         65,000
        ------------------------------------
        Parameters: 65,056 (trainable 65,048, others 8)

        In all: 65,064 (trainable 65,056, others 8)"""
    )


def test_summary_of_networks_of_the_same_name_has_both():
    networks = [nn.Dense(2), nn.Dense(3)]
    for network in networks:
        network.create((None, 1), 0)
    lines = nn.summary(networks).splitlines()
    assert lines.count("dense") == 2
    assert lines[-1] == "In all: 10 (trainable 10, others 0)"  # 1 x 2 + 2, and 1 x 3 + 3


def test_summary_under_names_of_its_own_joins_the_layers_of_each():
    encoder, mean, decoder = nn.Dense(4, name="hidden"), nn.Dense(2, name="mean"), nn.Dense(5, name="logits")
    for layer in (encoder, mean, decoder):
        layer.create((None, 3), 0)
    lines = nn.summary({"encoder": [encoder, mean], "decoder": decoder}).splitlines()
    assert [lines[0], lines[3].split()[0], lines[4].split()[0], lines[8]] == ["encoder", "hidden", "mean", "decoder"]
    assert [line for line in lines if line.startswith("Parameters")] == [
        "Parameters: 24 (trainable 24, others 0)",  # 3 x 4 + 4, and 3 x 2 + 2
        "Parameters: 20 (trainable 20, others 0)",  # 3 x 5 + 5
    ]


def test_summary_lists_variables_outside_of_the_layers():
    head = nn.Dense(2, name="head")
    head.create((None, 3), 0)
    scale = tf.Variable(tf.zeros([3, 5]), name="scale")
    lines = nn.summary(head, [scale]).splitlines()
    assert lines[7] == "variables outside of layers"
    assert lines[10].split() == ["scale", "(3,", "5)", "15"]
    assert lines[-1] == "In all: 23 (trainable 23, others 0)"
    alone = nn.summary([], [scale]).splitlines()
    assert alone[0].split() == ["Variable", "Shape", "Parameters"]
    assert alone[-1] == "Parameters: 15 (trainable 15, others 0)"


def test_rows_of_a_small_network():
    assert nn.summary_rows(small()) == [
        ("conv", (None, 8, 8, 4), 40),
        ("norm", (None, 8, 8, 4), 16),
        ("pool", (None, 4, 4, 4), 0),
        ("flatten", (None, 64), 0),
        ("logits", (None, 1000), 65_000),
    ]
