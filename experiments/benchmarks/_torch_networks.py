# The peers are installed by who runs the benchmark.
# pyright: reportMissingImports=false
"""The networks of the families benchmark in torch. Their layers bear the names of ours.

`_torch_weights.load` copies ours into them, to show that both sides do the same work.
"""

from collections import OrderedDict
from typing import Any

import numpy as np
import torch
from torch import nn

from experiments.benchmarks._cases import Case

Shape = tuple[int, ...]
# VGG's columns A and D (Simonyan, Zisserman, 2014): convolutions in each of the five blocks.
VGG_COUNTS = {"A": (1, 1, 2, 2, 2), "D": (2, 2, 3, 3, 3)}


def networks(case: Case) -> dict[str, nn.Module]:
    """The modules that a case trains, by the names of ours: "net", or "generator" and "discriminator"."""
    sizes = case.sizes
    if case.network == "gan":
        widths, start, channels = sizes["widths"], sizes["start"], case.shape[-1]
        return {
            "generator": generator(widths, start, channels, sizes["latents"]),
            "discriminator": discriminator(widths[::-1], start, channels),
        }
    if case.network == "lstm":
        return {"net": LSTM(**sizes)}
    if case.network == "vae":
        return {"net": VAE(case.shape, **sizes)}
    if case.network.startswith("resnet"):
        return {"net": ResNet(bottleneck=case.network == "resnet50", **sizes)}
    make = {"mlp": mlp, "cnn": cnn, "vgg": vgg}[case.network]
    return {"net": make(case.shape, **sizes)}


def mlp(shape: Shape, widths: Shape) -> nn.Module:
    """Dense layers with ReLU between them."""
    parts: list[tuple[str, nn.Module]] = [("flat", nn.Flatten())]
    width = int(np.prod(shape))
    for i, units in enumerate(widths, start=1):
        parts += [(f"dense{i}", nn.Linear(width, units)), (f"relu{i}", nn.ReLU())]
        width = units
    return nn.Sequential(OrderedDict([*parts, ("logits", nn.Linear(width, 10))]))


def cnn(shape: Shape, features: Shape, hidden: int) -> nn.Module:
    """Levels of convolution, ReLU and pooling, then two dense layers."""
    parts, width, side = [], shape[-1], shape[0]
    for i, filters in enumerate(features, start=1):
        parts += [(f"conv{i}", nn.Conv2d(width, filters, 3, padding=1)), (f"relu{i}", nn.ReLU())]
        parts.append((f"pool{i}", nn.MaxPool2d(2)))
        width, side = filters, side // 2
    parts += [("flat", nn.Flatten()), ("dense1", after_images(side, width, hidden)), ("relu", nn.ReLU())]
    parts.append(("logits", nn.Linear(hidden, 10)))
    return nn.Sequential(OrderedDict(parts))


def vgg(shape: Shape, column: str, hidden: int, classes: int) -> nn.Module:
    """VGG without dropout, which is off when it predicts."""
    parts, width, side = [], shape[-1], shape[0]
    for i, count in enumerate(VGG_COUNTS[column], start=1):
        for j in range(1, count + 1):
            filters = min(64 * 2 ** (i - 1), 512)
            parts += [(f"conv{i}_{j}", nn.Conv2d(width, filters, 3, padding=1)), (f"relu{i}_{j}", nn.ReLU())]
            width = filters
        parts.append((f"pool{i}", nn.MaxPool2d(2)))
        side //= 2
    parts += [("flat", nn.Flatten()), ("dense1", after_images(side, width, hidden)), ("a", nn.ReLU())]
    parts += [("dense2", nn.Linear(hidden, hidden)), ("b", nn.ReLU()), ("logits", nn.Linear(hidden, classes))]
    return nn.Sequential(OrderedDict(parts))


def after_images(side: int, channels: int, outputs: int) -> nn.Linear:
    """A dense layer behind flattened images; it remembers their shape for `load`."""
    layer = nn.Linear(side * side * channels, outputs)
    layer.images_in = (side, side, channels)  # type: ignore[assignment]
    return layer


class LSTM(nn.Module):
    """Embedding, `nn.LSTM`, and a dense layer on every step, over [time, batch]."""

    def __init__(self, vocabulary: int, features: int, layers: int):
        super().__init__()
        self.embedding = nn.Embedding(vocabulary, features)
        self.lstm = nn.LSTM(features, features, layers)
        self.logits = nn.Linear(features, vocabulary)
        for name, parameter in self.lstm.named_parameters():
            if name.startswith("bias_hh"):  # the second of two biases that only enter as their sum
                nn.init.zeros_(parameter).requires_grad_(False)

    def forward(self, tokens: torch.Tensor) -> torch.Tensor:
        """[time, batch] to logits [time, batch, vocabulary]."""
        return self.logits(self.lstm(self.embedding(tokens))[0])


class VAE(nn.Module):
    """Encoder and decoder, dense or convolutional."""

    def __init__(self, shape: Shape, latent: int, widths: Shape, features: Shape):
        super().__init__()
        side, inside = shape[0] // 2 ** len(features), [shape[-1], *features]
        encoder: list[tuple[str, nn.Module]] = []
        for i, filters in enumerate(features, start=1):
            encoder += [(f"conv{i}", nn.Conv2d(inside[i - 1], filters, 4, 2, 1)), (f"relu{i}", nn.ReLU())]
        encoder.append(("flat", nn.Flatten()))
        units = [side * side * inside[-1], *widths]
        for i, width in enumerate(widths, start=1):
            dense = after_images(side, inside[-1], width) if i == 1 else nn.Linear(units[i - 1], width)
            encoder += [(f"dense{i}", dense), (f"act{i}", nn.ReLU())]
        encoder.append(("outputs", nn.Linear(units[-1], 2 * latent)))
        decoder: list[tuple[str, nn.Module]] = []
        back = [latent, *reversed(widths)]
        for i, width in enumerate(back[1:], start=1):
            decoder += [(f"dense{i}", nn.Linear(back[i - 1], width)), (f"act{i}", nn.ReLU())]
        name = "project" if features else "outputs"
        project = nn.Linear(back[-1], units[0])
        project.images_out = (side, side, inside[-1])  # type: ignore[assignment]
        decoder += [(name, project), ("images", nn.Unflatten(1, (inside[-1], side, side)))]
        for i, filters in enumerate(reversed(inside[:-1]), start=1):
            name = "outputs" if i == len(features) else f"deconv{i}"
            decoder += [(f"before{i}", nn.ReLU()), (name, nn.ConvTranspose2d(inside[-i], filters, 4, 2, 1))]
        self.encoder, self.decoder = nn.Sequential(OrderedDict(encoder)), nn.Sequential(OrderedDict(decoder))

    def forward(self, x: torch.Tensor, noise: torch.Tensor) -> tuple[torch.Tensor, ...]:
        """Images and noise to logits, mean and log variance."""
        mean, log_variance = self.encoder(x).chunk(2, 1)
        return self.decoder(mean + (log_variance / 2).exp() * noise), mean, log_variance


def generator(widths: Shape, start: int, channels: int, latents: int) -> nn.Module:
    """Noise [batch, latents] to images in 0..1."""
    parts: list[tuple[str, nn.Module]] = [("pixel", nn.Unflatten(1, (latents, 1, 1)))]
    before = [latents, *widths]
    for i, width in enumerate((*widths, channels), start=1):
        geometry = (start, 1, 0) if i == 1 else (4, 2, 1)
        parts.append((f"up{i}", nn.ConvTranspose2d(before[i - 1], width, *geometry, bias=False)))
        if i <= len(widths):
            parts += [(f"norm{i}", nn.BatchNorm2d(width)), (f"relu{i}", nn.ReLU())]
    return nn.Sequential(OrderedDict([*parts, ("images", Affine(nn.Tanh(), 0.5, 0.5))]))


def discriminator(widths: Shape, start: int, channels: int) -> nn.Module:
    """Images in 0..1 to logits [batch]."""
    parts: list[tuple[str, nn.Module]] = [("range", Affine(nn.Identity(), 2.0, -1.0))]
    before = [channels, *widths]
    for i, width in enumerate(widths, start=1):
        parts.append((f"conv{i}", nn.Conv2d(before[i - 1], width, 4, 2, 1, bias=False)))
        if i > 1:
            parts.append((f"norm{i}", nn.BatchNorm2d(width)))
        parts.append((f"leaky{i}", nn.LeakyReLU(0.2)))
    logit = nn.Conv2d(widths[-1], 1, start, bias=False)
    return nn.Sequential(OrderedDict([*parts, ("logit", logit), ("flat", nn.Flatten(0))]))


class Affine(nn.Module):
    """a f(x) + b."""

    def __init__(self, inner: nn.Module, scale: float, shift: float):
        super().__init__()
        self.inner, self.scale, self.shift = inner, scale, shift

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Of any shape."""
        return self.inner(x) * self.scale + self.shift


class ResNet(nn.Module):
    """The same as `_networks.ResNet`."""

    def __init__(self, width: int, depths: Shape, classes: int, bottleneck: bool):
        super().__init__()
        self.bottleneck, self.depths = bottleneck, depths
        size, stride, border = (7, 2, 3) if bottleneck else (3, 1, 1)
        self.normed("stem", 3, width, size, stride, border, "stem_norm")
        before = width
        for i, depth in enumerate(depths):
            for j in range(depth):
                stride, inner, name = 2 if i and not j else 1, width * 2**i, f"block{i + 1}_{j + 1}"
                parts = [(inner, 3, stride, 1), (inner, 3, 1, 1)]
                if bottleneck:
                    parts = [(inner, 1, 1, 0), (inner, 3, stride, 1), (4 * inner, 1, 1, 0)]
                after, channels = parts[-1][0], before
                for k, part in enumerate(parts, start=1):
                    self.normed(f"{name}_conv{k}", channels, *part, f"{name}_norm{k}")
                    channels = part[0]
                if before != after or stride > 1:
                    self.normed(f"{name}_short", before, after, 1, stride, 0, f"{name}_short_norm")
                before = after
        self.logits = nn.Linear(before, classes)

    def normed(self, name: str, before: int, after: int, *rest: Any) -> None:
        """Add a convolution, of kernel size, stride and border, and the batch norm that is named last."""
        *geometry, norm = rest
        self.add_module(name, nn.Conv2d(before, after, *geometry, bias=False))
        self.add_module(norm, nn.BatchNorm2d(after))

    def apply_normed(self, name: str, norm: str, x: torch.Tensor) -> torch.Tensor:
        """Apply them."""
        return getattr(self, norm)(getattr(self, name)(x))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Images to logits."""
        x = torch.relu(self.apply_normed("stem", "stem_norm", x))
        if self.bottleneck:
            x = nn.functional.max_pool2d(x, 3, 2, 1)
        for i, depth in enumerate(self.depths):
            for j in range(depth):
                name, y = f"block{i + 1}_{j + 1}", x
                for k in range(1, 4 if self.bottleneck else 3):
                    y = torch.relu(y) if k > 1 else y
                    y = self.apply_normed(f"{name}_conv{k}", f"{name}_norm{k}", y)
                if hasattr(self, f"{name}_short"):
                    x = self.apply_normed(f"{name}_short", f"{name}_short_norm", x)
                x = torch.relu(x + y)
        return self.logits(x.mean((2, 3)))
