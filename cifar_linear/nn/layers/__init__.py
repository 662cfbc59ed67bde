"""Layers of a network: frozen descriptions of sizes, and pure functions of activations and named parameters.

Activations are (R, C, H, W, n) or flat (R, d, n): R runs in front, the n images last. An input that all runs share,
such as the images themselves, has a run axis of length 1.
"""

from cifar_linear.nn.layers.average_pool import AveragePool, GlobalAveragePool
from cifar_linear.nn.layers.conv import Conv
from cifar_linear.nn.layers.flatten import Flatten
from cifar_linear.nn.layers.initialization import He, Normal, Scheme
from cifar_linear.nn.layers.layer import Layer, Shape, Trace
from cifar_linear.nn.layers.linear import Linear
from cifar_linear.nn.layers.max_pool import MaxPool
from cifar_linear.nn.layers.relu import ReLU

__all__ = [
    "AveragePool",
    "Conv",
    "Flatten",
    "GlobalAveragePool",
    "He",
    "Layer",
    "Linear",
    "MaxPool",
    "Normal",
    "ReLU",
    "Scheme",
    "Shape",
    "Trace",
]
