"""Environments outside of JAX: the same agent, driven from the host."""

import dataclasses

import jax
import numpy as np
import optax
import pytest

from jaxdl import envs, models
from jaxdl.errors import InputError
from jaxdl.learners import dqn
from jaxdl.run import Output, load
from jaxdl.run.log import read
from jaxdl.run.play import Copies, play

gymnasium = pytest.importorskip("gymnasium")


def agent(**options):
    sizes = {"environments": 2, "rollout": 4, "updates": 2, "batch_size": 16, "warmup": 16, "n_step": 3}
    network = models.QNetwork(2, (16,))
    return dqn.agent(network, optax.adam(1e-3), envs.uniform(512), **{**sizes, **options})


def cart_pole():
    return gymnasium.make("CartPole-v1")


def filled(played):
    """The rows of the replay buffer that can be drawn."""
    return jax.tree.map(lambda x: np.asarray(x)[: played.state.replay.size], played.state.replay.rows)


def test_learns_from_gymnasium_what_it_sees_there():
    played = play(cart_pole, agent(exploration=1.0), steps=400)
    assert int(played.state.step) == (400 // 2 - 16) // 4  # rounds after the warm-up
    assert len(played.returns) > 4
    rows = filled(played)
    # Three rewards of 1 in a row, or fewer at the end of an episode.
    possible = np.array([0, 1, 1.99, 1 + 0.99 + 0.99**2])
    assert np.abs(np.asarray(rows["return"])[:, None] - possible).min(1).max() < 1e-5
    assert (np.asarray(rows["discount"]) == 0).any()  # a pole fell: nothing to bootstrap from


def test_the_observation_before_a_reset_is_kept():
    copies = Copies([gymnasium.make("CartPole-v1", max_episode_steps=5)], seed=0)
    for step in range(1, 6):
        before = copies.observation
        seen = copies.step(np.array([step % 2]))
        np.testing.assert_array_equal(seen.observation, before)
    assert seen.truncated[0]
    assert not seen.terminated[0]
    assert not np.array_equal(seen.next_observation, copies.observation)  # a new episode has begun
    assert copies.returns == [5.0]


def test_a_saved_agent_goes_on_learning(tmp_path):
    out = Output(tmp_path, progress=False)
    first = play(cart_pole, agent(), steps=200, output=out)
    messages = []
    again = Output(tmp_path, progress=False, resume=True, report=messages.append)
    second = play(cart_pole, agent(), steps=300, output=again)
    assert messages == []
    assert int(second.state.step) > int(first.state.step)
    steps = [row["step"] for row in read(tmp_path / "metrics.jsonl")]
    assert steps == list(range(1, int(second.state.step) + 1))


def test_a_played_network_is_loaded_as_a_trained_one(tmp_path):
    network, parts = models.QNetwork(2, (16,)), agent()
    out = Output(tmp_path, progress=False, config={"experiment": "poles"}, model=network)
    played = play(cart_pole, parts, steps=200, output=out)
    model, variables, config = load(tmp_path)
    seen = played.state.observation
    np.testing.assert_array_equal(
        model.apply(variables, seen), parts.values(played.state.net.params, seen, None)
    )
    assert config["experiment"] == "poles"
    with pytest.raises(InputError, match=r"seed: got 1, expected an integer in 0\.\.0"):
        load(tmp_path, seed=1)


def test_a_folder_keeps_the_agent_that_it_holds(tmp_path):
    out = Output(tmp_path, progress=False, report=lambda message: None)
    play(cart_pole, agent(), steps=200, output=out)
    with pytest.raises(InputError, match=r"out: got .* a folder without checkpoints of another run"):
        play(cart_pole, agent(), steps=200, seed=7, output=out)
    with pytest.raises(InputError, match="seed: got 7, expected 0, which the run began with"):
        play(cart_pole, agent(), steps=300, seed=7, output=dataclasses.replace(out, resume=True))


def test_an_agent_only_grows_and_needs_a_folder(tmp_path):
    play(cart_pole, agent(), steps=200, output=Output(tmp_path / "run", progress=False))
    with pytest.raises(InputError, match="steps: got 100, expected at least the 200 that were done"):
        play(cart_pole, agent(), steps=100, output=Output(tmp_path / "run", resume=True, progress=False))
    (tmp_path / "file").touch()
    with pytest.raises(InputError, match=r"out: got .* a folder that can be made"):
        play(cart_pole, agent(), steps=200, output=Output(tmp_path / "file", progress=False))


def test_a_resumed_agent_never_joins_two_episodes(tmp_path):
    """Each row of the replay buffer begins and ends in the same episode, by the number it observes."""
    for resume, steps in ((False, 200), (True, 400)):
        out = Output(tmp_path, progress=False, resume=resume, report=lambda message: None)
        played = play(Numbered, agent(), steps=steps, output=out)
    rows = filled(played)
    np.testing.assert_array_equal(rows["observation"][:, 0], rows["next_observation"][:, 0])
    assert len(np.unique(rows["observation"][:, 0])) > 10


class Numbered(gymnasium.Env):
    """Observes the number of its episode; each lasts seven steps."""

    observation_space = gymnasium.spaces.Box(-np.inf, np.inf, (2,))
    action_space = gymnasium.spaces.Discrete(2)
    episodes = 0

    def reset(self, seed=None, options=None):
        Numbered.episodes += 1
        self.number, self.time = Numbered.episodes, 0
        return np.float32([self.number, 0]), {}

    def step(self, action):
        self.time += 1
        return np.float32([self.number, self.time]), 1.0, False, self.time == 7, {}


def test_refuses_what_it_cannot_play():
    with pytest.raises(InputError, match="action space"):
        play(lambda: gymnasium.make("Pendulum-v1"), agent(), steps=400)
    three = dqn.agent(models.QNetwork(3), optax.sgd(0.1), envs.uniform(1024), environments=2)
    begun = Numbered.episodes
    with pytest.raises(InputError, match="actions: got 3, expected 2"):
        play(Numbered, three, steps=4000)
    assert Numbered.episodes == begun + 2  # before the warm-up
    with pytest.raises(InputError, match="steps: got 20, expected at least 40"):
        play(cart_pole, agent(), steps=20)


@pytest.mark.parametrize("option", ["plain", "rainbow"])
def test_the_agent_solves_a_short_task_outside(option):
    """Catch as a gymnasium environment: from chance to nearly always."""
    rainbow = {"double": True, "support": (-1.0, 1.0)} if option == "rainbow" else {}
    atoms = 11 if option == "rainbow" else 1
    network = models.QNetwork(3, (32,), dueling=bool(rainbow), atoms=atoms)
    replay = envs.prioritized(2048) if rainbow else envs.uniform(2048)
    schedule = optax.linear_schedule(1.0, 0.02, 4000)
    parts = dqn.agent(
        network, optax.adam(3e-3), replay, environments=8, rollout=4, updates=4, batch_size=32, n_step=3,
        loss="squared", tau=0.05, target_every=1, exploration=schedule, **rainbow,
    )  # fmt: skip
    played = play(lambda: Outside(), parts, steps=9000)
    assert np.mean(played.returns[:100]) < 0
    assert np.mean(played.returns[-100:]) > 0.7


class Outside(gymnasium.Env):
    """Our Catch behind gymnasium's interface."""

    observation_space = gymnasium.spaces.Box(0, 1, (50,))
    action_space = gymnasium.spaces.Discrete(3)
    rules = envs.make("Catch")
    start, move = jax.jit(rules.reset), jax.jit(rules.step)
    made = 0

    def __init__(self):
        Outside.made += 1
        self.key, self.draws = jax.random.key(Outside.made), 0

    def _draw(self):
        self.draws += 1
        return jax.random.fold_in(self.key, self.draws)

    def reset(self, seed=None, options=None):
        observation, self.state = Outside.start(self._draw(), self.rules.params)
        return np.asarray(observation), {}

    def step(self, action):
        after = Outside.move(self._draw(), self.state, np.int32(action), self.rules.params)
        observation, self.state, reward, terminated, truncated = after
        return np.asarray(observation), float(reward), bool(terminated), bool(truncated), {}
