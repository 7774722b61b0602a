"""RNN, LSTM and GRU against PyTorch with the same weights, in float64: outputs, states, gradients."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxdl.models import RecurrentNet
from jaxdl.models.cells import CELLS

torch = pytest.importorskip("torch")
pytestmark = pytest.mark.oracle

BATCH, TIME, IN, FEATURES, OUTPUTS = 5, 7, 3, 4, 2
LENGTHS = np.array([7, 3, 1, 5, 2])  # not sorted, and not all rows to the end
MODULES = {"rnn": torch.nn.RNN, "lstm": torch.nn.LSTM, "gru": torch.nn.GRU}


def randomised(tree, seed):
    generator = np.random.default_rng(seed)
    return jax.tree.map(lambda leaf: jnp.asarray(0.6 * generator.standard_normal(leaf.shape)), tree)


def names(net):
    """Our layers with the suffix that torch gives their weights, in the order of the carry."""
    sides = (("", ""), ("_backward", "_reverse")) if net.bidirectional else (("", ""),)
    return [
        (f"{net.cell}{layer + 1}{ours}", f"l{layer}{theirs}")
        for layer in range(net.layers)
        for ours, theirs in sides
    ]


def copy(net, params, peer, head):
    """Our parameters into torch's modules. Its second bias stays zero, but in a GRU's candidate."""
    with torch.no_grad():
        for ours, theirs in names(net):
            leaves = {name: torch.tensor(np.asarray(leaf)) for name, leaf in params[ours].items()}
            getattr(peer, f"weight_ih_{theirs}").copy_(leaves["kernel"].T)
            getattr(peer, f"weight_hh_{theirs}").copy_(leaves["recurrent_kernel"].T)
            getattr(peer, f"bias_ih_{theirs}").copy_(leaves["bias"])
            getattr(peer, f"bias_hh_{theirs}").zero_()
            if net.cell == "gru":
                getattr(peer, f"bias_hh_{theirs}")[2 * FEATURES :] = leaves["recurrent_bias"]
        head.weight.copy_(torch.tensor(np.asarray(params["logits"]["kernel"]).T))
        head.bias.copy_(torch.tensor(np.asarray(params["logits"]["bias"])))


def gradients_of(net, peer, head):
    """Torch's gradients by our names."""
    found = {"logits/kernel": head.weight.grad.T, "logits/bias": head.bias.grad}
    for ours, theirs in names(net):
        found[f"{ours}/kernel"] = getattr(peer, f"weight_ih_{theirs}").grad.T
        found[f"{ours}/recurrent_kernel"] = getattr(peer, f"weight_hh_{theirs}").grad.T
        found[f"{ours}/bias"] = getattr(peer, f"bias_ih_{theirs}").grad
        if net.cell == "gru":
            found[f"{ours}/recurrent_bias"] = getattr(peer, f"bias_hh_{theirs}").grad[2 * FEATURES :]
    return {name: np.asarray(gradient) for name, gradient in found.items()}


def assert_equal(actual, expected):
    actual, expected = np.asarray(actual), np.asarray(expected)
    assert actual.shape == expected.shape
    assert actual.dtype == np.float64
    np.testing.assert_allclose(actual, expected, rtol=0, atol=1e-12 * max(1, np.abs(expected).max()))


@pytest.mark.parametrize("masked", [False, True], ids=["whole", "masked"])
@pytest.mark.parametrize("many", [True, False], ids=["many-to-many", "many-to-one"])
@pytest.mark.parametrize("bidirectional", [False, True], ids=["forward", "both"])
@pytest.mark.parametrize("layers", [1, 2])
@pytest.mark.parametrize("cell", MODULES)
def test_network_equals_torch(cell, layers, bidirectional, many, masked):
    net = RecurrentNet(FEATURES, OUTPUTS, cell, layers, many, bidirectional)
    generator = np.random.default_rng(1)
    x = generator.standard_normal((BATCH, TIME, IN))
    directions = 1 + bidirectional
    starts = generator.standard_normal((CELLS[cell].states, layers * directions, BATCH, FEATURES))
    target = generator.standard_normal((BATCH, TIME, OUTPUTS) if many else (BATCH, OUTPUTS))
    real = np.arange(TIME)[None] < LENGTHS[:, None] if masked else np.ones((BATCH, TIME), bool)
    weight = real[..., None] if many else np.ones((BATCH, 1))

    with jax.enable_x64(True):
        carry = tuple(tuple(jnp.asarray(s[i]) for s in starts) for i in range(layers * directions))
        length = jnp.asarray(LENGTHS) if masked else None
        shapes = jax.eval_shape(net.init, jax.random.key(0), jnp.asarray(x))
        params = randomised(shapes["params"], seed=2)

        @jax.jit
        def run(params, x, carry):
            def loss(params, x, carry):
                outputs, last = net.apply({"params": params}, x, carry, length)
                states = sum(jnp.square(state).sum() for state in jax.tree.leaves(last))
                return (jnp.square(outputs - target) * weight).sum() + states, (outputs, last)

            return jax.value_and_grad(loss, argnums=(0, 1, 2), has_aux=True)(params, x, carry)

        (_, (outputs, last)), (d_params, dx, d_carry) = run(params, jnp.asarray(x), carry)

    peer = MODULES[cell](IN, FEATURES, layers, batch_first=True, bidirectional=bidirectional).double()
    head = torch.nn.Linear(FEATURES * directions, OUTPUTS).double()
    copy(net, params, peer, head)
    inputs = torch.tensor(x, requires_grad=True)
    states = tuple(torch.tensor(s, requires_grad=True) for s in starts)
    fed = inputs
    if masked:
        fed = torch.nn.utils.rnn.pack_padded_sequence(
            inputs, torch.tensor(LENGTHS), batch_first=True, enforce_sorted=False
        )
    y, end = peer(fed, states if cell == "lstm" else states[0])
    if masked:
        y, _ = torch.nn.utils.rnn.pad_packed_sequence(y, batch_first=True, total_length=TIME)
    ends = end if cell == "lstm" else (end,)
    top = y if many else torch.cat(list(ends[0][-directions:]), dim=-1)
    expected = head(top)
    loss = ((expected - torch.tensor(target)).square() * torch.tensor(weight)).sum()
    (loss + sum(state.square().sum() for state in ends)).backward()

    assert_equal(outputs, expected.detach())
    assert_equal(dx, inputs.grad)
    for i, layer in enumerate(zip(last, d_carry, strict=True)):
        for k, (ours, gradient) in enumerate(zip(*layer, strict=True)):
            assert_equal(ours, ends[k][i].detach())
            assert_equal(gradient, states[k].grad[i])
    theirs = gradients_of(net, peer, head)
    ours = {f"{layer}/{name}": leaf for layer, leaves in d_params.items() for name, leaf in leaves.items()}
    assert ours.keys() == theirs.keys()
    for name, gradient in theirs.items():
        assert_equal(ours[name], gradient)


def test_embedding_equals_torch():
    net = RecurrentNet(FEATURES, OUTPUTS, vocabulary=6, embedding=IN)
    generator = np.random.default_rng(3)
    tokens, target = (
        generator.integers(0, 6, (BATCH, TIME)),
        generator.standard_normal((BATCH, TIME, OUTPUTS)),
    )
    with jax.enable_x64(True):
        shapes = jax.eval_shape(net.init, jax.random.key(0), jnp.asarray(tokens))
        params = randomised(shapes["params"], seed=4)

        def loss(params):
            return jnp.square(net.apply({"params": params}, jnp.asarray(tokens))[0] - target).sum()

        table = jax.jit(jax.grad(loss))(params)["embedding"]
    peer = torch.nn.LSTM(IN, FEATURES, batch_first=True).double()
    head = torch.nn.Linear(FEATURES, OUTPUTS).double()
    copy(net, params, peer, head)
    embedding = torch.tensor(np.asarray(params["embedding"]), requires_grad=True)
    outputs = head(peer(torch.nn.functional.embedding(torch.tensor(tokens), embedding))[0])
    (outputs - torch.tensor(target)).square().sum().backward()
    assert_equal(table, embedding.grad)
