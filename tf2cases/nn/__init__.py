"""The low-level kit: layers, losses, optimizers and what goes with them, on TensorFlow alone."""

from tf2cases.evaluation import distances
from tf2cases.nn import adversarial, initializers, losses, metrics, optimizers, precision, random, schedules, variables
from tf2cases.nn.ema import ExponentialMovingAverage
from tf2cases.nn.layers import (
    AvgPool2D,
    BatchNorm,
    Branches,
    Conv2D,
    Conv2DTranspose,
    Dense,
    Dropout,
    Flatten,
    GlobalAvgPool2D,
    Layer,
    MaxPool2D,
    Reshape,
    Sequential,
    Skip,
    SpectralNorm,
    UpSampling2D,
)
from tf2cases.nn.optimizers import SGD, Adadelta, Adam, Optimizer, RMSprop
from tf2cases.nn.summary import summary, summary_rows

__all__ = [
    "SGD",
    "Adadelta",
    "Adam",
    "AvgPool2D",
    "BatchNorm",
    "Branches",
    "Conv2D",
    "Conv2DTranspose",
    "Dense",
    "Dropout",
    "ExponentialMovingAverage",
    "Flatten",
    "GlobalAvgPool2D",
    "Layer",
    "MaxPool2D",
    "Optimizer",
    "RMSprop",
    "Reshape",
    "Sequential",
    "Skip",
    "SpectralNorm",
    "UpSampling2D",
    "adversarial",
    "distances",
    "initializers",
    "losses",
    "metrics",
    "optimizers",
    "precision",
    "random",
    "schedules",
    "summary",
    "summary_rows",
    "variables",
]
