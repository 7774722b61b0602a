"""Architectures as flax modules: called as `model(x, train=False)`, they know no way of learning."""

from jaxdl.models.activations import ACTIVATIONS, heaviside, linear, relu, sigmoid, sign, tanh
from jaxdl.models.cnn import CNN
from jaxdl.models.layers import Conv, conv, max_pool
from jaxdl.models.mlp import MLP
from jaxdl.models.perceptron import Neuron, perceptron_update

__all__ = [
    "ACTIVATIONS",
    "CNN",
    "MLP",
    "Conv",
    "Neuron",
    "conv",
    "heaviside",
    "linear",
    "max_pool",
    "perceptron_update",
    "relu",
    "sigmoid",
    "sign",
    "tanh",
]
