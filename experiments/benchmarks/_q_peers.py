# The peers are installed by who runs the benchmark.
# pyright: reportMissingImports=false
"""What the deep Q-learning benchmark compares with, written anew after their documentation.

`step_loop` is deep Q-learning as CleanRL's single file does it: one gymnasium environment, a Python
loop, a network in torch, a replay buffer in NumPy. `scanned` is deep Q-learning as PureJaxRL does
it: one `lax.scan` over ten environments with a `lax.cond` for learning. Both with their shipped
settings for CartPole-v1.
"""

from typing import Any, NamedTuple

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import optax

from jaxdl import envs

# Shared by both: 500,000 steps, a buffer of 10,000, learning from step 10,000 on with batches of
# 128 every 10 steps, a copy of the target network every 500 steps, Adam at 2.5e-4, gamma 0.99.
STEPS, CAPACITY, START, BATCH, EVERY, COPY, RATE, GAMMA = 500_000, 10_000, 10_000, 128, 10, 500, 2.5e-4, 0.99
WIDTHS = (120, 84)
DOCUMENTED = 50_000  # steps of Stable-Baselines3 with the defaults of its documentation


def step_loop(seed: int) -> list[np.ndarray]:
    """Train; returns the network's kernels and biases in turns, kernels [in, out]."""
    import gymnasium
    import torch
    from torch import nn as layers

    torch.manual_seed(seed)
    random = np.random.default_rng(seed)
    env = gymnasium.make("CartPole-v1")

    def network() -> Any:
        sizes = zip((4, *WIDTHS), (*WIDTHS, 2), strict=True)
        each = [layer for size in sizes for layer in (layers.Linear(*size), layers.ReLU())]
        return layers.Sequential(*each[:-1])

    online, target = network(), network()
    target.load_state_dict(online.state_dict())
    optimizer = torch.optim.Adam(online.parameters(), lr=RATE)
    seen, following = np.zeros((2, CAPACITY, 4), np.float32)
    actions, rewards, ends = np.zeros(CAPACITY, int), *np.zeros((2, CAPACITY), np.float32)
    observation, _ = env.reset(seed=seed)
    for step in range(STEPS):
        epsilon = max(0.05, 1 - 0.95 * step / (0.5 * STEPS))
        if random.random() < epsilon:
            action = int(random.integers(2))
        else:
            with torch.no_grad():
                action = int(online(torch.from_numpy(observation[None])).argmax())
        after, reward, terminated, truncated, _ = env.step(action)
        place = step % CAPACITY
        seen[place], following[place], actions[place] = observation, after, action
        rewards[place], ends[place] = reward, terminated
        observation = env.reset()[0] if terminated or truncated else after
        if step > START and step % EVERY == 0:
            index = random.integers(min(step + 1, CAPACITY), size=BATCH)
            with torch.no_grad():
                best = target(torch.from_numpy(following[index])).max(1).values
                wanted = torch.from_numpy(rewards[index]) + GAMMA * best * torch.from_numpy(1 - ends[index])
            chosen = online(torch.from_numpy(seen[index]))
            chosen = chosen.gather(1, torch.from_numpy(actions[index])[:, None])[:, 0]
            loss = layers.functional.mse_loss(wanted, chosen)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
        if step > START and step % COPY == 0:
            target.load_state_dict(online.state_dict())
    weights = [p.detach().numpy() for p in online.parameters()]
    return [w.T if w.ndim == 2 else w for w in weights]


class Network(nn.Module):
    """Two hidden layers with ReLU."""

    @nn.compact
    def __call__(self, x: jax.Array) -> jax.Array:
        """[..., 4] to Q values [..., 2]."""
        for width in WIDTHS:
            x = nn.relu(nn.Dense(width)(x))
        return nn.Dense(2)(x)


class Carry(NamedTuple):
    """What the scan carries."""

    params: Any
    target: Any
    opt_state: Any
    buffer: Any
    env_state: Any
    observation: jax.Array


def scanned(key: jax.Array) -> list[jax.Array]:
    """Train in one `lax.scan`; returns kernels and biases in turns."""
    n, cart = 10, envs.make("CartPole-v1")
    q: Any = Network().apply
    optimizer, network = optax.adam(RATE), Network()
    reset, advance = jax.vmap(cart.reset, (0, None)), jax.vmap(envs.auto_reset(cart), (0, 0, 0, None, 0))

    def loss(params: Any, target: Any, batch: Any) -> jax.Array:
        seen, actions, rewards, ends, following = batch
        wanted = rewards + GAMMA * (1 - ends) * q(target, following).max(-1)
        chosen = jnp.take_along_axis(q(params, seen), actions[:, None], 1)[:, 0]
        return jnp.square(chosen - wanted).mean()

    def body(carry: Carry, i: jax.Array) -> tuple[Carry, None]:
        explore, choose, move, draw = jax.random.split(jax.random.fold_in(key, i), 4)
        epsilon = jnp.clip(1 - 0.95 * i * n / (0.5 * STEPS), 0.05)
        best = q(carry.params, carry.observation).argmax(-1)
        random = jax.random.randint(choose, (n,), 0, 2)
        actions = jnp.where(jax.random.uniform(explore, (n,)) < epsilon, random, best).astype(jnp.int32)
        keys = jax.vmap(jax.random.split)(jax.random.split(move, n))  # each copy splits its own
        start = reset(keys[:, 1], cart.params)
        after = advance(keys[:, 0], carry.env_state, actions, cart.params, start)
        observation, env_state, reward, terminated, _, last = after
        rows = carry.observation, actions, reward, terminated.astype(jnp.float32), last
        place = (i * n) % CAPACITY
        buffer = jax.tree.map(
            lambda all, new: jax.lax.dynamic_update_slice_in_dim(all, new, place, 0), carry.buffer, rows
        )

        def learn(_: None) -> tuple[Any, Any]:
            index = jax.random.randint(draw, (BATCH,), 0, jnp.minimum((i + 1) * n, CAPACITY))
            batch = jax.tree.map(lambda x: x[index], buffer)
            grads = jax.grad(loss)(carry.params, carry.target, batch)
            updates, opt_state = optimizer.update(grads, carry.opt_state, carry.params)
            return optax.apply_updates(carry.params, updates), opt_state

        params, opt_state = jax.lax.cond(
            i * n > START, learn, lambda _: (carry.params, carry.opt_state), None
        )
        due = (i * n) % COPY == 0
        target = jax.tree.map(lambda new, old: jnp.where(due, new, old), params, carry.target)
        return Carry(params, target, opt_state, buffer, env_state, observation), None

    reset = jax.vmap(cart.reset, (0, None))
    observation, env_state = reset(jax.random.split(jax.random.fold_in(key, 2**31), n), cart.params)
    params = network.init(key, observation)
    row = observation, jnp.zeros(n, jnp.int32), jnp.zeros(n), jnp.zeros(n), observation
    buffer = jax.tree.map(lambda x: jnp.zeros((CAPACITY, *x.shape[1:]), x.dtype), row)
    carry = Carry(params, params, optimizer.init(params), buffer, env_state, observation)
    carry, _ = jax.lax.scan(body, carry, jnp.arange(STEPS // n))
    layers = carry.params["params"]
    return [layers[f"Dense_{i}"][name] for i in range(3) for name in ("kernel", "bias")]


def documented(seed: int) -> Any:
    """Stable-Baselines3's DQN with the defaults of its documentation; returns the model."""
    from stable_baselines3 import DQN

    return DQN("MlpPolicy", "CartPole-v1", seed=seed, device="cpu").learn(total_timesteps=DOCUMENTED)


def weights_of(model: Any) -> list[np.ndarray]:
    """The kernels and biases in turns of a Stable-Baselines3 network."""
    weights = [p.detach().numpy() for p in model.q_net.q_net.parameters()]
    return [w.T if w.ndim == 2 else w for w in weights]
