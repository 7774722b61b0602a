"""Data: fixed splits by name, the order of their rows, augmentation, balancing, and the host road."""

from jaxdl.data import augment, balance, idx, order, playground
from jaxdl.data.checks import check
from jaxdl.data.sources import NAMES, SEARCH_ORDER, Dataset, Split, load
from jaxdl.data.stream import stream

__all__ = [
    "NAMES",
    "SEARCH_ORDER",
    "Dataset",
    "Split",
    "augment",
    "balance",
    "check",
    "idx",
    "load",
    "order",
    "playground",
    "stream",
]
