# The peers are installed by who runs the benchmark.
# pyright: reportMissingImports=false
"""The torch side of the families benchmark: eager loops on resident tensors, the strongest ordinary ones."""

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import nn

from experiments.benchmarks._cases import Case
from experiments.benchmarks._torch_networks import networks

Batch = tuple[torch.Tensor, torch.Tensor]  # inputs (channels first), targets
Noise = list[torch.Tensor] | None  # None: drawn


class Peer(NamedTuple):
    """A family in torch."""

    modules: dict[str, nn.Module]
    step: Callable[[Batch, Noise], dict[str, torch.Tensor]]  # one update, by name the losses before it

    @property
    def parameters(self) -> int:
        """That are learned."""
        return sum(p.numel() for m in self.modules.values() for p in m.parameters() if p.requires_grad)


class Way(NamedTuple):
    """Something to time."""

    parameters: int  # that are learned, of one run
    run: Callable[[int], float]  # takes so many steps, returns the last loss


def peer(case: Case, layout: str = "torch", fused: bool = False, compiled: bool = False) -> Peer:
    """The networks of a case, their optimizers, and the step."""
    modules = networks(case)
    name, rate, momentum = case.optimizer
    optimizers: dict[str, Any] = {}
    for key, module in modules.items():
        if layout == "torch channels_last":
            module.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        learned: Any = [p for p in module.parameters() if p.requires_grad]
        more: dict[str, Any] = {"fused": True} if fused else {}
        if name == "adam":
            optimizers[key] = torch.optim.Adam(learned, rate, (momentum, 0.999), **more)
        else:
            optimizers[key] = torch.optim.SGD(learned, rate, momentum, **more)
    wrap: Any = torch.compile if compiled else lambda f: f
    if case.network == "gan":
        return Peer(modules, adversarial(case, modules, optimizers, wrap))
    net = modules["net"]
    if not case.trains:
        net.eval()
        predict = wrap(lambda x: net(x).square().mean())

        def forward(batch: Batch, noise: Noise) -> dict[str, torch.Tensor]:
            with torch.inference_mode():
                return {"loss": predict(batch[0])}

        return Peer(modules, forward)
    loss = wrap({"vae": bound, "lstm": next_characters}.get(case.network, classes)(net))

    def step(batch: Batch, noise: Noise) -> dict[str, torch.Tensor]:
        optimizers["net"].zero_grad()
        if case.network == "vae":
            drawn = noise[0] if noise else torch.randn(len(batch[0]), case.sizes["latent"])
            value = loss(*batch, drawn)
        else:
            value = loss(*batch)
        value.backward()
        optimizers["net"].step()
        return {"loss": value.detach()}

    return Peer(modules, step)


def classes(net: nn.Module) -> Callable[..., torch.Tensor]:
    """Cross-entropy of a classifier."""
    return lambda x, y: nn.functional.cross_entropy(net(x), y)


def next_characters(net: nn.Module) -> Callable[..., torch.Tensor]:
    """Cross-entropy of every step."""
    return lambda x, y: nn.functional.cross_entropy(net(x).flatten(0, 1), y.flatten())


def bound(net: nn.Module) -> Callable[..., torch.Tensor]:
    """Minus the ELBO of a VAE with a Bernoulli decoder, in the mean over the batch."""

    def loss(x: torch.Tensor, y: torch.Tensor, noise: torch.Tensor) -> torch.Tensor:
        logits, mean, log_variance = net(x, noise)
        pixels = nn.functional.binary_cross_entropy_with_logits(logits, x, reduction="sum")
        divergence = 0.5 * (mean.square() + log_variance.exp() - 1 - log_variance).sum()
        return (pixels + divergence) / len(x)

    return loss


def adversarial(
    case: Case, modules: dict[str, nn.Module], optimizers: dict[str, Any], wrap: Any
) -> Callable[..., dict[str, torch.Tensor]]:
    """One update of the discriminator, then one of the generator, each with noise of its own."""
    generate, judge = modules["generator"], modules["discriminator"]
    softplus = nn.functional.softplus
    apart = wrap(lambda real, fake: softplus(-judge(real)).mean() + softplus(judge(fake)).mean())
    fooled = wrap(lambda noise: softplus(-judge(generate(noise))).mean())

    def step(batch: Batch, noise: Noise) -> dict[str, torch.Tensor]:
        rows, latents = len(batch[0]), case.sizes["latents"]
        drawn = noise or [torch.randn(rows, latents), torch.randn(rows, latents)]
        with torch.no_grad():
            fake = generate(drawn[0])
        optimizers["discriminator"].zero_grad()
        loss = apart(batch[0], fake)
        loss.backward()
        optimizers["discriminator"].step()
        optimizers["generator"].zero_grad()
        judge.requires_grad_(False)  # or torch takes gradients that nobody uses
        other = fooled(drawn[1])
        other.backward()
        judge.requires_grad_(True)
        optimizers["generator"].step()
        return {"loss": loss.detach(), "generator_loss": other.detach()}

    return step


def tensors(case: Case, inputs: np.ndarray, targets: np.ndarray, layout: str) -> Batch:
    """Our arrays as torch wants them: floats with the channels first, or characters [time, batch]."""
    y = torch.tensor(targets).long()
    if case.network == "lstm":
        return torch.tensor(inputs.T.copy()).long(), y.T.contiguous()
    x = torch.tensor(inputs).permute(0, 3, 1, 2).float().div_(255)
    last = layout == "torch channels_last"
    return x.contiguous(memory_format=torch.channels_last if last else torch.contiguous_format), y


def arrays(case: Case) -> tuple[np.ndarray, np.ndarray]:
    """Random inputs and targets, as `_ours.arrays`."""
    random = np.random.default_rng(0)
    if case.network == "lstm":
        text = random.integers(0, case.sizes["vocabulary"], (case.rows, case.shape[0] + 1))
        return text[:, :-1], text[:, 1:]
    return random.integers(0, 256, (case.rows, *case.shape), np.uint8), random.integers(0, 10, case.rows)


def way(case: Case, form: str, threads: int = 1) -> Way:
    """One of the forms in `_cases.variants` that are torch's."""
    form = form.removesuffix(", tuned malloc")
    layout = "torch channels_last" if case.images and form != "torch" else "torch"
    if threads:
        torch.set_num_threads(threads)
    peers = [peer(case, layout, form == "torch fused", form == "torch compile") for _ in range(case.seeds)]
    x, y = tensors(case, *arrays(case), layout)
    last = layout == "torch channels_last"
    x = x.permute(0, 2, 3, 1) if last else x  # rows are gathered as they lie in memory
    axis = 1 if case.network == "lstm" else 0

    def gather(index: torch.Tensor) -> Batch:
        inputs = x.index_select(axis, index)
        return inputs.permute(0, 3, 1, 2) if last else inputs, y.index_select(axis, index)

    def run(steps: int) -> float:
        loss, order = torch.zeros(()), torch.randperm(case.rows)
        for each in peers:
            for i in range(steps):
                start = i * case.batch % case.rows
                if start == 0:  # an epoch begins
                    order = torch.randperm(case.rows)
                index = order[start : start + case.batch]
                loss = each.step(gather(index), None)["loss"]
        return float(loss)

    return Way(peers[0].parameters, run)
