"""Low-level building blocks (layers, losses, optimizers and their helpers), on TensorFlow alone."""

from tf2cases.nn import adversarial, initializers, losses, metrics, optimizers, precision, random, schedules, variables
from tf2cases.nn.ema import ExponentialMovingAverage
from tf2cases.nn.layers.base import Layer, ShapeError, call
from tf2cases.nn.layers.containers import Branches, Sequential, Skip
from tf2cases.nn.layers.convolution import Conv2D, Conv2DTranspose
from tf2cases.nn.layers.dense import Dense
from tf2cases.nn.layers.dropout import Dropout
from tf2cases.nn.layers.normalization import BatchNorm
from tf2cases.nn.layers.pooling import AvgPool2D, GlobalAvgPool2D, MaxPool2D
from tf2cases.nn.layers.reshaping import Flatten, Reshape, UpSampling2D
from tf2cases.nn.layers.spectral_norm import SpectralNorm
from tf2cases.nn.optimizers import SGD, Adadelta, Adam, Optimizer, RMSprop
from tf2cases.nn.summary import summary, summary_rows
