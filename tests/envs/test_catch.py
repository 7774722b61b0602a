import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxdl.envs import catch
from jaxdl.errors import InputError


@pytest.fixture(scope="module")
def play():
    """(keys, whether to follow the ball) -> observations and what the steps return, [episodes, steps]."""
    env = catch.environment(image=True)

    def episode(key, follow):
        first, state = env.reset(key, env.params)

        def move(state, _):
            side = jnp.sign(state.column - state.paddle)
            # Away from the ball; where it is right above, to any side.
            away = jnp.where(side == 0, 1, -side)
            action = jnp.where(follow, side, away) + 1
            seen, state, *rest = env.step(key, state, action, env.params)
            return state, (seen, state, *rest)

        return first, jax.lax.scan(move, state, length=9)[1]

    return jax.jit(jax.vmap(episode, in_axes=(0, None)))


@pytest.mark.parametrize(("follow", "expected"), [(True, 1), (False, -1)])
def test_rewards(play, follow, expected):
    _, (_, _, reward, terminated, truncated) = play(jax.random.split(jax.random.key(0), 64), follow)
    np.testing.assert_array_equal(reward[:, -1], expected)
    np.testing.assert_array_equal(reward[:, :-1], 0)
    np.testing.assert_array_equal(terminated, [[False] * 8 + [True]] * 64)
    assert not truncated.any()


def test_observations(play):
    first, (seen, state, *_) = play(jax.random.split(jax.random.key(0), 64), True)
    assert set(np.argwhere(first)[:, 2].tolist()) == set(range(5))  # the ball starts in any column
    np.testing.assert_array_equal(first[:, 9, 2, 0], 1)
    np.testing.assert_array_equal(first.sum(axis=(1, 2, 3)), 2)
    for episode in range(4):
        for step in range(9):
            board = np.zeros((10, 5, 1))
            board[state.row[episode, step], state.column[episode, step]] = 1
            board[9, state.paddle[episode, step]] = 1
            np.testing.assert_array_equal(seen[episode, step], board)


def test_flat_board_and_edges():
    image, flat = catch.environment(image=True), catch.environment()
    key = jax.random.key(1)
    seen, state = flat.reset(key, flat.params)
    np.testing.assert_array_equal(seen, image.reset(key, image.params)[0].ravel())
    for _ in range(4):
        _, state, *_ = flat.step(key, state, jnp.int32(0), flat.params)
    assert state.paddle == 0


def test_time_limit_may_meet_the_end():
    env = catch.environment(rows=3, time_limit=2)
    _, state = env.reset(jax.random.key(0), env.params)
    for over in (False, True):
        _, state, _, terminated, truncated = env.step(jax.random.key(0), state, jnp.int32(1), env.params)
        assert (bool(terminated), bool(truncated)) == (over, over)


def test_bad_boards_are_refused():
    with pytest.raises(InputError, match="rows"):
        catch.environment(rows=1)
    with pytest.raises(InputError, match="columns"):
        catch.environment(columns=0)
