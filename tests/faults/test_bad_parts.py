"""What learners, transformations, environments and replay buffers refuse."""

from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from jax.sharding import PartitionSpec as P

from jaxdl import envs, losses, metrics, models
from jaxdl.data import order
from jaxdl.envs import catch, chain, gridworld, tables
from jaxdl.envs.returns import n_step
from jaxdl.learner import Learner
from jaxdl.learners import autoencoder, dqn, gan, q_table, sequence, supervised, vae
from jaxdl.transforms import (
    average_shards,
    ema,
    many_steps,
    over_devices,
    over_devices_pmap,
    over_seeds,
    over_settings,
    resident,
    up_to_steps,
)

KEY, SGD = jax.random.key(0), optax.sgd(0.1)
NAN, INF = float("nan"), float("inf")
BATCH = {"input": np.zeros((4, 3), np.float32), "target": np.arange(4) % 2}
LINEAR = models.MLP((), outputs=2)


def classifier(**changed):
    """Begin with a batch in which some arrays are not as they should be."""
    batch = BATCH | changed
    return lambda: supervised.learner(LINEAR, SGD).init(KEY, batch)


def bernoulli(x):
    net = models.VAE((3,), latent=1, widths=(2,), likelihood="bernoulli")
    return lambda: vae.learner(net, SGD).init(KEY, {"input": np.full((2, 3), x, np.float32)})


def reader(**batch):
    net = models.RecurrentNet(features=2, outputs=5, vocabulary=5, embedding=2)
    batch = {"input": np.zeros((2, 4), np.int32), "target": np.zeros((2, 4), np.int32)} | batch
    return lambda: sequence.learner(net, SGD).init(KEY, batch)


PLAYERS = models.Generator((2,), channels=1), models.Discriminator((2,)), SGD, SGD
VAE, ENCODER = models.VAE((3,)), models.Autoencoder((3,))
token = partial(sequence.sample(models.RecurrentNet(vocabulary=5), 3), None, KEY)


def token_of(prompt):
    net = models.RecurrentNet(features=2, outputs=5, vocabulary=5, embedding=2)
    batch = {"input": np.zeros((2, 4), np.int32), "target": np.zeros((2, 4), np.int32)}
    return sequence.sample(net, 3)(sequence.learner(net, SGD).init(KEY, batch), KEY, jnp.array(prompt))


def chunk(count, batches):
    learner = up_to_steps(supervised.learner(LINEAR, SGD), 3)
    stack = {name: np.stack([x] * batches) for name, x in BATCH.items()}
    return lambda: learner.step(learner.init(KEY, (count, stack)), (count, stack))


def agent(capacity=1024, **options):
    return lambda: dqn.agent(models.QNetwork(2), SGD, envs.uniform(capacity), **options)


LEARNERS = {
    "label beyond the outputs": (classifier(target=np.array([0, 1, 2, 0])), "target",
        ["'2 in row 2'", "0..1"]),
    "label -1": (classifier(target=np.array([0, -1, 1, 0])), "target",
        ["'-1 in row 1'", "number of classes"]),
    "float labels": (classifier(target=np.zeros(4)), "target", ["float64", "integer labels"]),
    "column of labels": (classifier(target=np.zeros((4, 1), int)), "target", ["(4, 1)", "(4,)", "squeeze"]),
    "one-hot labels": (classifier(target=np.eye(4)[:, :2]), "target", ["(4, 2)", "argmax"]),
    "lasso below 0": (lambda: supervised.learner(LINEAR, SGD, l1=-1), "l1", ["-1", ">= 0", "switches"]),
    "endless ridge": (lambda: supervised.learner(LINEAR, SGD, l2=INF), "l2", ["inf", ">= 0"]),
    "penalty of a word": (lambda: supervised.learner(LINEAR, SGD, l2="0.1"), "l2", ["'0.1'", "a number"]),
    "learning rate as optimizer": (lambda: supervised.learner(LINEAR, 0.1).init(KEY, BATCH), "optimizer",
        ["0.1", "optax.adam"]),
    "loss of a batch": (lambda: losses.cross_entropy(jnp.zeros((4, 2)), 1), "logits", ["(4, 2)", "jax.vmap"]),
    "accuracy of a batch": (lambda: jax.jit(metrics.accuracy)(jnp.eye(3), jnp.arange(3)), "logits, label",
        ["[[3, 3], [3]]", "jax.vmap"]),
    "confusion of a batch": (lambda: jax.jit(metrics.confusion)(jnp.eye(3), 1), "logits, label",
        ["[[3, 3], []]", "jax.vmap"]),
    "target beyond the outputs": (reader(target=np.full((2, 4), 5)), "target", ["5 in row 0", "0..4"]),
    "a target for each row only": (reader(target=np.zeros(2, int)), "target", ["(2,)", "(2, 4)"]),
    "unknown token in a prompt": (lambda: token_of([[7]]), "input", ["7 in row 0", "tokens in 0..4"]),
    "average of no net": (lambda: ema(supervised.learner(LINEAR, SGD), 0.9, "nett").init(KEY, BATCH), "field",
        ["did you mean 'net'?"]),
    "more steps than a chunk has": (chunk(4, 3), "count", ["4", "0..3"]),
    "fewer batches than a chunk has": (chunk(2, 2), "batch", ["(2,)", "3 stacked batches"]),
    "smoothing below 0": (lambda: losses.cross_entropy(jnp.zeros(2), 1, -0.1), "label_smoothing", ["-0.1"]),
    "pixels of 0..255 for a VAE": (bernoulli(255), "input",
        ["255.0 in row 0", "0..1", "likelihood='gaussian'"]),
    "pixels below 0 for a VAE": (bernoulli(-0.5), "input", ["-0.5 in row 0", "bernoulli"]),
    "unknown objective": (lambda: vae.learner(VAE, SGD, objective="iwea"), "objective", ["mean 'iwae'?"]),
    "VAE with 1.5 samples": (lambda: vae.learner(VAE, SGD, samples=1.5), "samples", ["1.5", "an integer"]),
    "VAE with beta NaN": (lambda: vae.learner(VAE, SGD, beta=NAN), "beta", ["nan", ">= 0"]),
    "VAE with free bits below 0": (lambda: vae.learner(VAE, SGD, free_bits=-1), "free_bits", ["-1", ">= 0"]),
    "beta of an IWAE": (lambda: vae.learner(VAE, SGD, objective="iwae", beta=2), "beta",
        ["(2, 0.0)", "ELBO"]),
    "likelihood from 0 samples": (lambda: vae.evaluate(VAE, 0), "samples", ["0", ">= 1"]),
    "likelihood in chunks of 0": (lambda: vae.evaluate(VAE, 4, chunk=0), "chunk", ["0", ">= 1"]),
    "noise below 0": (lambda: autoencoder.learner(ENCODER, SGD, noise=-0.1), "noise", ["-0.1", ">= 0"]),
    "endless sparsity": (lambda: autoencoder.learner(ENCODER, SGD, sparsity=INF), "sparsity", ["inf"]),
    "evaluation with noise NaN": (lambda: autoencoder.evaluate(ENCODER, NAN), "noise", ["nan", ">= 0"]),
    "unknown game": (lambda: gan.learner(*PLAYERS, loss="minmax"), "loss", ["did you mean 'minimax'?"]),
    "GAN without noise": (lambda: gan.learner(*PLAYERS, latents=0), "latents", ["0", ">= 1"]),
    "half a step of the discriminator": (lambda: gan.learner(*PLAYERS, discriminator_steps=0.5),
        "discriminator_steps", ["0.5", "an integer"]),
    "token beyond the vocabulary": (reader(input=np.array([[0, 1, 2, 3], [0, 5, 0, 0]])), "input",
        ["5 in row 1", "0..4", "vocabulary"]),
    "row of length 0": (reader(length=np.array([4, 0])), "length", ["0 in row 1", "1..4"]),
    "row longer than it is": (reader(length=np.array([5, 1])), "length", ["5 in row 0", "1..4"]),
    "text of 0 characters": (lambda: sequence.sample(models.RecurrentNet(), 0), "length", ["0", ">= 1"]),
    "temperature of 0": (lambda: token(np.zeros((1, 1), int), 0.0), "temperature", ["0.0", "> 0"]),
    "empty prompt": (lambda: token(np.zeros((1, 0), int)), "prompt", ["(1, 0)", "one token"]),
    "table for half a state": (lambda: q_table.learner(gridworld.environment(one_hot=False), 0.5), "states",
        ["0.5", "count those"]),
    "table of observations": (lambda: q_table.learner(catch.environment(), 9), "observation",
        ["one_hot=False"]),
    "unknown loss": (agent(loss="hubre"), "loss", ["did you mean 'huber'?"]),
    "gamma above 1": (agent(discount=1.1), "discount", ["1.1", "[0, 1]"]),
    "epsilon NaN": (agent(exploration=NAN), "exploration", ["nan", "[0, 1]"]),
    "tau below 0": (agent(tau=-0.1), "tau", ["-0.1", "[0, 1]"]),
    "no updates": (agent(updates=0), "updates", ["0", ">= 1"]),
    "returns of half a step": (agent(n_step=0.5), "n_step", ["0.5", "an integer"]),
    "warm-up below 0": (agent(warmup=-1), "warmup", ["-1", ">= 0"]),
    "buffer smaller than a batch": (agent(256, batch_size=512), "batch_size", ["512", "256", "enlarge"]),
    "buffer shorter than a return": (agent(n_step=5000), "n_step", ["5000", "at most 64", "enlarge"]),
    "buffer that does not fit": (agent(1000), "capacity", ["1000", "a multiple of 128"]),
    "endless support": (agent(support=(0.0, INF)), "support", ["(0.0, inf)", "lowest return first"]),
    "falling support": (agent(support=(1.0, 0.0)), "support", ["(1.0, 0.0)", "returns that are possible"]),
}  # fmt: skip


def nothing(key, batch):
    return key


BARE = Learner(nothing, lambda state, batch: (state, {}))
DATA = Learner(nothing, lambda state, batch: (state, {}), resident=True)
MESH = jax.make_mesh((8,), ("data",), axis_types=(jax.sharding.AxisType.Auto,))


def make(l2):
    return supervised.learner(LINEAR, SGD, l2=l2)


TRANSFORMS = {
    "batches of 0 rows": (lambda: resident(BARE, 0, order.rows), "batch_size", ["0", ">= 1"]),
    "batch beyond the data": (lambda: resident(BARE, 5, order.rows).init(KEY, BATCH), "batch_size",
        ["5", "1..4"]),
    "fewer labels than images": (lambda: resident(BARE, 2, order.rows).init(KEY, {"x": np.zeros(4),
        "y": np.zeros(3)}),
        "data", ["[(3,), (4,)]", "one and the same length"]),
    "scan over 0 batches": (lambda: many_steps(BARE, 0), "length", ["0", ">= 1"]),
    "scan over other batches": (lambda: many_steps(BARE, 2).step(KEY, BATCH), "batch",
        ["[(4,)]", "2 stacked"]),
    "up to 0 steps": (lambda: up_to_steps(DATA, 0), "length", ["0", ">= 1"]),
    "no seeds": (lambda: over_seeds(BARE, 0), "seeds", ["0", ">= 1", "a single run"]),
    "seeds of a word": (lambda: over_seeds(BARE, "5"), "seeds", ["'5'", "an integer"]),
    "unknown loop": (lambda: over_seeds(BARE, 2, "vmpa"), "loop", ["'vmpa'", "did you mean 'vmap'?"]),
    "keys of other seeds": (lambda: over_seeds(BARE, 2).init(jax.random.split(KEY, 3), None), "key",
        ["(3,)"]),
    "settings of two lengths": (lambda: over_settings(make, {"l2": [1.0], "l1": [0.0, 1.0]}), "settings",
        ["2"]),
    "no settings": (lambda: over_settings(make, {}), "settings", ["{}", "one length"]),
    "bad setting": (lambda: over_settings(make, {"l2": [0.1, NAN]}), "l2", ["nan", ">= 0"]),
    "average of everything": (lambda: ema(BARE, 1.0), "decay", ["1.0", "[0, 1)", "0.999"]),
    "average NaN": (lambda: ema(BARE, NAN), "decay", ["nan", "[0, 1)"]),
    "unknown axis of the mesh": (lambda: over_devices(BARE, MESH, batch=P("date")), "batch",
        ["date", "'data'"]),
    "rows that 8 devices cannot share": (lambda: over_devices_pmap(BARE).step(KEY, BATCH), "batch",
        ["(4, 3)", "8 devices", "pad or drop"]),
    "no shards": (lambda: average_shards(0, "data"), "shards", ["0", ">= 1"]),
}  # fmt: skip

UNIFORM = envs.uniform(4)
ROWS, NO = jnp.ones((3, 1)), jnp.zeros((3, 1), bool)


def table(**changed):
    good = {"probability": np.ones((1, 2, 1)), "reward": np.zeros((1, 2, 1)), "terminal": np.zeros(1, bool),
            "start": np.ones(1), "observations": np.zeros((1, 3))}  # fmt: skip
    return lambda: tables.environment(tables.Table(**(good | changed)))


ENVS = {
    "unknown environment": (lambda: envs.make("Cartpole-v1"), "env", ["did you mean 'CartPole-v1'?"]),
    "time limit of 0": (lambda: envs.cartpole.environment(0), "time_limit", ["0", ">= 1", "None"]),
    "time limit of 2.5": (lambda: envs.acrobot.environment(2.5), "time_limit", ["2.5", "an integer"]),
    "sticky by 1.5": (lambda: envs.sticky_actions(catch.environment(), 1.5), "sticky", ["1.5", "[0, 1]"]),
    "no fields to catch in": (lambda: catch.environment(rows=1), "rows", ["1", ">= 2"]),
    "slippery by NaN": (lambda: chain.environment(slip=NAN), "slip", ["nan", "[0, 1]"]),
    "chain of one state": (lambda: chain.environment(states=1), "states", ["1", ">= 2"]),
    "map without a goal": (lambda: gridworld.environment(["S.."]), "grid", ["S..", "goal", "write G"]),
    "uneven map": (lambda: gridworld.environment(["S.", "G"]), "grid", ["equal length", "fill"]),
    "unknown cell of a map": (lambda: gridworld.environment(["SxG"]), "grid", ["SxG", ". # G P S"]),
    "probabilities beyond 1": (table(probability=np.full((1, 2, 1), 1.5)), "probability",
        ["1.5", "the sum 1"]),
    "start from nowhere": (table(start=np.zeros(1)), "start", ["0.0", "the sum 1"]),
    "rewards of another shape": (table(reward=np.zeros((1, 1))), "reward", ["(1, 1)", "(1, 2, 1)"]),
    "value with discount 1.5": (lambda: tables.optimal_q(chain.environment().params, 1.5), "discount",
        ["1.5"]),
    "no episodes": (lambda: envs.episode_returns(catch.environment(), None, KEY, 0), "episodes",
        ["0", ">= 1"]),
    "buffer without rows": (lambda: envs.uniform(0), "capacity", ["0", "1..2**31-1"]),
    "prioritized by 2": (lambda: envs.prioritized(4, exponent=2), "exponent", ["2", "[0, 1]"]),
    "priorities of 0": (lambda: envs.prioritized(4, epsilon=0), "epsilon", ["0", "> 0"]),
    "draw from an empty buffer": (lambda: UNIFORM.sample(UNIFORM.init(jnp.float32(0)), KEY, 2), "rows filled",
        ["0", ">= 1", "before you sample"]),
    "draw of 0 rows": (lambda: UNIFORM.sample(UNIFORM.init(jnp.float32(0)), KEY, 0), "batch_size",
        ["0", ">= 1"]),
    "rows that do not divide": (lambda: UNIFORM.add(UNIFORM.init(jnp.float32(0)), jnp.zeros(3)),
        "rows to add",
        ["3", "divisor of the capacity 4"]),
    "rows of another shape": (lambda: UNIFORM.add(UNIFORM.init(jnp.float32(0)), jnp.zeros((2, 2))),
        "rows to add",
        ["like the row of `init`"]),
    "returns of too many steps": (lambda: n_step(ROWS, NO, NO, 4, 0.5), "n_step", ["4", "1..3"]),
    "returns of uneven arrays": (lambda: n_step(ROWS, NO[:2], NO, 1, 0.5), "shapes",
        ["(2, 1)", "missing axis"]),
}  # fmt: skip

CASES = {**LEARNERS, **TRANSFORMS, **ENVS}


@pytest.mark.parametrize("case", CASES)
def test_bad_parts_are_refused(case, refused):
    call, field, words = CASES[case]
    refused(lambda folder: call(), field, words)


def test_a_batch_that_the_discriminator_cannot_deal_out_is_refused(refused):
    game = gan.learner(*PLAYERS, latents=3, discriminator_steps=3)
    images = jnp.zeros((4, 8, 8, 1))

    def step(folder):
        jax.eval_shape(lambda: game.step(game.init(KEY, {"input": images}), {"input": images}))

    refused(step, "batch", ["4", "a multiple of 3 rows"])


def test_gymnasium_spaces_without_a_choice_of_actions_are_refused(refused):
    gymnasium = pytest.importorskip("gymnasium")

    class Steering(gymnasium.Env):
        action_space = gymnasium.spaces.Box(-1, 1, (1,))
        observation_space = gymnasium.spaces.Box(-1, 1, (2,))

    class Seeing(Steering):
        action_space = gymnasium.spaces.Discrete(2)
        observation_space = gymnasium.spaces.Dict({"x": gymnasium.spaces.Box(-1, 1, (2,))})

    refused(
        lambda folder: envs.gymnasium.spec(Steering()), "action space", ["Box", "Discrete", "TransformAction"]
    )
    refused(
        lambda folder: envs.gymnasium.spec(Seeing()), "observation space", ["one Box", "FlattenObservation"]
    )


def test_what_is_not_known_yet_passes():
    """Under `jax.jit` nothing is looked at: the checks cost nothing there."""
    learner = supervised.learner(LINEAR, SGD)
    state = jax.eval_shape(learner.init, KEY, BATCH | {"target": np.full(4, 9)})
    assert state.step.shape == ()
    jax.eval_shape(lambda l2: supervised.learner(LINEAR, SGD, l2=l2).init(KEY, BATCH).step, -1.0)
    assert jax.eval_shape(losses.cross_entropy, jnp.zeros(3), jnp.int32(7)).shape == ()
