"""The systems of introductory deep learning as pure functions, in JAX."""

from importlib.metadata import PackageNotFoundError, version

from jaxdl.errors import InputError
from jaxdl.learner import Learner, Net, TrainState, update_net

try:
    __version__ = version("jaxdl")
except PackageNotFoundError:  # a source tree that was never installed
    __version__ = "0+unknown"

__all__ = ["InputError", "Learner", "Net", "TrainState", "update_net"]
