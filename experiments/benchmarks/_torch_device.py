# The peers are installed by who runs the benchmark.
# pyright: reportMissingImports=false
"""What the torch side of the benchmarks knows of its device: arithmetic, noise, memory, CUDA graphs."""

from collections.abc import Callable
from typing import Any

import torch

from experiments.benchmarks._cases import Case

Step = Callable[[torch.Tensor], torch.Tensor]  # takes a step with these rows, returns its loss


def begin(exact: bool) -> None:
    """Find the GPU, and set the arithmetic of float32 as `_jax_device.begin` does.

    torch's own default is full float32 for products and TF32 for convolutions.
    """
    torch.set_float32_matmul_precision("highest" if exact else "high")
    torch.backends.cudnn.allow_tf32 = not exact
    torch.zeros(1, device="cuda")


def peak() -> int:
    """Bytes that torch's tensors took on the device at once."""
    return torch.cuda.max_memory_allocated()


def in_precision(f: Any, case: Case, captured: bool = False) -> Any:
    """A function of tensors in the arithmetic of the case: autocast, as torch's users have bfloat16."""
    if case.precision == "float32":
        return f

    def half(*args: torch.Tensor) -> torch.Tensor:
        # A captured graph must not hold casts that were made before it.
        with torch.autocast(case.device, torch.bfloat16, cache_enabled=not captured):
            return f(*args)

    return half


def draw(case: Case, *shape: int) -> torch.Tensor:
    """Normal noise where the case is computed."""
    return torch.randn(*shape, device=case.device)


def capture(take: Step, index: torch.Tensor) -> Step:
    """The same step replayed from a CUDA graph: gathering, gradients and update in one launch."""
    index = index.clone()
    side, here = torch.cuda.Stream(), torch.cuda.current_stream()
    side.wait_stream(here)
    with torch.cuda.stream(side):  # where libraries and optimizers allocate what they keep
        for _ in range(3):
            take(index)
    here.wait_stream(side)
    graph = torch.cuda.CUDAGraph()
    with torch.cuda.graph(graph):
        loss = take(index)

    def replay(rows: torch.Tensor) -> torch.Tensor:
        index.copy_(rows)
        graph.replay()
        return loss

    return replay
