"""The table of layers."""

import textwrap

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
    lines = nn.summary([small(), head]).splitlines()
    assert lines[-3].split() == ["head", "(None,", "2)", "8"]
    assert lines[-1] == "Parameters: 65,064 (trainable 65,056, others 8)"


def test_rows_of_a_small_network():
    assert nn.summary_rows(small()) == [
        ("conv", (None, 8, 8, 4), 40),
        ("norm", (None, 8, 8, 4), 16),
        ("pool", (None, 4, 4, 4), 0),
        ("flatten", (None, 64), 0),
        ("logits", (None, 1000), 65_000),
    ]
