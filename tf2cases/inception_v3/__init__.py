"""Inception-v3 with trained weights: the network, its weights from several sources, class names and features."""

from tf2cases.inception_v3 import frozen_graph, weights
from tf2cases.inception_v3.classifier import InceptionV3, best
from tf2cases.inception_v3.network import FEATURES, IMAGE_SHAPE, Network

__all__ = ["FEATURES", "IMAGE_SHAPE", "InceptionV3", "Network", "best", "frozen_graph", "weights"]
