# The peers are installed by who runs the benchmark.
# pyright: reportMissingImports=false
"""Our weights in torch's order of axes, layer by layer."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from torch import nn


def load(module: nn.Module, params: Mapping[str, Any]) -> None:
    """Copy our parameters, a nested dict of NumPy arrays, into a module."""
    with torch.no_grad():
        for name, layer in module.named_modules():
            leaves: Any = params
            for part in name.split("."):
                leaves = leaves.get(part, {}) if isinstance(leaves, Mapping) else leaves
            if isinstance(layer, nn.LSTM):
                for i in range(layer.num_layers):
                    ours = params[f"lstm{i + 1}"]
                    getattr(layer, f"weight_ih_l{i}").copy_(torch.tensor(ours["kernel"].T))
                    getattr(layer, f"weight_hh_l{i}").copy_(torch.tensor(ours["recurrent_kernel"].T))
                    getattr(layer, f"bias_ih_l{i}").copy_(torch.tensor(ours["bias"]))
            elif isinstance(layer, nn.Embedding):
                layer.weight.copy_(torch.tensor(params["embedding"]))
            elif name and getattr(layer, "weight", None) is not None:
                layer.weight.copy_(torch.tensor(_weight(layer, leaves)))  # type: ignore[operator]
                if layer.bias is not None:
                    layer.bias.copy_(torch.tensor(_bias(layer, leaves["bias"])))  # type: ignore[operator]


def _weight(layer: Any, leaves: Mapping[str, np.ndarray]) -> np.ndarray:
    """A kernel in torch's order of axes; one behind or before images also in its order of pixels."""
    if "scale" in leaves:
        return leaves["scale"]
    kernel = leaves["kernel"]
    if isinstance(layer, nn.ConvTranspose2d):
        return np.flip(kernel, (0, 1)).transpose(2, 3, 0, 1).copy()
    if isinstance(layer, nn.Conv2d):
        return kernel.transpose(3, 2, 0, 1).copy()
    if hasattr(layer, "images_in"):
        kernel = kernel.reshape(*layer.images_in, -1).transpose(2, 0, 1, 3).reshape(kernel.shape)
    if hasattr(layer, "images_out"):
        kernel = kernel.reshape(-1, *layer.images_out).transpose(0, 3, 1, 2).reshape(kernel.shape)
    return kernel.T.copy()


def _bias(layer: Any, bias: np.ndarray) -> np.ndarray:
    if hasattr(layer, "images_out"):
        return bias.reshape(layer.images_out).transpose(2, 0, 1).ravel().copy()
    return bias
