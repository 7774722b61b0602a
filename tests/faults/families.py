"""One tiny training of each family, which saves all the time: what the fault tests disturb."""

from collections.abc import Callable, Iterator

import jax
import numpy as np
import optax

from jaxdl import envs, models
from jaxdl.data import order, stream
from jaxdl.learners import dqn, gan, sequence, supervised, vae
from jaxdl.run import Fitted, Output, Select, fit, processes
from jaxdl.transforms import resident

STEPS, EVERY = 200, 4  # a save each four steps: most of the time a save is under way
ROWS = 48


def pixels() -> np.ndarray:
    """[rows, 8, 8, 1] in 0..1."""
    return np.random.default_rng(0).uniform(size=(ROWS, 8, 8, 1)).astype(np.float32)


def labels(*shape: int) -> np.ndarray:
    """Of five classes."""
    return np.random.default_rng(1).integers(0, 5, shape).astype(np.int32)


def classifier(model, output: Output, steps: int) -> Fitted:
    data = {"input": pixels(), "target": labels(ROWS)}
    learner = resident(supervised.learner(model, optax.adam(1e-2)), 8, order.rows)
    judge = {"evaluate": supervised.evaluate(model), "validation": data, "select": Select("loss")}
    return fit(learner, data, steps=steps, every=EVERY, seeds=2, output=output, **judge)


def mlp(output: Output, steps: int = STEPS) -> Fitted:
    """With dropout, so that the noise has to be resumed too."""
    return classifier(models.MLP((16,), outputs=5, dropout=0.3), output, steps)


def cnn(output: Output, steps: int = STEPS) -> Fitted:
    """With running statistics."""
    return classifier(models.CNN((4,), hidden=8, outputs=5, batch_norm=True), output, steps)


def lstm(output: Output, steps: int = STEPS) -> Fitted:
    """Reads characters."""
    codes = labels(ROWS, 6)
    model = models.RecurrentNet(8, 5, vocabulary=5, embedding=4)
    data = {"input": codes, "target": (2 * codes + 1) % 5}
    learner = resident(sequence.learner(model, optax.adam(1e-2)), 8, order.rows)
    return fit(learner, data, steps=steps, every=EVERY, output=output)


def autoencoder(output: Output, steps: int = STEPS) -> Fitted:
    """A variational one."""
    model = models.VAE((8, 8, 1), 3, (16,))
    learner = resident(vae.learner(model, optax.adam(1e-3)), 8, order.rows)
    return fit(learner, {"input": pixels()}, steps=steps, every=EVERY, output=output)


def game(output: Output, steps: int = STEPS) -> Fitted:
    """A DCGAN: two networks with statistics of their own."""
    learner = gan.learner(
        models.Generator((8, 4), start=2, channels=1),
        models.Discriminator((4, 8), start=2),
        optax.adam(1e-3),
        optax.adam(1e-3),
        latents=5,
    )
    learner = resident(learner, 8, order.rows)
    return fit(learner, {"input": pixels() * 2 - 1}, steps=steps, every=EVERY, output=output)


def player(output: Output, steps: int = STEPS) -> Fitted:
    """Deep Q-learning: environment, prioritized replay buffer and target network are in the state."""
    breakout = envs.make("Breakout")
    network = models.QNetwork(breakout.actions, (8,), (4,))
    sizes = {"environments": 2, "rollout": 2, "updates": 1, "batch_size": 8, "warmup": 8, "n_step": 3}
    agent = dqn.agent(network, optax.adam(1e-3), envs.prioritized(256), **sizes)
    return fit(dqn.learner(breakout, agent), None, steps=steps, every=EVERY, output=output)


FAMILIES: dict[str, Callable[..., Fitted]] = {
    "MLP": mlp,
    "CNN with batch norm": cnn,
    "LSTM": lstm,
    "VAE": autoencoder,
    "DCGAN": game,
    "DQN": player,
}


def shared_lstm(output: Output) -> Fitted:
    """Its batches are shared. With plain SGD, as in the laws: Adam divides by gradients."""
    codes = labels(ROWS, 6)
    model = models.RecurrentNet(8, 5, vocabulary=5, embedding=4)
    learner = resident(sequence.learner(model, optax.sgd(0.5)), 8, order.rows)
    return fit(learner, {"input": codes, "target": (2 * codes + 1) % 5}, steps=50, output=output)


def shared_cnn(output: Output) -> Fitted:
    """With running statistics, of the whole batch."""
    model = models.CNN((4,), hidden=8, outputs=5, batch_norm=True)
    learner = resident(supervised.learner(model, optax.sgd(0.1)), 8, order.rows)
    return fit(learner, {"input": pixels(), "target": labels(ROWS)}, steps=50, output=output)


def shared_parts(output: Output) -> Fitted:
    """Every process reads its own rows only; dropout, so that the noise of a row has to be its own, too."""
    data, part = {"input": pixels(), "target": labels(ROWS)}, processes.part()
    model = models.MLP((16,), outputs=5, dropout=0.3)

    def batches(step: int) -> Iterator[dict[str, np.ndarray]]:
        return stream(data, order.rows, jax.random.key(0), 8, start=step, part=part)

    learner = supervised.learner(model, optax.sgd(0.1))
    return fit(learner, batches, steps=50, own_rows=True, output=output)


def shared_seeds(output: Output) -> Fitted:
    """Of deep Q-learning, which has no batch to share."""
    catch = envs.make("Catch")
    sizes = {"environments": 2, "rollout": 2, "updates": 1, "batch_size": 8, "warmup": 8}
    agent = dqn.agent(models.QNetwork(catch.actions, (8,)), optax.sgd(0.1), envs.uniform(256), **sizes)
    return fit(dqn.learner(catch, agent), None, steps=50, seeds=2, output=output)


# What several processes have to find, too.
SHARED: dict[str, Callable[[Output], Fitted]] = {
    "LSTM, batches": shared_lstm,
    "CNN, batches": shared_cnn,
    "MLP, own rows": shared_parts,
    "DQN, seeds": shared_seeds,
}


def same_configuration() -> None:
    """Settings of every process that trains: bits are compared between them."""
    jax.config.update("jax_persistent_cache_min_compile_time_secs", 0)
    jax.config.update("jax_persistent_cache_min_entry_size_bytes", -1)
