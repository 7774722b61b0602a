"""The network of deep Q-learning: what each action is worth in a state (003:1682-1694)."""

import flax.linen as nn
import jax
import jax.numpy as jnp

from jaxdl.errors import require, require_number, require_widths
from jaxdl.models.layers import Conv
from jaxdl.models.noisy import NoisyDense


class QNetwork(nn.Module):
    """Levels of 3x3 convolution, then dense layers, ReLU after each; then a number per action.

    `QNetwork(actions, (128,), features=(16,))` is the network of MinAtar (Young and Tian, 2019)
    for its 10x10 images.

    The dueling network computes V + A - mean A, V the value of the state and A the advantage of
    each action (Wang et al., 2016). Unlike the paper's, its two streams have no hidden layer of
    their own. With atoms there is a whole distribution per action: logits for C51 (Bellemare
    et al., 2017), and the formula above holds for each atom. A noisy network, all of whose dense
    layers are `NoisyDense`, draws its noise from the key "noise" and is its mean without.

    Layers, counted from 1: "conv1", ..., "dense1", ..., then "q", or "value" and "advantage".

    >>> network = QNetwork(actions=3, dueling=True)
    >>> q, variables = network.init_with_output(jax.random.key(0), jnp.zeros((2, 4)))
    >>> q.shape, list(variables["params"])
    ((2, 3), ['dense1', 'dense2', 'value', 'advantage'])
    """

    actions: int
    widths: tuple[int, ...] = (64, 64)  # units of the hidden layers
    features: tuple[int, ...] = ()  # filters of the convolutions, for images
    dueling: bool = False
    atoms: int = 1  # numbers per action
    noisy: bool = False
    scale: tuple[float, ...] | None = None  # factors of the observation, one per number of its last axis

    @nn.compact
    def __call__(self, observation: jax.Array) -> jax.Array:
        """Observations [batch, ...] to q [batch, actions], or logits [batch, actions, atoms].

        Bytes become 0..1, other numbers float32.

        Raises:
          InputError: no batch axis, a scale of another length, no actions or atoms, or, with
            `features`, what is no batch of images or too small.
        """
        x = self._prepare(observation)
        for i, features in enumerate(self.features, start=1):
            x = nn.relu(Conv(features, 3, padding="VALID", name=f"conv{i}")(x))
        x = x.reshape(len(x), -1)
        dense = NoisyDense if self.noisy else nn.Dense
        for i, width in enumerate(self.widths, start=1):
            x = nn.relu(dense(width, name=f"dense{i}")(x))
        outputs = self.actions * self.atoms
        if self.dueling:
            value = dense(self.atoms, name="value")(x).reshape(-1, 1, self.atoms)
            advantage = dense(outputs, name="advantage")(x).reshape(-1, self.actions, self.atoms)
            q = value + advantage - advantage.mean(1, keepdims=True)
        else:
            q = dense(outputs, name="q")(x).reshape(-1, self.actions, self.atoms)
        return q[..., 0] if self.atoms == 1 else q

    def _prepare(self, x: jax.Array) -> jax.Array:
        require(x.ndim >= 2, "observation", x.shape, "the shape [batch, ...]", "missing batch axis?")
        for name, count in {"actions": self.actions, "atoms": self.atoms}.items():
            require_number(name, count, 1, whole=True, remedy="Q values have 1 atom, C51 has 51")
        for name, widths in {"widths": self.widths, "features": self.features}.items():
            require_widths(name, widths)
        if x.dtype == jnp.uint8:
            x = x.astype(jnp.float32) / 255
        elif not jnp.issubdtype(x.dtype, jnp.floating):
            x = x.astype(jnp.float32)
        if self.scale is None:
            return x
        fits = len(self.scale) == x.shape[-1]
        require(fits, "scale", self.scale, f"{x.shape[-1]} numbers", "one for each number observed")
        return x * jnp.asarray(self.scale, x.dtype).reshape(*[1] * (x.ndim - 1), -1)
