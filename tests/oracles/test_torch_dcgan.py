"""Transposed convolution and both networks of DCGAN against PyTorch with the same weights, in float64."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxdl.models import ConvTranspose, Discriminator, Generator

torch = pytest.importorskip("torch")
pytestmark = pytest.mark.oracle

BATCH = 6
MOMENTUM = 0.1  # of the new value: torch's, and one minus flax's


def error(actual, expected):
    """The largest difference over the largest value."""
    actual, expected = np.asarray(actual), expected.detach().numpy()
    assert actual.shape == expected.shape
    assert actual.dtype == np.float64
    return np.abs(actual - expected).max() / np.abs(expected).max()


def images(x):
    """NCHW of torch to NHWC."""
    return x.permute(0, 2, 3, 1)


def flipped(kernel):
    """Our transposed kernel [height, width, in, out] as torch's [in, out, height, width]."""
    return torch.tensor(np.flip(np.asarray(kernel), (0, 1)).transpose(2, 3, 0, 1).copy())


def straight(kernel):
    """Our kernel [height, width, in, out] as torch's [out, in, height, width]."""
    return torch.tensor(np.asarray(kernel).transpose(3, 2, 0, 1))


# kernel, stride, torch's padding and output padding, our padding
LAYERS = {
    "dcgan": (4, 2, 1, 0, "SAME"),
    "dcgan-first": (4, 1, 0, 0, "VALID"),
    "cyclegan": (3, 2, 1, 1, ((1, 2), (1, 2))),
    "wide": (5, 3, 0, 0, "VALID"),
    "stride-1": (3, 1, 1, 0, "SAME"),
}


@pytest.mark.parametrize("implementation", ["fast", "plain"])
@pytest.mark.parametrize("name", LAYERS)
def test_transposed_convolution_equals_torch_with_a_flipped_kernel(name, implementation):
    size, stride, padding, more, ours = LAYERS[name]
    generator = np.random.default_rng(0)
    x = generator.standard_normal((BATCH, 5, 4, 3))
    with jax.enable_x64(True):
        layer = ConvTranspose(2, size, stride, ours, implementation=implementation)
        kernel, bias = (jnp.asarray(generator.standard_normal(s)) for s in ((size, size, 3, 2), (2,)))

        def loss(params, x):
            y = layer.apply({"params": params}, x)
            return jnp.sin(y).sum(), y

        params = {"kernel": kernel, "bias": bias}
        (_, y), (grads, dx) = jax.value_and_grad(loss, (0, 1), has_aux=True)(params, jnp.asarray(x))

    peer = torch.nn.ConvTranspose2d(3, 2, size, stride, padding, more).double()
    with torch.no_grad():
        peer.weight.copy_(flipped(kernel))
        peer.bias.copy_(torch.tensor(np.asarray(bias)))
    theirs = torch.tensor(x, requires_grad=True)
    outputs = images(peer(theirs.permute(0, 3, 1, 2)))
    outputs.sin().sum().backward()
    assert error(y, outputs) <= 1e-12
    assert error(dx, theirs.grad) <= 1e-12
    assert error(flipped(grads["kernel"]), peer.weight.grad) <= 1e-12
    assert error(grads["bias"], peer.bias.grad) <= 1e-12


class Peer(torch.nn.Module):
    """Either network as in Radford et al., in torch; its modules bear the names of our layers."""

    def __init__(self, model, width):
        super().__init__()
        self.order, self.generates = [], isinstance(model, Generator)
        outputs = (*model.widths, model.channels if self.generates else 1)
        for i, features in enumerate(outputs, start=1):
            last, first = i == len(outputs), i == 1
            if self.generates:
                size, geometry = (model.start, (1, 0)) if first else (4, (2, 1))
                layer = torch.nn.ConvTranspose2d(width, features, size, *geometry, bias=False)
                normed = not last
            else:
                size, geometry = (model.start, (1, 0)) if last else (4, (2, 1))
                layer = torch.nn.Conv2d(width, features, size, *geometry, bias=False)
                normed = not (first or last)
            self.add(
                "logit" if last and not self.generates else ("up" if self.generates else "conv") + str(i),
                layer,
            )
            if normed:
                self.add(f"norm{i}", torch.nn.BatchNorm2d(features))
            if not last:
                self.order.append(
                    torch.relu if self.generates else lambda x: torch.nn.functional.leaky_relu(x, 0.2)
                )
            width = features
        self.double()

    def add(self, name, module):
        self.add_module(name, module)
        self.order.append(module)

    def forward(self, x):
        """Noise [batch, latents], or images [batch, height, width, channels], as ours."""
        x = x[:, :, None, None] if self.generates else 2 * x.permute(0, 3, 1, 2) - 1
        for part in self.order:
            x = part(x)
        return images((torch.tanh(x) + 1) / 2) if self.generates else x.reshape(len(x))


MODELS = {
    "generator-64": (Generator((8, 6, 5, 4)), (7,)),
    "generator-28": (Generator((8, 6), start=7, channels=1), (7,)),
    "generator-8-plain": (Generator((8, 6), start=2, channels=1, implementation="plain"), (7,)),
    "discriminator-64": (Discriminator((4, 5, 6, 8)), (64, 64, 3)),
    "discriminator-28": (Discriminator((5, 6), start=7), (28, 28, 1)),
    "discriminator-8-plain": (Discriminator((5, 6), start=2, implementation="plain"), (8, 8, 1)),
}


def randomised(path, leaf):
    """Random float64 values for all leaves: ones and zeros would hide a missing scale or shift."""
    values = np.random.default_rng(len(str(path)) + leaf.size).standard_normal(leaf.shape)
    if path[-1].key in ("var", "scale"):
        return jnp.asarray(0.5 + values**2)
    return jnp.asarray(values / np.sqrt(max(1, np.prod(leaf.shape[:-1]))))


@pytest.mark.parametrize("train", [True, False], ids=["train", "evaluate"])
@pytest.mark.parametrize("name", MODELS)
def test_network_equals_torch(name, train):
    model, shape = MODELS[name]
    generates = isinstance(model, Generator)
    x = np.random.default_rng(1).uniform(size=(BATCH, *shape))
    with jax.enable_x64(True):
        shapes = jax.eval_shape(model.init, jax.random.key(0), jnp.asarray(x))
        variables = jax.tree_util.tree_map_with_path(randomised, shapes)
        params, stats = variables["params"], variables["batch_stats"]

        @jax.jit
        def run(params, x):
            def loss(params, x):
                both = {"params": params, "batch_stats": stats}
                y, updated = model.apply(both, x, train=train, mutable=["batch_stats"])
                return jnp.square(y).sum(), (y, updated["batch_stats"])

            return jax.value_and_grad(loss, (0, 1), has_aux=True)(params, x)

        (_, (y, updated)), (gradients, dx) = run(params, jnp.asarray(x))

    peer = Peer(model, shape[-1]).train(train)
    assert sum(p.numel() for p in peer.parameters()) == sum(leaf.size for leaf in jax.tree.leaves(params))
    rows = {}
    with torch.no_grad():
        for layer, leaves in params.items():
            module = getattr(peer, layer)
            if "kernel" in leaves:
                module.weight.copy_((flipped if generates else straight)(leaves["kernel"]))
            else:
                module.weight.copy_(torch.tensor(np.asarray(leaves["scale"])))
                module.bias.copy_(torch.tensor(np.asarray(leaves["bias"])))
                module.running_mean.copy_(torch.tensor(np.asarray(stats[layer]["mean"])))
                module.running_var.copy_(torch.tensor(np.asarray(stats[layer]["var"])))
                module.register_forward_pre_hook(
                    lambda _, inputs, layer=layer: rows.update(
                        {layer: inputs[0].numel() // inputs[0].shape[1]}
                    )
                )
    theirs = torch.tensor(x, requires_grad=True)
    outputs = peer(theirs)
    outputs.square().sum().backward()
    assert error(y, outputs) <= 1e-12
    assert error(dx, theirs.grad) <= 1e-10
    for layer, leaves in gradients.items():
        module = getattr(peer, layer)
        if "kernel" in leaves:
            assert error((flipped if generates else straight)(leaves["kernel"]), module.weight.grad) <= 1e-10
        else:
            assert error(leaves["scale"], module.weight.grad) <= 1e-10
            assert error(leaves["bias"], module.bias.grad) <= 1e-10
    for layer, leaves in updated.items():
        assert error(leaves["mean"], getattr(peer, layer).running_mean) <= 1e-12
        variance = np.asarray(leaves["var"])
        if train:  # torch keeps the unbiased variance, flax the one that normalises
            kept = (1 - MOMENTUM) * np.asarray(stats[layer]["var"])
            variance = kept + (variance - kept) * rows[layer] / (rows[layer] - 1)
        assert error(variance, getattr(peer, layer).running_var) <= 1e-12


def test_the_paper_has_the_same_parameters_in_torch():
    counts = [
        sum(p.numel() for p in Peer(model, width).parameters())
        for model, width in ((Generator(), 100), (Discriminator(), 3))
    ]
    assert counts == [3_576_704, 2_765_568]
