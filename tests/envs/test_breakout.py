"""Breakout's rules, by single moves worked out by hand and as properties of long games."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxdl import envs
from jaxdl.envs import breakout
from jaxdl.envs.breakout import ACTIONS, BRICK_ROWS, CHANNELS

EPISODES, STEPS = 16, 400
ENV = breakout.environment()
STEP = jax.jit(ENV.step)
KEY = jax.random.key(0)


def play(keys):
    """Games of a player who follows the ball and sometimes errs; [episodes, steps] of everything."""
    move = envs.auto_reset(ENV)

    def game(key):
        first, state = ENV.reset(key, ENV.params)

        def body(state, number):
            draw = jax.random.fold_in(key, number)
            side = jnp.sign(state.column + jnp.where(number % 3 == 0, state.right, 0) - state.paddle)
            best = jnp.where(side == 0, 0, jnp.where(side > 0, 2, 1))
            action = jnp.where(number % 17 == 0, jax.random.randint(draw, (), 0, 3), best)
            before = state
            step, anew = jax.random.split(draw)
            seen, state, reward, terminated, truncated, last = move(
                step, state, action, ENV.params, ENV.reset(anew, ENV.params)
            )
            return state, {
                "before": before,
                "after": state,
                "action": action,
                "seen": seen,
                "reward": reward,
                "terminated": terminated,
                "truncated": truncated,
                "last": last,
            }

        return first, jax.lax.scan(body, state, jnp.arange(STEPS))[1]

    return jax.jit(jax.vmap(game))(keys)


@pytest.fixture(scope="module")
def games():
    first, steps = play(jax.random.split(KEY, EPISODES))
    return jax.tree.map(np.asarray, (first, steps))


def test_rewards_are_bricks_removed(games):
    _, steps = games
    before, after = (steps[when].bricks.sum(axis=(2, 3)) for when in ("before", "after"))
    going_on = ~steps["terminated"] & (after <= before)
    np.testing.assert_array_equal(steps["reward"][going_on], (before - after)[going_on])
    assert steps["reward"].sum() > 100
    assert set(np.unique(steps["reward"])) == {0, 1}


def test_boards_are_whole(games):
    first, steps = games
    for board in (first, steps["seen"], steps["last"]):
        counts = dict(zip(CHANNELS, np.moveaxis(board.sum(axis=(-3, -2)), -1, 0), strict=True))
        assert (counts["ball"] == 1).all()
        assert (counts["trail"] == 1).all()
        assert (counts["paddle"] == 1).all()
        paddle, brick = board[..., CHANNELS.index("paddle")], board[..., CHANNELS.index("brick")]
        assert not paddle[..., :-1, :].any()
        other_rows = [row for row in range(breakout.SIDE) if row not in BRICK_ROWS]
        assert not brick[..., other_rows, :].any()
        assert counts["brick"].max() == 30


def test_ball_is_lost_only_in_the_last_row(games):
    _, steps = games
    last = steps["last"][..., -1, :, CHANNELS.index("ball")].any(axis=-1)
    np.testing.assert_array_equal(last, steps["terminated"])
    assert steps["terminated"].sum() > 5
    assert not steps["truncated"].any()


def test_the_ball_flies_one_cell_a_step(games):
    _, steps = games
    going_on = ~steps["terminated"]
    for axis in ("row", "column"):
        distance = getattr(steps["after"], axis) - getattr(steps["before"], axis)
        assert (np.abs(distance[going_on]) <= 1).all()
    trail = np.stack([steps["before"].row, steps["before"].column], axis=-1)
    np.testing.assert_array_equal(steps["after"].trail[going_on], trail[going_on])


def test_a_key_decides(games):
    first, steps = games
    again = play(jax.random.split(KEY, EPISODES))
    jax.tree.map(np.testing.assert_array_equal, again, (first, steps))
    assert len({board.tobytes() for board in first}) == 2  # from the left or from the right


def at(row, column, down, right, **changes):
    """A state with the ball there, flying that way."""
    _, state = ENV.reset(KEY, ENV.params)
    ball = {"row": row, "column": column, "down": down, "right": right}
    return state.replace(**{name: jnp.int32(value) for name, value in ball.items()}, **changes)


NO_BRICKS = {"bricks": jnp.zeros((3, 10), bool)}
ONE_BRICK = {"bricks": jnp.zeros((3, 10), bool).at[2, 5].set(True)}  # row 3, column 5
AT_THE_EDGE = {"paddle": jnp.int32(9)}
CASES = {
    # name: (row, column, down, right), changes, action -> (the same), paddle, reward, terminated
    "free flight": ((5, 4, 1, 1), {}, "none", (6, 5, 1, 1), 4, 0, False),
    "paddle moves": ((5, 4, 1, -1), {}, "left", (6, 3, 1, -1), 3, 0, False),
    "paddle stays on the board": ((5, 4, 1, 1), AT_THE_EDGE, "right", (6, 5, 1, 1), 9, 0, False),
    "side": ((5, 9, 1, 1), {}, "none", (6, 9, 1, -1), 4, 0, False),
    "top": ((0, 5, -1, 1), NO_BRICKS, "none", (0, 6, 1, 1), 4, 0, False),
    "corner": ((0, 0, -1, -1), NO_BRICKS, "none", (0, 0, 1, 1), 4, 0, False),
    "brick": ((4, 4, -1, 1), {}, "none", (4, 5, 1, 1), 4, 1, False),
    "brick after a brick": ((4, 4, -1, 1), {"inside": jnp.bool(True)}, "none", (3, 5, -1, 1), 4, 0, False),
    "paddle from above": ((8, 4, 1, 1), {}, "none", (8, 5, -1, 1), 4, 0, False),
    "paddle from the side": ((8, 3, 1, 1), {}, "none", (8, 4, -1, -1), 4, 0, False),
    "paddle comes in time": ((8, 3, 1, 1), {}, "left", (8, 4, -1, 1), 3, 0, False),
    "paddle in the corner": ((8, 9, 1, 1), AT_THE_EDGE, "none", (8, 9, -1, -1), 9, 0, False),
    "lost": ((8, 0, 1, 1), {}, "none", (9, 1, 1, 1), 4, 0, True),
}


@pytest.mark.parametrize("name", CASES)
def test_moves_by_hand(name):
    ball, changes, action, expected, paddle, reward, terminated = CASES[name]
    before = at(*ball, **changes)
    _, state, gain, over, _ = STEP(KEY, before, jnp.int32(ACTIONS.index(action)), ENV.params)
    assert (state.row, state.column, state.down, state.right) == expected
    assert (state.paddle, gain, over) == (paddle, reward, terminated)
    assert before.bricks.sum() - state.bricks.sum() == reward
    assert state.inside == ("brick" in name)
    assert state.trail.tolist() == list(ball[:2])


def test_new_bricks_when_the_ball_is_back_below():
    state = at(4, 4, -1, 1, **ONE_BRICK)
    _, state, reward, *_ = STEP(KEY, state, jnp.int32(0), ENV.params)
    assert reward == 1
    assert not state.bricks.any()  # they come back only when the ball has come down
    state = state.replace(row=jnp.int32(8), column=state.paddle)
    _, state, reward, terminated, _ = STEP(KEY, state, jnp.int32(0), ENV.params)
    assert state.bricks.all()
    assert reward == 0
    assert not terminated


def test_time_limit():
    env = breakout.environment(time_limit=2)
    _, state = env.reset(KEY, env.params)
    for expected in (False, True):
        _, state, _, terminated, truncated = STEP(KEY, state, jnp.int32(0), env.params)
        assert (bool(terminated), bool(truncated)) == (False, expected)


def test_the_registered_game_is_sticky():
    env = envs.make("Breakout")
    keys = jax.random.split(KEY, 2000)
    _, state = env.reset(KEY, env.params)
    step = jax.jit(jax.vmap(env.step, in_axes=(0, None, None, None)))
    _, after, *_ = step(keys, state, jnp.int32(ACTIONS.index("left")), env.params)
    assert abs((after.inner.paddle == 4).mean() - 0.1) < 0.03
