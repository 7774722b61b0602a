"""MLP and CNN against PyTorch with the same weights, in float64: outputs, all gradients, statistics."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxdl.models import CNN, MLP

torch = pytest.importorskip("torch")
pytestmark = pytest.mark.oracle

BATCH = 6
MOMENTUM = 0.1  # of the new value: torch's, and one minus flax's


class Peer(torch.nn.Module):
    """What `MLP` and `CNN` describe, in torch; its modules bear the names of our layers."""

    def __init__(self, model, shape):
        super().__init__()
        self.levels, self.hidden = [], []
        norm = model.batch_norm
        *size, width = shape
        if isinstance(model, CNN):
            for i, features in enumerate(model.features, start=1):
                size = [(n - (0 if model.padding == "SAME" else model.kernel_size - 1)) // 2 for n in size]
                padding = model.padding.lower()
                conv = torch.nn.Conv2d(width, features, model.kernel_size, padding=padding, bias=not norm)
                self.levels.append(self.level(f"conv{i}", conv, torch.nn.BatchNorm2d(features), i, norm))
                width = features
            widths, norm = (model.hidden,), False  # no batch norm in the dense layers of the CNN
        else:
            widths = model.widths
        width *= int(np.prod(size))
        for i, units in enumerate(widths, start=1):
            dense = torch.nn.Linear(width, units, bias=not norm)
            self.hidden.append(self.level(f"dense{i}", dense, torch.nn.BatchNorm1d(units), i, norm))
            width = units
        self.logits = torch.nn.Linear(width, model.outputs)
        self.double()

    def level(self, name, layer, norm, i, with_norm):
        self.add_module(name, layer)
        if with_norm:
            self.add_module(f"norm{i}", norm)
            # What a statistic is an average over: examples, or the pixels of all images.
            norm.register_forward_pre_hook(
                lambda module, inputs: setattr(module, "rows", inputs[0].numel() // inputs[0].shape[1])
            )
        return [layer, norm] if with_norm else [layer]

    def forward(self, x):
        """[batch, height, width, channels], as ours."""
        x = x.permute(0, 3, 1, 2)
        for level in self.levels:
            for module in level:
                x = module(x)
            x = torch.nn.functional.max_pool2d(torch.relu(x), 2)
        x = x.permute(0, 2, 3, 1).flatten(1)
        for level in self.hidden:
            for module in level:
                x = module(x)
            x = torch.relu(x)
        return self.logits(x)


def to_torch(leaf):
    """A kernel or vector in torch's order of axes: HWIO to OIHW, in x out to out x in."""
    axes = {4: (3, 2, 0, 1), 2: (1, 0), 1: (0,)}[leaf.ndim]
    return torch.tensor(np.asarray(leaf).transpose(axes))


def tensors(peer, name):
    """The parameters of a torch module by our names."""
    module = getattr(peer, name)
    weight = "scale" if name.startswith("norm") else "kernel"
    return {weight: module.weight} | ({} if module.bias is None else {"bias": module.bias})


def randomised(tree, seed):
    """Random float64 values for all leaves: ones and zeros would hide a missing scale or shift."""
    generator = np.random.default_rng(seed)

    def draw(path, leaf):
        values = generator.standard_normal(leaf.shape)
        if path[-1].key in ("var", "scale"):
            return jnp.asarray(0.5 + values**2)
        return jnp.asarray(values / np.sqrt(max(1, np.prod(leaf.shape[:-1]))))

    return jax.tree_util.tree_map_with_path(draw, tree)


def error(actual, expected):
    """The largest difference over the largest value."""
    actual, expected = np.asarray(actual), expected.detach().numpy()
    assert actual.shape == expected.shape
    assert actual.dtype == np.float64
    return np.abs(actual - expected).max() / np.abs(expected).max()


MODELS = {
    "mlp": (MLP((7, 5), 3), (4, 4, 2)),
    "mlp-linear": (MLP((), 3), (4, 4, 2)),
    "mlp-norm": (MLP((7, 5), 3, batch_norm=True), (4, 4, 2)),
    "cnn": (CNN((3, 4), 6, 5), (9, 8, 2)),
    "cnn-norm": (CNN((3, 4), 6, 5, batch_norm=True), (9, 8, 2)),
    "cnn-norm-plain": (CNN((3, 4), 6, 5, batch_norm=True, implementation="plain"), (9, 8, 2)),
    "cnn-valid-norm": (CNN((3, 4), 6, 5, kernel_size=5, padding="VALID", batch_norm=True), (17, 16, 1)),
}


@pytest.mark.parametrize("train", [True, False], ids=["train", "evaluate"])
@pytest.mark.parametrize("name", MODELS)
def test_model_equals_torch(name, train):
    model, shape = MODELS[name]
    generator = np.random.default_rng(0)
    x, target = generator.standard_normal((BATCH, *shape)), generator.standard_normal((BATCH, model.outputs))

    with jax.enable_x64(True):
        shapes = jax.eval_shape(model.init, jax.random.key(0), jnp.asarray(x))
        variables = randomised(shapes, seed=1)
        params, stats = variables["params"], variables.get("batch_stats", {})

        @jax.jit
        def run(params, x):
            def loss(params, x):
                both = {"params": params, "batch_stats": stats}
                logits, updated = model.apply(both, x, train=train, mutable=["batch_stats"])
                return jnp.square(logits - target).sum(), (logits, updated.get("batch_stats", {}))

            return jax.value_and_grad(loss, argnums=(0, 1), has_aux=True)(params, x)

        (_, (logits, updated)), (gradients, dx) = run(params, x)

    peer = Peer(model, shape).train(train)
    assert sum(p.numel() for p in peer.parameters()) == sum(leaf.size for leaf in jax.tree.leaves(params))
    with torch.no_grad():
        for layer, leaves in params.items():
            theirs = tensors(peer, layer)
            assert theirs.keys() == leaves.keys()
            for kind, leaf in leaves.items():
                theirs[kind].copy_(to_torch(leaf))
        for layer, leaves in stats.items():
            getattr(peer, layer).running_mean.copy_(to_torch(leaves["mean"]))
            getattr(peer, layer).running_var.copy_(to_torch(leaves["var"]))
    images = torch.tensor(x, requires_grad=True)
    outputs = peer(images)
    (outputs - torch.tensor(target)).square().sum().backward()

    assert error(logits, outputs) <= 1e-12
    assert error(dx, images.grad) <= 1e-10
    errors = {
        f"{layer}/{kind}": error(to_torch(leaf), tensors(peer, layer)[kind].grad)
        for layer, leaves in gradients.items()
        for kind, leaf in leaves.items()
    }
    assert max(errors.values()) <= 1e-10, errors

    assert updated.keys() == stats.keys()
    for layer, leaves in updated.items():
        module = getattr(peer, layer)
        assert error(leaves["mean"], module.running_mean) <= 1e-12
        variance = np.asarray(leaves["var"])
        if train:
            # Torch keeps the unbiased variance, flax the one that normalises.
            assert error(variance, module.running_var) > 1e-6
            kept = (1 - MOMENTUM) * np.asarray(stats[layer]["var"])
            variance = kept + (variance - kept) * module.rows / (module.rows - 1)
        assert error(variance, module.running_var) <= 1e-12
