"""Do both sides of the families benchmark do the same work? Same weights, same batch, same losses."""

import argparse
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from experiments.benchmarks import _jax_device, _ours, _torch_device, _torch_ways, _torch_weights
from experiments.benchmarks._cases import Case
from experiments.benchmarks._cases import case as find
from jaxdl.learner import NOISE, stream


def losses(case: Case, layout: str = "torch", fused: bool = False, steps: int = 2) -> dict[str, Any]:
    """The losses before each of the first steps, ours and torch's, from the same weights and batch.

    The second loss shows that the first update was the same. Random numbers are ours on both sides.

    Returns:
      By name of a loss a pair of lists, ours and torch's, and "parameters" on both sides.
    """
    one, rows = _ours.learner(case), _ours.arrays(case)
    batch = {name: x[: case.batch] for name, x in rows.items()}
    state = jax.jit(one.init)(jax.random.key(0), batch)
    names = ("generator", "discriminator") if case.network == "gan" else ("net",)
    nets = {name: getattr(state, name) for name in names}
    peer = _torch_ways.peer(case, layout, fused)
    for name, module in peer.modules.items():
        _torch_weights.load(module, jax.tree.map(np.asarray, nets[name].params))
    theirs = _torch_ways.tensors(case, batch["input"], batch["target"], layout)
    step, found = jax.jit(one.step), {}
    for _ in range(steps):
        drawn = [_ours_to_torch(x, case) for x in noise(case, state, len(batch["input"]))]
        state, ours = step(state, batch)
        for name, value in peer.step(theirs, drawn).items():
            pair = found.setdefault(name, ([], []))
            pair[0].append(float(ours[name]))
            pair[1].append(float(value))
    count = sum(x.size for net in nets.values() for x in jax.tree.leaves(net.params))
    return {**found, "parameters": (count, peer.parameters)}


def noise(case: Case, state: Any, rows: int) -> list[jax.Array]:
    """The random numbers that our next step draws."""
    key = stream(state.key, NOISE, state.step)
    if case.network == "vae":
        return [jax.random.normal(key, (rows, 1, case.sizes["latent"]))[:, 0]]
    if case.network == "gan":
        keys = [jax.random.split(jax.random.fold_in(key, jnp.int32(i)))[0] for i in (0, 1)]
        return [jax.random.normal(each, (rows, case.sizes["latents"])) for each in keys]
    return []


def difference(case: Case, layout: str = "torch", fused: bool = False) -> float:
    """The largest relative difference of a loss after the first update; infinite if the sizes differ."""
    found = losses(case, layout, fused)
    ours, theirs = found.pop("parameters")
    pairs = [np.array(pair) for pair in found.values()]
    worst = max(float((np.abs(a - b) / np.abs(a)).max()) for a, b in pairs)
    return worst if ours == theirs else float("inf")


def _ours_to_torch(x: jax.Array, case: Case) -> Any:
    import torch  # type: ignore[import-not-found]

    return torch.tensor(np.asarray(x)).to(case.device)


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("family")
    parser.add_argument("--tiny", action="store_true")
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--precision", default="float32")
    words = parser.parse_args()
    found = find(words.family, words.tiny, words.device, words.precision)
    if words.device == "cuda":
        _jax_device.begin(exact=True)
        _torch_device.begin(exact=True)
    # One run is like eight; torch's best layout by what is usually best.
    print(difference(found._replace(seeds=1), "torch channels_last" if found.images else "torch"))
