"""Our LSTM beside flax's `nn.RNN(nn.OptimizedLSTMCell)`: gradients of a character model.

Equal on both sides: sizes, loss, gradients of all parameters, three calls in one dispatch. Ours
projects the embedding table instead of every character, shares one matrix product between the
gates, and takes the gradient of the recurrent kernel after the loop over time.

    python -m experiments.benchmarks.lstm

Prints milliseconds per gradient and the ratio flax / ours (above 1: ours is faster), and writes
experiments/benchmarks/results/lstm.json.
"""

from pathlib import Path
from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import optax

from experiments.benchmarks._command import without_options
from experiments.benchmarks._interleave import interleave, milliseconds, ratio
from jaxdl import models
from jaxdl.run.config import environment, write_json

BATCH, TIME, FEATURES, VOCABULARY, ROUNDS, CALLS = 32, 64, 256, 65, 9, 3


class FlaxLSTM(nn.Module):
    """Embedding, one LSTM layer, and a dense layer on every step."""

    @nn.compact
    def __call__(self, tokens: jax.Array) -> jax.Array:
        """int [batch, time] to logits [batch, time, vocabulary]."""
        x = nn.Embed(VOCABULARY, FEATURES)(tokens)
        return nn.Dense(VOCABULARY)(nn.RNN(nn.OptimizedLSTMCell(FEATURES))(x))


def main() -> None:
    """Measure both and print the ratio."""
    tokens = jnp.asarray(np.random.default_rng(0).integers(0, VOCABULARY, (BATCH, TIME + 1)), jnp.int32)
    ours = models.RecurrentNet(FEATURES, VOCABULARY, "lstm", vocabulary=VOCABULARY, embedding=FEATURES)
    variants: dict[str, tuple[nn.Module, Any]] = {
        "flax": (FlaxLSTM(), lambda out: out),
        "ours": (ours, lambda out: out[0]),
    }
    ways, sizes = {}, {}
    for name, (model, logits_of) in variants.items():
        params: Any = model.init(jax.random.key(0), tokens[:, :-1])
        sizes[name] = sum(x.size for x in jax.tree.leaves(params))
        ways[name] = _calls(model, logits_of, params, tokens)
    times = interleave(ways, ROUNDS)
    row = {f"{name}_ms": milliseconds(seconds, CALLS) for name, seconds in times.items()}
    row |= ratio(times["flax"], times["ours"])
    print(f"parameters {sizes}  {row}")
    shape = {"batch": BATCH, "time": TIME, "features": FEATURES, "rounds": ROUNDS, "parameters": sizes}
    write_json(Path(__file__).parent / "results" / "lstm.json", {**environment(), **shape, "lstm": row})


def _calls(model: nn.Module, logits_of: Any, params: Any, tokens: jax.Array) -> Any:
    def loss(params: Any) -> jax.Array:
        logits = logits_of(model.apply(params, tokens[:, :-1]))
        return optax.softmax_cross_entropy_with_integer_labels(logits, tokens[:, 1:]).mean()

    @jax.jit
    def run(params: Any) -> Any:
        def body(params: Any, _: None) -> tuple[Any, None]:
            return jax.tree.map(lambda p, g: p - 0.1 * g, params, jax.grad(loss)(params)), None

        return jax.lax.scan(body, params, length=CALLS)[0]

    return lambda: run(params)


if __name__ == "__main__":
    without_options(main, __doc__)
