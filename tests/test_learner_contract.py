"""Every way of learning keeps every law: one row per learner file runs them all.

Plain SGD throughout: Adam divides by gradients, and would turn the rounding noise of a gradient
that is zero into whole steps.
"""

from typing import NamedTuple

import jax
import jax.numpy as jnp
import optax
import pytest

from jaxdl import contract, envs, models
from jaxdl.contract import LAWS, LawBroken
from jaxdl.data import order
from jaxdl.learner import Learner, TrainState
from jaxdl.learners import autoencoder, dqn, gan, q_table, sequence, supervised, vae
from jaxdl.transforms import DEVICES, ema, resident, skip_nonfinite

CHEAP = ("keeps_type", "counts", "seeds_differ", "compiles_once")


class Row(NamedTuple):
    make: object  # (axis_name, average) -> learner
    batch: dict | None
    laws: tuple = tuple(LAWS)


def images(rows: int) -> dict:
    key = jax.random.key(7)
    return {
        "input": jax.random.uniform(key, (rows, 8, 8, 1)),
        "target": jax.random.randint(jax.random.fold_in(key, 1), (rows,), 0, 10),
    }


def classifier(model, **options):
    def make(axis_name=None, average=None):
        hooks = {} if average is None else {"average": average}
        net = model.clone(axis_name=axis_name)
        return supervised.learner(net, optax.sgd(0.1), l2=1e-4, **options, **hooks)

    return make


def characters(rows: int, **extra) -> dict:
    codes = jax.random.randint(jax.random.key(7), (rows, 6), 0, 5)
    return {"input": codes, "target": (2 * codes + 1) % 5, **extra}


def reader(carried=False, **options):
    def make(axis_name=None, average=None):
        hooks = {} if average is None else {"average": average}
        net = models.RecurrentNet(8, 5, vocabulary=5, embedding=4, **options)
        return sequence.learner(net, optax.sgd(0.5), carried=carried, **hooks)

    return make


def game(batch_norm=True, **options):
    def make(axis_name=None, average=None):
        hooks = {} if average is None else {"average": average}
        return gan.learner(
            models.Generator((8, 4), start=2, channels=1, axis_name=axis_name),
            models.Discriminator((4, 8), start=2, batch_norm=batch_norm, axis_name=axis_name),
            optax.sgd(0.1),
            optax.sgd(0.1),
            **{"latents": 5, "discriminator_steps": 2, **options},
            axis_name=axis_name,
            **hooks,
        )

    return make


def copier(widths=(32,), features=(), **options):
    def make(axis_name=None, average=None):
        hooks = {} if average is None else {"average": average}
        net = models.Autoencoder((8, 8, 1), 4, widths, features)
        return autoencoder.learner(net, optax.sgd(0.02), **options, **hooks)

    return make


def variational(quiet=False, likelihood="bernoulli", **options):
    def make(axis_name=None, average=None):
        hooks = {} if average is None else {"average": average}
        net = models.VAE((8, 8, 1), 3, (32,), likelihood=likelihood)
        learner = vae.learner(net, optax.sgd(1e-3), **options, **hooks)

        def silent(key, batch):
            """q(z|x) so narrow that its noise changes no bit: pmap repeats the noise on each device."""
            state = learner.init(key, batch)
            outputs = state.net.params["encoder"]["outputs"]
            outputs["bias"] = outputs["bias"].at[3:].set(-100)
            return state

        return learner._replace(init=silent) if quiet else learner

    return make


def player(env="Breakout", features=(4,), prioritized=True, dueling=False, atoms=1, noisy=False, **options):
    """Deep Q-learning from images with prioritized replay, or as told."""
    environment = envs.make(env)
    network = models.QNetwork(environment.actions, (8,), features, dueling, atoms, noisy)
    replay = (envs.prioritized if prioritized else envs.uniform)(64)
    sizes = {"environments": 2, "rollout": 2, "updates": 2, "batch_size": 8, "warmup": 10, "n_step": 2}

    def make(axis_name=None, average=None):
        parts = dqn.agent(network, optax.sgd(0.01), replay, **{**sizes, **options})
        return dqn.learner(environment, parts)

    return make


def tabular(axis_name=None, average=None):
    return q_table.learner(envs.gridworld.environment(one_hot=False), 12)


MLP = models.MLP((32, 16))
CNN = models.CNN((4, 8), hidden=16)
ROWS = {
    "mlp": Row(classifier(MLP), images(32)),
    "mlp with batch norm": Row(classifier(MLP.clone(batch_norm=True)), images(32)),
    "cnn": Row(classifier(CNN), images(32)),
    "cnn with batch norm": Row(classifier(CNN.clone(batch_norm=True)), images(32)),
    "dropout": Row(
        classifier(MLP.clone(dropout=0.5)), images(32), (*CHEAP, "resumes", "over_seeds_is_separate_runs")
    ),
    "augmentation": Row(
        classifier(MLP, augment=lambda key, x: x + jax.random.normal(key, x.shape)), images(32), CHEAP
    ),
    "resident": Row(
        lambda axis_name=None, average=None: resident(classifier(MLP)(), 8, order.rows),
        images(32),
        tuple(law for law in LAWS if law not in ("devices_share_the_work", "pmap_equals_one")),
    ),
    "ema": Row(
        lambda axis_name=None, average=None: ema(classifier(MLP)(axis_name, average), 0.9), images(32)
    ),
    "skip_nonfinite": Row(
        lambda axis_name=None, average=None: skip_nonfinite(classifier(MLP)(axis_name, average)), images(32)
    ),
    "autoencoder": Row(copier(sparsity=0.01), images(32)),
    "convolutional autoencoder": Row(copier((), (4, 4)), images(32), (*CHEAP, "many_steps_is_a_loop")),
    "denoising autoencoder": Row(copier(noise=0.3), images(32), (*CHEAP, "resumes", "devices_equal_one")),
    "vae": Row(variational(), images(32), tuple(law for law in LAWS if law != "pmap_equals_one")),
    "vae without noise": Row(variational(quiet=True), images(32), ("pmap_equals_one",)),
    "vae, gaussian": Row(variational(likelihood="gaussian", beta=2.0, free_bits=0.1), images(32), CHEAP),
    "vae, importance weighted": Row(variational(objective="iwae", samples=5), images(32), CHEAP),
    "gan with batch norm": Row(game(), images(32)),
    "gan with a gradient penalty": Row(
        game(batch_norm=False, loss="wasserstein"), images(32), (*CHEAP, "pmap_equals_one", "resumes")
    ),
    "gan, averaged": Row(
        lambda axis_name=None, average=None: ema(game()(), 0.9, "generator"), images(32), (*CHEAP, "donates")
    ),
    "sequence": Row(reader(), characters(32)),
    # The carry belongs to its rows: it cannot be shared out, nor read more rows than it has.
    "sequence with carried state": Row(
        reader(carried=True),
        characters(32, start=jnp.arange(32) % 3 == 0),
        tuple(law for law in LAWS if law not in ("devices_share_the_work", "pmap_equals_one")),
    ),
    "sequence of uneven lengths": Row(
        reader(cell="gru", dropout=0.5), characters(32, length=jnp.arange(32) % 6 + 1), CHEAP
    ),
    "deep Q-learning": Row(player(), None),
    "deep Q-learning, all of Rainbow": Row(
        player("Catch", (), dueling=True, atoms=5, noisy=True, support=(-1.0, 1.0), double=True),
        None,
        (*CHEAP, "resumes", "donates"),
    ),
    "Q-learning in a table": Row(
        tabular,
        None,
        tuple(
            law for law in LAWS if law not in ("seeds_differ", "pmap_equals_one", "devices_share_the_work")
        ),
    ),
}


@pytest.mark.parametrize(("name", "law"), [(name, law) for name, row in ROWS.items() for law in row.laws])
def test_law(name, law):
    row = ROWS[name]
    held = contract.check(
        row.make(), row.batch, laws=[law], averaged=lambda average: row.make(DEVICES, average)
    )
    assert held == {law: "holds"}


def broken(**changes) -> Learner:
    """A learner of a single number, with one slip."""

    def init(key, batch):
        start = changes.get("init", jax.random.normal)(key, ())
        return TrainState(jnp.int32(0), key, {"w": start, "copy": jnp.float32(0)})

    def step(state, batch):
        move = changes.get("move", lambda state, batch: batch["input"].mean())(state, batch)
        net = {"w": state.net["w"] - 0.1 * move, "copy": state.net["copy"]}
        state = state.replace(step=state.step + changes.get("count", 1), net=net)
        return changes.get("after", lambda state: state)(state), {"loss": move}

    return Learner(init, step)


SLIPS = {
    "seeds_differ": {"init": lambda key, shape: jnp.float32(1)},
    "counts": {"count": 0},
    "keeps_type": {"after": lambda state: state.replace(step=state.step.astype(jnp.float32))},
}


@pytest.mark.parametrize("law", SLIPS)
def test_contract_catches_slips(law):
    with pytest.raises(LawBroken, match=law):
        contract.check(broken(**SLIPS[law]), images(32), laws=[law])


@pytest.mark.parametrize(
    "law",
    [
        "pure",
        "resumes",
        "many_steps_is_a_loop",
        "over_seeds_is_separate_runs",
        "seeds_and_steps_commute",
        "devices_equal_one",
    ],
)
def test_contract_catches_hidden_state(law):
    calls = []

    def move(state, batch):
        calls.append(1)  # counts how often it was traced: another number in every program
        return jnp.float32(len(calls))

    with pytest.raises(LawBroken, match=law):
        contract.check(broken(move=move), images(32), laws=[law])


def test_contract_catches_an_array_held_twice():
    def init(key, batch):
        w = jax.random.normal(key, (3,))
        return TrainState(jnp.int32(0), key, {"w": w, "target": w})

    def step(state, batch):
        return state.replace(step=state.step + 1), {"loss": jnp.float32(0)}

    with pytest.raises(LawBroken, match="donates"):
        contract.check(Learner(init, step), images(32), laws=["donates"])


def test_contract_refuses_unknown_laws_and_uneven_batches():
    learner = supervised.learner(MLP, optax.sgd(0.1))
    with pytest.raises(ValueError, match=r"laws: got 'count'.*did you mean 'counts'"):
        contract.check(learner, images(32), laws=["count"])
    with pytest.raises(ValueError, match="batch: got 24"):
        contract.check(learner, images(24), laws=["counts"])
