"""What the GPU benchmark measures, part by part and row by row; plain data, no JAX and no torch here.

Each part has the names of its rows and those of its tiny form, which a CPU measures in seconds to show
that the commands run.
"""

from collections.abc import Sequence
from typing import NamedTuple

from experiments.benchmarks._cases import CASES, PRECISIONS, WIDER
from jaxdl.errors import require


class Part(NamedTuple):
    """One kind of measurement."""

    title: str
    rows: tuple[str, ...]
    tiny: tuple[str, ...]


SEEDS = (1, 4, 16, 64, 256, 1024)
TARGETS = {"99": 0.99, "99.4": 0.994}  # test accuracy
DQN_SEEDS = (1, 1000)

PARTS = {
    "families": Part(
        "every family beside PyTorch: eager, torch.compile, CUDA graphs",
        tuple(f"{name} {precision}" for precision in PRECISIONS for name in CASES),
        ("mlp float32", "cnn bf16"),
    ),
    "seeds": Part(
        "1 to 1,024 seeds in one program",
        tuple(f"{name} {seeds}" for name in ("mlp", "cnn") for seeds in SEEDS),
        ("mlp 1", "mlp 4", "cnn 4"),
    ),
    "mnist": Part(
        "seconds to 99 % and to 99.4 % of MNIST's test images, with compilation and without",
        tuple(f"{target} {precision}" for target in TARGETS for precision in PRECISIONS),
        ("99 float32",),
    ),
    "dqn": Part(
        "deep Q-learning on CartPole with 1,000 seeds", tuple(str(seeds) for seeds in DQN_SEEDS), ("2",)
    ),
    "lstm": Part(
        "wider LSTMs beside cuDNN's",
        tuple(f"{name} {precision}" for precision in PRECISIONS for name in WIDER),
        ("lstm-512 float32",),
    ),
    "deterministic": Part(
        "the price of --deterministic", tuple(name for name, case in CASES.items() if case.trains), ("mlp",)
    ),
    "profile": Part(
        "where the time of a chunk goes, kernel by kernel", ("mlp", "cnn", "lstm", "resnet18"), ("mlp",)
    ),
}


def rows(part: str, tiny: bool, only: Sequence[str] = ()) -> list[str]:
    """The rows of a part; of those only the ones with a word among `only`.

    Raises:
      InputError: no row has one.

    >>> rows("families", False, ["mlp"])
    ['mlp float32', 'mlp bf16']
    """
    whole = PARTS[part].tiny if tiny else PARTS[part].rows
    found = [row for row in whole if not only or set(only) & set(row.split())]
    words = sorted({word for row in whole for word in row.split()})
    remedy = "leave it out to measure all"
    require(bool(found), "--only", ",".join(only), f"for {part} some of " + ", ".join(words), remedy)
    return found
