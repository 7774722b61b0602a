"""Architectures as flax modules: called as `model(x, train=False)`, they know no way of learning."""

from jaxdl.models.activations import ACTIVATIONS, heaviside, linear, relu, sigmoid, sign, tanh
from jaxdl.models.autoencoder import Autoencoder
from jaxdl.models.cnn import CNN
from jaxdl.models.dcgan import Discriminator, Generator
from jaxdl.models.layers import Conv, conv, max_pool
from jaxdl.models.mlp import MLP
from jaxdl.models.noisy import NoisyDense
from jaxdl.models.perceptron import Neuron, perceptron_update
from jaxdl.models.precision import HalfPrecision, Precision, in_precision
from jaxdl.models.qnetwork import QNetwork
from jaxdl.models.recurrent import RecurrentNet
from jaxdl.models.residual import Residual
from jaxdl.models.transposed import ConvTranspose, conv_transpose
from jaxdl.models.vae import VAE
from jaxdl.models.vgg import VGG

__all__ = [
    "ACTIVATIONS",
    "CNN",
    "MLP",
    "VAE",
    "VGG",
    "Autoencoder",
    "Conv",
    "ConvTranspose",
    "Discriminator",
    "Generator",
    "HalfPrecision",
    "Neuron",
    "NoisyDense",
    "Precision",
    "QNetwork",
    "RecurrentNet",
    "Residual",
    "conv",
    "conv_transpose",
    "heaviside",
    "in_precision",
    "linear",
    "max_pool",
    "perceptron_update",
    "relu",
    "sigmoid",
    "sign",
    "tanh",
]
