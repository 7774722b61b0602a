import chex
import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from flax import linen as nn
from safetensors.numpy import load_file

from jaxdl import models
from jaxdl.data import order
from jaxdl.errors import InputError
from jaxdl.learners import gan, supervised
from jaxdl.run import Output, export, fit, load
from jaxdl.run.trained import build, describe
from jaxdl.transforms import ema, resident

DATA = {
    "input": np.random.default_rng(0).uniform(size=(32, 8, 8, 1)).astype(np.float32),
    "target": np.arange(32, dtype=np.int32) % 3,
}
MODEL = models.CNN((2, 3), hidden=4, outputs=3, batch_norm=True)


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    folder = tmp_path_factory.mktemp("trained") / "run"
    learner = resident(supervised.learner(MODEL, optax.sgd(0.1)), 8, order.rows)
    output = Output(folder, progress=False, config={"experiment": "test"}, model=MODEL)
    return folder, fit(learner, DATA, steps=5, seeds=2, output=output)


@pytest.mark.parametrize("seed", [0, 1])
def test_load_predicts_what_the_run_predicted(trained, seed):
    folder, fitted = trained
    model, variables, recorded = load(folder, seed=seed)
    assert model == MODEL
    assert recorded["experiment"] == "test"
    state = type(fitted.state)(*[jax.tree.map(lambda x: x[seed], part) for part in
                                 (fitted.state.step, fitted.state.key, fitted.state.net)])  # fmt: skip
    expected = supervised.predict(MODEL)(state, jnp.asarray(DATA["input"]))
    np.testing.assert_array_equal(model.apply(variables, DATA["input"]), expected)


def test_export_names_and_values(trained, tmp_path):
    folder, fitted = trained
    export(folder, tmp_path / "weights.safetensors", seed=1)
    tensors = load_file(tmp_path / "weights.safetensors")
    assert "params.conv1.kernel" in tensors
    assert "batch_stats.norm1.mean" in tensors
    np.testing.assert_array_equal(
        tensors["params.conv1.kernel"], fitted.state.net.params["conv1"]["kernel"][1]
    )


@pytest.mark.parametrize(
    "model",
    [
        models.MLP((3, 4), outputs=2, dropout=0.1),
        models.MLP((), activation=models.activations.sigmoid),
        models.CNN(kernel_size=(5, 3), padding="VALID"),
        MODEL,
    ],
)
def test_a_described_model_is_built_again(model):
    import json

    assert build(json.loads(json.dumps(describe(model)))) == model


def test_nothing_outside_of_jaxdl_is_built():
    with pytest.raises(InputError, match=r"model: got 'os.system'"):
        build({"function": "os.system"})
    with pytest.raises(InputError, match="model: got 'flax"):
        build(describe(nn.Dense(3)))


@pytest.mark.parametrize(
    ("options", "message"), [({"seed": 2}, "seed: got 2"), ({"seed": -1}, "seed: got -1")]
)
def test_bad_seeds_are_refused(trained, options, message):
    with pytest.raises(InputError, match=message):
        load(trained[0], **options)


def test_a_folder_without_a_run_is_refused(tmp_path):
    with pytest.raises(InputError, match="folder: got"):
        load(tmp_path)


def test_a_model_alone_is_recorded_too(tmp_path):
    """Without an experiment's config, and in a folder that is named by a word."""
    learner = resident(supervised.learner(MODEL, optax.sgd(0.1)), 8, order.rows)
    fit(learner, DATA, steps=1, output=Output(str(tmp_path / "run"), progress=False, model=MODEL))
    assert load(tmp_path / "run")[0] == MODEL
    export(tmp_path / "run", tmp_path / "weights.safetensors")
    assert load_file(tmp_path / "weights.safetensors")


def test_the_averages_of_a_net_are_what_is_loaded(tmp_path):
    learner = resident(ema(supervised.learner(MODEL, optax.sgd(0.1)), 0.9), 8, order.rows)
    fitted = fit(learner, DATA, steps=5, output=Output(tmp_path / "run", progress=False, model=MODEL))
    _, variables, _ = load(tmp_path / "run")
    state = jax.tree.map(lambda x: x[0], fitted.state)
    chex.assert_trees_all_equal(variables["params"], state.average)
    chex.assert_trees_all_equal(variables["batch_stats"], state.average_stats["batch_stats"])
    with pytest.raises(InputError, match="expected one of net"):
        load(tmp_path / "run", net="state")


def test_the_averages_of_one_player_are_not_the_others(tmp_path):
    players = models.Generator((4,), channels=1, start=4), models.Discriminator((4,), start=4)
    game = gan.learner(*players, optax.sgd(0.1), optax.sgd(0.1), latents=3)
    learner = resident(ema(game, 0.9, "generator"), 8, order.rows)
    named = dict(zip(("generator", "discriminator"), players, strict=True))
    fitted = fit(learner, DATA, steps=3, output=Output(tmp_path / "run", progress=False, model=named))
    state = jax.tree.map(lambda x: x[0], fitted.state)
    expected = {"generator": state.average, "discriminator": state.state.discriminator.params}
    for net, params in expected.items():
        model, variables, _ = load(tmp_path / "run", net=net)
        assert model == named[net]
        chex.assert_trees_all_equal(variables["params"], params)


def test_models_by_name_are_built_again():
    models_by_name = {"first": MODEL, "second": {"inside": MODEL.clone(dropout=0.5)}}
    assert build(describe(models_by_name)) == models_by_name


def test_a_net_whose_model_was_not_recorded_is_refused(tmp_path):
    players = models.Generator((4,), channels=1, start=4), models.Discriminator((4,), start=4)
    learner = resident(gan.learner(*players, optax.sgd(0.1), optax.sgd(0.1), latents=3), 8, order.rows)
    named = {"generator": players[0]}
    fit(learner, DATA, steps=1, output=Output(tmp_path / "run", progress=False, model=named))
    with pytest.raises(InputError, match=r"net: got 'discriminator', expected one of generator"):
        load(tmp_path / "run", net="discriminator")
