# The peers are installed by who runs the benchmark.
# pyright: reportMissingImports=false
"""The torch side of the families benchmark: eager loops on resident tensors, the strongest ordinary ones."""

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import nn

from experiments.benchmarks._cases import Case, Way
from experiments.benchmarks._torch_device import Step, capture, draw, in_precision
from experiments.benchmarks._torch_networks import networks

Batch = tuple[torch.Tensor, torch.Tensor]  # inputs (channels first), targets
Noise = list[torch.Tensor] | None  # None: drawn
COMPILED = {"torch compile": "default", "torch compile graph": "reduce-overhead"}  # mode of torch.compile


class Peer(NamedTuple):
    """A family in torch."""

    modules: dict[str, nn.Module]
    step: Callable[[Batch, Noise], dict[str, torch.Tensor]]  # one update, by name the losses before it

    @property
    def parameters(self) -> int:
        """That are learned."""
        return sum(p.numel() for m in self.modules.values() for p in m.parameters() if p.requires_grad)


def peer(
    case: Case,
    layout: str = "torch",
    fused: bool = False,
    compiled: str | None = None,
    captured: bool = False,
) -> Peer:
    """The networks of a case, their optimizers, and the step.

    Args:
      case: with the device and the precision.
      layout: "torch" or "torch channels_last".
      fused: whether the optimizer is.
      compiled: the mode of `torch.compile`, None for eager.
      captured: whether a CUDA graph is to hold the step.
    """
    modules = {name: module.to(case.device) for name, module in networks(case).items()}
    name, rate, momentum = case.optimizer
    optimizers: dict[str, Any] = {}
    for key, module in modules.items():
        if layout == "torch channels_last":
            module.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        learned: Any = [p for p in module.parameters() if p.requires_grad]
        more: dict[str, Any] = {"fused": True} if fused else {}
        if name == "adam":
            more |= {"capturable": True} if captured else {}
            optimizers[key] = torch.optim.Adam(learned, rate, (momentum, 0.999), **more)
        else:
            optimizers[key] = torch.optim.SGD(learned, rate, momentum, **more)

    def wrap(f: Any) -> Any:
        lowered = in_precision(f, case, captured)
        return torch.compile(lowered, mode=compiled) if compiled else lowered

    if case.network == "gan":
        return Peer(modules, adversarial(case, modules, optimizers, wrap, captured))
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
            drawn = noise[0] if noise else draw(case, len(batch[0]), case.sizes["latent"])
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
    case: Case, modules: dict[str, nn.Module], optimizers: dict[str, Any], wrap: Any, captured: bool
) -> Callable[..., dict[str, torch.Tensor]]:
    """One update of the discriminator, then one of the generator, each with noise of its own."""
    generate, judge = modules["generator"], modules["discriminator"]
    softplus = nn.functional.softplus
    apart = wrap(lambda real, fake: softplus(-judge(real)).mean() + softplus(judge(fake)).mean())
    fooled = wrap(lambda noise: softplus(-judge(generate(noise))).mean())
    forge = in_precision(generate, case, captured)

    def step(batch: Batch, noise: Noise) -> dict[str, torch.Tensor]:
        rows, latents = len(batch[0]), case.sizes["latents"]
        drawn = noise or [draw(case, rows, latents), draw(case, rows, latents)]
        with torch.no_grad():
            fake = forge(drawn[0])
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
    y = torch.tensor(targets).long().to(case.device)
    if case.network == "lstm":
        return torch.tensor(inputs.T.copy()).long().to(case.device), y.T.contiguous()
    x = torch.tensor(inputs).to(case.device).permute(0, 3, 1, 2).float().div_(255)
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
    """One of the forms in `_cases.variants` and `_cases.gpu_variants` that are torch's."""
    form = form.removesuffix(", tuned malloc")
    layout = "torch channels_last" if case.images and form != "torch" else "torch"
    if threads:
        torch.set_num_threads(threads)
    if case.device == "cuda":
        torch.backends.cudnn.benchmark = True  # the fastest kernels for these shapes, as XLA takes them
    captured, compiled = form == "torch graph", COMPILED.get(form)
    fused = captured or form in ("torch fused", "torch compile graph")
    peers = [peer(case, layout, fused, compiled, captured) for _ in range(case.seeds)]
    x, y = tensors(case, *arrays(case), layout)
    last = layout == "torch channels_last"
    x = x.permute(0, 2, 3, 1) if last else x  # rows are gathered as they lie in memory
    axis = 1 if case.network == "lstm" else 0

    def gather(index: torch.Tensor) -> Batch:
        inputs = x.index_select(axis, index)
        return inputs.permute(0, 3, 1, 2) if last else inputs, y.index_select(axis, index)

    def eager(one: Peer) -> Step:
        return lambda index: one.step(gather(index), None)["loss"]

    def shuffled() -> torch.Tensor:
        return torch.randperm(case.rows, device=case.device)

    takes = [capture(eager(one), shuffled()[: case.batch]) if captured else eager(one) for one in peers]

    def run(steps: int) -> float:
        loss, order = torch.zeros(()), shuffled()
        for take in takes:
            for i in range(steps):
                start = i * case.batch % case.rows
                if start == 0:  # an epoch begins
                    order = shuffled()
                if compiled == COMPILED["torch compile graph"]:
                    torch.compiler.cudagraph_mark_step_begin()
                loss = take(order[start : start + case.batch])
        if case.device == "cuda":
            torch.cuda.synchronize()
        return float(loss)

    return Way(peers[0].parameters, run)
