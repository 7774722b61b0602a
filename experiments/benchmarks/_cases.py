"""What the families benchmark measures, as plain numbers that both sides read: no JAX and no torch here.

A case is one family of networks at the size of its slide or paper. `tiny` makes the same case small
enough for a test.
"""

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple


class Case(NamedTuple):
    """One family: its network, its batch, how long a round is, and the ratios that it has to reach."""

    title: str
    network: str  # "mlp", "cnn", "lstm", "vae", "gan", "resnet18", "resnet50" or "vgg"
    shape: tuple[int, ...]  # of one input; (time,) for characters
    batch: int  # rows per step
    steps: int  # of a round
    rows: int  # of the data set
    sizes: Mapping[str, Any] = {}  # of the network
    optimizer: tuple[str, float, float] = ("adam", 1e-3, 0.9)  # name, learning rate, first momentum
    seeds: int = 1  # runs beside each other
    trains: bool = True  # else it only predicts
    precision: str = "float32"  # or "bf16": ours by `models.in_precision`, torch's by autocast
    device: str = "cpu"  # or "cuda"
    goals: Mapping[str, float] = {}  # ratio to reach against "eager", the best layout, and "fused"
    open_goals: Mapping[str, float] = {}  # to be reached, or explained with a profile
    tiny: Mapping[str, Any] = {}  # fields for a test

    @property
    def images(self) -> bool:
        """Convolutions are in it, so that the layout in memory matters."""
        return self.network not in ("mlp", "lstm") and bool(self.sizes.get("features", True))


class Way(NamedTuple):
    """Something to time."""

    parameters: int  # that are learned, of one run
    run: Callable[[int], float]  # takes so many steps, returns the last loss


MLP = Case(
    "MLP 784-512-512-10",
    "mlp",
    (28, 28, 1),
    128,
    100,
    8192,
    {"widths": (512, 512)},
    goals={"eager": 3.0, "fused": 1.8},
    tiny={"shape": (4, 4, 1), "batch": 4, "rows": 8, "steps": 2, "sizes": {"widths": (6, 5)}},
)
LSTM = Case(
    "character LSTM, 1 layer",
    "lstm",
    (128,),
    64,
    5,
    1024,
    {"vocabulary": 65, "features": 256, "layers": 1},
    goals={"eager": 1.3},
    tiny={"shape": (5,), "batch": 3, "rows": 6, "steps": 2,
          "sizes": {"vocabulary": 7, "features": 4, "layers": 1}},
)  # fmt: skip
VAE = Case(
    "MLP VAE 784-500-20",
    "vae",
    (28, 28, 1),
    128,
    60,
    8192,
    {"latent": 20, "widths": (500,), "features": ()},
    goals={"eager": 2.0},
    tiny={"shape": (4, 4, 1), "batch": 4, "rows": 8, "steps": 2,
          "sizes": {"latent": 2, "widths": (5,), "features": ()}},
)  # fmt: skip
DCGAN = Case(
    "DCGAN 28x28",
    "gan",
    (28, 28, 1),
    64,
    5,
    1024,
    {"widths": (128, 64), "start": 7, "latents": 100},
    ("adam", 2e-4, 0.5),
    open_goals={"eager": 1.0},
    tiny={"shape": (8, 8, 1), "batch": 4, "rows": 8, "steps": 2,
          "sizes": {"widths": (4, 3), "start": 2, "latents": 5}},
)  # fmt: skip

CASES: dict[str, Case] = {
    "mlp": MLP,
    "mlp_seeds": MLP._replace(
        title="MLP, 8 seeds at once", seeds=8, steps=15, goals={"eager": 2.9}, tiny={**MLP.tiny, "seeds": 2}
    ),
    "cnn": Case(
        "CNN 32-64-256-10",
        "cnn",
        (28, 28, 1),
        128,
        15,
        8192,
        {"features": (32, 64), "hidden": 256},
        ("sgd", 0.1, 0.9),
        goals={"eager": 1.35},
        tiny={"shape": (8, 8, 1), "batch": 4, "rows": 8, "steps": 2,
              "sizes": {"features": (3, 4), "hidden": 5}},
    ),
    "lstm": LSTM,
    "lstm2": LSTM._replace(
        title="character LSTM, 2 layers",
        steps=3,
        sizes={**LSTM.sizes, "layers": 2},
        goals={"eager": 1.1},
        tiny={**LSTM.tiny, "sizes": {**LSTM.tiny["sizes"], "layers": 2}},
    ),
    "vae": VAE,
    "conv_vae": VAE._replace(
        title="conv VAE 32-64-256-20",
        steps=15,
        sizes={"latent": 20, "widths": (256,), "features": (32, 64)},
        goals={"eager": 1.1},
        tiny={**VAE.tiny, "shape": (8, 8, 1), "sizes": {"latent": 2, "widths": (5,), "features": (3, 4)}},
    ),
    "dcgan28": DCGAN,
    "dcgan64": DCGAN._replace(
        title="DCGAN 64x64",
        shape=(64, 64, 3),
        steps=1,
        rows=256,
        sizes={"widths": (512, 256, 128, 64), "start": 4, "latents": 100},
        tiny={**DCGAN.tiny, "shape": (8, 8, 3)},
    ),
    "resnet18": Case(
        "ResNet-18, 32x32",
        "resnet18",
        (32, 32, 3),
        64,
        1,
        256,
        {"width": 64, "depths": (2, 2, 2, 2), "classes": 10},
        ("sgd", 0.1, 0.9),
        open_goals={"eager": 0.9},
        tiny={"shape": (8, 8, 3), "batch": 4, "rows": 8,
              "sizes": {"width": 3, "depths": (1, 1), "classes": 10}},
    ),
    "resnet50": Case(
        "ResNet-50, 224x224, inference",
        "resnet50",
        (224, 224, 3),
        8,
        2,
        16,
        {"width": 64, "depths": (3, 4, 6, 3), "classes": 1000},
        trains=False,
        goals={"eager": 1.2},
        tiny={"shape": (16, 16, 3), "batch": 2, "rows": 4,
              "sizes": {"width": 2, "depths": (1, 1), "classes": 10}},
    ),
    "vgg16": Case(
        "VGG-16, 224x224, inference",
        "vgg",
        (224, 224, 3),
        8,
        1,
        16,
        {"column": "D", "hidden": 4096, "classes": 1000},
        trains=False,
        open_goals={"eager": 1.0},
        tiny={"shape": (32, 32, 3), "batch": 1, "rows": 2,
              "sizes": {"column": "A", "hidden": 4, "classes": 10}},
    ),
}  # fmt: skip
# Wider LSTMs, for a device that has the room.
WIDER = {
    f"{name}-{features}": CASES[name]._replace(
        title=f"{CASES[name].title}, {features} units", sizes={**CASES[name].sizes, "features": features}
    )
    for name in ("lstm", "lstm2")
    for features in (512, 1024)
}
GPU_STEPS = 100  # of a round there, at least: in one dispatch, `fit` takes about 1.5 s of them in one
PRECISIONS = ("float32", "bf16")
KERAS = ("mlp", "cnn", "lstm", "resnet50", "vgg")  # networks that Keras has
QUICK = ("mlp", "mlp_seeds", "cnn", "lstm", "vae", "conv_vae")  # what fits into two minutes


def case(name: str, tiny: bool = False, device: str = "cpu", precision: str = "float32") -> Case:
    """A case by its name.

    >>> case("cnn").batch, case("cnn", tiny=True).batch, case("cnn", device="cuda").steps
    (128, 4, 100)
    """
    found = {**CASES, **WIDER}[name]._replace(device=device, precision=precision)
    if tiny:
        return found._replace(**found.tiny)
    return found if device == "cpu" else found._replace(steps=GPU_STEPS)


def variants(found: Case, threads: int, quick: bool = False) -> list[str]:
    """Who takes part in a case: ours in every form, the naive loop, PyTorch, and Keras if it has the network.

    With all threads (0) the CNN also splits its batch over two virtual devices, as `fit` does where it pays.

    >>> variants(case("vgg16"), 1, quick=True)
    ['ours', 'naive flax', 'torch channels_last']
    """
    layouts = ["torch", "torch channels_last"] if found.images else ["torch"]
    if quick:
        return ["ours", "naive flax", layouts[-1]]
    if not found.trains:
        forms = ["ours"]
    else:
        forms = ["ours", "ours, step by step", "ours, epoch scan", "ours, host road"]
    if threads == 0 and found.network == "cnn":
        forms.append("ours, 2 devices")
    fused = ["torch fused"] if found.trains else []
    keras = ["keras"] if found.network in KERAS and found.seeds == 1 else []
    tuned = ["ours, tuned malloc", f"{layouts[-1]}, tuned malloc"]
    return [*forms, "naive flax", *layouts, *fused, "torch compile", *keras, *tuned]


def gpu_variants(found: Case, device: str = "cuda", short: bool = False) -> list[str]:
    """Who takes part on a GPU; on a CPU those of them that need no GPU and no compiler of torch's.

    "torch compile graph" is `torch.compile(mode="reduce-overhead")`, which captures what it compiled in
    CUDA graphs; "torch graph" is `torch.cuda.graph` around the whole step, update and all. `short` leaves
    the strongest of each kind.

    >>> gpu_variants(case("lstm"), short=True)
    ['ours', 'torch', 'torch fused', 'torch graph']
    """
    ours = ["ours", "ours, step by step" if found.trains else "ours, epoch scan"]
    layouts = ["torch", "torch channels_last"] if found.images else ["torch"]
    fused = ["torch fused"] if found.trains else []
    graphs = ["torch graph"] if device == "cuda" else []
    if short:
        return ["ours", *layouts[-1:], *fused, *graphs]
    compiled = ["torch compile", "torch compile graph"] if device == "cuda" else []
    return [*ours, *layouts, *fused, *compiled, *graphs]
