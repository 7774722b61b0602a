"""Q-learning against PyTorch with the same weights, in float64: outputs, errors, one update."""

import itertools

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from jaxdl.envs import Replay, Transition
from jaxdl.envs.replay import Sample
from jaxdl.learners import dqn
from jaxdl.losses import categorical_projection
from jaxdl.models import NoisyDense, QNetwork

torch = pytest.importorskip("torch")
pytestmark = pytest.mark.oracle

BATCH, ACTIONS, RATE = 6, 3, 0.1


def tensors(tree, gradient=False):
    return jax.tree.map(lambda x: torch.tensor(np.asarray(x), requires_grad=gradient), tree)


def peer(params, x, network):
    """The Q-network in torch, of float64 [batch, ...], with parameters that bear our names."""
    if network.scale:
        x = x * torch.tensor(network.scale, dtype=x.dtype)
    for i in range(1, len(network.features) + 1):
        layer = params[f"conv{i}"]
        y = torch.nn.functional.conv2d(
            x.permute(0, 3, 1, 2), layer["kernel"].permute(3, 2, 0, 1), layer["bias"]
        )
        x = torch.relu(y).permute(0, 2, 3, 1)
    x = x.flatten(1)

    def dense(x, name):
        return torch.nn.functional.linear(x, params[name]["kernel"].T, params[name]["bias"])

    for i in range(1, len(network.widths) + 1):
        x = torch.relu(dense(x, f"dense{i}"))
    shape = (len(x), network.actions, network.atoms)
    if not network.dueling:
        return dense(x, "q").reshape(shape)
    advantage = dense(x, "advantage").reshape(shape)
    return dense(x, "value")[:, None] + advantage - advantage.mean(1, keepdim=True)


def doubles(tree, seed=0):
    """The same tree with random numbers of float64, biases included."""
    generator = np.random.default_rng(seed)
    return jax.tree.map(lambda x: jnp.asarray(generator.normal(0, 0.5, x.shape)), tree)


NETWORKS = {
    "plain": QNetwork(ACTIONS, (5, 4)),
    "dueling": QNetwork(ACTIONS, (5,), dueling=True, scale=(0.5, 2.0, 1.0, 3.0)),
    "atoms": QNetwork(ACTIONS, (5,), atoms=7),
    "dueling atoms": QNetwork(ACTIONS, (5,), dueling=True, atoms=7),
    "convolution": QNetwork(ACTIONS, (8,), (4, 3), dueling=True),
}


@pytest.mark.parametrize("name", NETWORKS)
def test_outputs_and_gradients_of_the_network(name):
    network = NETWORKS[name]
    shape = (BATCH, 7, 6, 2) if network.features else (BATCH, 4)
    with jax.enable_x64(True):
        x = jnp.asarray(np.random.default_rng(1).standard_normal(shape))
        params = doubles(jax.eval_shape(network.init, jax.random.key(0), x)["params"])
        theirs = tensors(params, gradient=True)
        expected = peer(theirs, torch.tensor(np.asarray(x)), network)
        weights = np.random.default_rng(2).standard_normal(expected.shape)
        (expected * torch.tensor(weights)).sum().backward()

        def weighted(params):
            q = network.apply({"params": params}, x).reshape(expected.shape)
            return (q * weights).sum(), q

        gradients, q = jax.jit(jax.grad(weighted, has_aux=True))(params)
    np.testing.assert_allclose(q, expected.detach(), rtol=1e-10, atol=1e-12)
    for got, want in zip(jax.tree.leaves(gradients), jax.tree.leaves(theirs), strict=True):
        np.testing.assert_allclose(got, want.grad, rtol=1e-9, atol=1e-11)


def test_noisy_layer_with_the_noise_that_it_drew():
    with jax.enable_x64(True):
        layer = NoisyDense(3)
        x = jnp.asarray(np.random.default_rng(0).standard_normal((BATCH, 4)))
        params = doubles(jax.eval_shape(layer.init, jax.random.key(0), x)["params"])

        def apply(x):
            return layer.apply({"params": params}, x, rngs={"noise": jax.random.key(5)})

        y, bias, rows = map(np.asarray, (apply(x), apply(jnp.zeros((1, 4)))[0], apply(jnp.eye(4))))
    params = jax.tree.map(np.asarray, params)
    out = (bias - params["bias"]) / params["bias_sigma"]
    both = (rows - bias - params["kernel"]) / params["kernel_sigma"]
    into = both[:, 0] / out[0]
    np.testing.assert_allclose(both, np.outer(into, out), rtol=1e-9)  # one number per input and output
    theirs = tensors(params)
    kernel = theirs["kernel"] + theirs["kernel_sigma"] * torch.outer(*map(torch.tensor, (into, out)))
    bias = theirs["bias"] + theirs["bias_sigma"] * torch.tensor(out)
    expected = torch.nn.functional.linear(torch.tensor(np.asarray(x)), kernel.T, bias)
    np.testing.assert_allclose(y, expected, rtol=1e-9)


def algorithm_1(support, probabilities, values):
    """Bellemare et al., 2017, line by line, for a batch; values [batch, atoms]."""
    low, high, atoms = support[0], support[-1], len(support)
    projected = torch.zeros_like(probabilities)
    b = (values.clamp(low, high) - low) / ((high - low) / (atoms - 1))
    for i, j in itertools.product(range(len(values)), range(atoms)):
        lower, upper = int(torch.floor(b[i, j])), int(torch.ceil(b[i, j]))
        if lower == upper:
            projected[i, lower] += probabilities[i, j]
        else:
            projected[i, lower] += probabilities[i, j] * (upper - b[i, j])
            projected[i, upper] += probabilities[i, j] * (b[i, j] - lower)
    return projected


def projections(seed=0, batch=50, atoms=11):
    generator = np.random.default_rng(seed)
    support = np.linspace(-10, 10, atoms)
    values = generator.normal(0, 8, (batch, 1)) + generator.uniform(0, 1.5, (batch, 1)) * support
    return support, generator.dirichlet(np.ones(atoms), batch), values


def test_projection_equals_algorithm_1():
    support, probabilities, values = projections()
    values[:3] = values[:3].round()  # some on the atoms
    with jax.enable_x64(True):
        got = jax.vmap(categorical_projection, (None, 0, 0))(
            *map(jnp.asarray, (support, probabilities, values))
        )
    expected = algorithm_1(*map(torch.tensor, (support, probabilities, values)))
    np.testing.assert_allclose(got, expected, rtol=1e-12, atol=1e-14)
    np.testing.assert_allclose(np.asarray(got).sum(1), 1, rtol=1e-12)


def test_projection_keeps_mass_and_mean_and_is_exact_at_atoms_and_ends():
    support, probabilities, values = (jnp.asarray(x, jnp.float32) for x in projections(1))
    project = jax.jit(jax.vmap(categorical_projection, (None, 0, 0)))
    same = jnp.broadcast_to(support, probabilities.shape)
    np.testing.assert_array_equal(project(support, probabilities, same), probabilities)
    for value, atom in [(-99.0, 0), (99.0, -1), (support[3], 3)]:
        got = project(support, probabilities, jnp.full_like(values, value))
        np.testing.assert_allclose(got[:, atom], 1, rtol=1e-6)
        assert (np.delete(np.asarray(got), atom, 1) == 0).all()
    inside = jnp.clip(values, -10, 10)
    got = project(support, probabilities, inside)
    np.testing.assert_allclose(got.sum(1), 1, rtol=1e-6)
    np.testing.assert_allclose(got @ support, (probabilities * inside).sum(1), rtol=1e-4, atol=1e-4)
    np.testing.assert_allclose(project(support, probabilities, values), got, atol=1e-6)


def batch_of_rows():
    generator = np.random.default_rng(3)
    return {
        "observation": generator.standard_normal((BATCH, 4)),
        "action": generator.integers(0, ACTIONS, BATCH).astype(np.int32),
        "return": generator.normal(0, 2, BATCH),
        "discount": generator.choice([0.0, 0.9], BATCH),
        "next_observation": generator.standard_normal((BATCH, 4)),
    }, generator.uniform(0.2, 1, BATCH)


def fixed_replay(rows, weights):
    """A replay buffer that always hands out one batch, and keeps the priorities it is given."""

    def sample(state, key, batch_size):
        return Sample(jax.tree.map(jnp.asarray, rows), jnp.arange(BATCH), jnp.asarray(weights))

    return Replay(
        lambda row, skip: jnp.zeros(BATCH),
        lambda state, rows: state,
        sample,
        lambda state, index, priorities: priorities,
        capacity=BATCH,
    )


@pytest.mark.parametrize("double", [False, True])
@pytest.mark.parametrize(
    ("name", "loss"),
    [("plain", "huber"), ("plain", "squared"), ("dueling", "squared"), ("dueling atoms", "huber")],
)
def test_one_update_of_deep_q_learning(name, loss, double):
    network, (rows, weights) = NETWORKS[name], batch_of_rows()
    support = (-4.0, 5.0) if network.atoms > 1 else None
    with jax.enable_x64(True):
        agent = dqn.agent(
            network,
            optax.sgd(RATE),
            fixed_replay(rows, weights),
            environments=2,
            rollout=1,
            updates=1,
            batch_size=BATCH,
            warmup=1,
            double=double,
            loss=loss,
            support=support,
            tau=0.25,
            target_every=1,
        )
        zeros, seen = np.zeros((1, 2)), np.zeros((1, 2, 4))
        transitions = Transition(seen, zeros.astype(np.int32), zeros, zeros > 0, zeros > 0, seen)
        transitions = jax.tree.map(jnp.asarray, transitions)
        state = agent.init(jax.random.key(0), jnp.zeros((2, 4)), None)
        params, target = doubles(state.net.params, 1), doubles(state.net.params, 2)
        state = state.replace(net=state.net.replace(params=params), target_params=target)
        keys = agent.keys(state.key, state.step, 0)[1]
        state, metrics = jax.jit(agent.learn)(state, transitions, keys)

    theirs, weights = tensors(params, gradient=True), torch.tensor(weights)
    seen, after, returns, discount = (
        torch.tensor(rows[key]) for key in ("observation", "next_observation", "return", "discount")
    )
    action = torch.tensor(rows["action"]).long()
    each = torch.arange(BATCH)
    output, following = peer(theirs, seen, network), peer(tensors(target), after, network).detach()
    chooser = peer(theirs, after, network).detach() if double else following
    if support is None:
        wanted = returns + discount * following[each, chooser[..., 0].argmax(1), 0]
        difference = output[each, action, 0] - wanted
        priorities = difference.abs()
        losses = difference**2
        if loss == "huber":
            losses = torch.nn.functional.huber_loss(
                difference, torch.zeros_like(difference), reduction="none"
            )
    else:
        atoms = torch.linspace(*support, network.atoms, dtype=torch.float64)
        best = (chooser.softmax(-1) * atoms).sum(-1).argmax(1)
        values = returns[:, None] + discount[:, None] * atoms
        wanted = algorithm_1(atoms, following[each, best].softmax(-1), values)
        losses = -(wanted * output[each, action].log_softmax(-1)).sum(-1)
        priorities = losses + torch.special.xlogy(wanted, wanted).sum(-1)
    value = (weights * losses).mean()
    value.backward()
    np.testing.assert_allclose(metrics["loss"], value.detach(), rtol=1e-9)
    np.testing.assert_allclose(state.replay, priorities.detach(), rtol=1e-9)
    leaves = map(jax.tree.leaves, (state.net.params, state.target_params, theirs, target))
    for got, moved, weight, old in zip(*leaves, strict=True):
        new = (weight - RATE * weight.grad).detach().numpy()
        np.testing.assert_allclose(got, new, rtol=1e-9, atol=1e-12)
        np.testing.assert_allclose(moved, 0.25 * new + 0.75 * np.asarray(old), rtol=1e-9, atol=1e-12)
