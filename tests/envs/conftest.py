"""What several tests of replay buffers begin with."""

import jax
import jax.numpy as jnp
import pytest


@pytest.fixture(scope="session")
def filled():
    """A function (replay, values) -> a buffer of single numbers."""

    def fill(replay, values):
        state = replay.init(jax.ShapeDtypeStruct((), jnp.float32))
        return replay.add(state, jnp.asarray(values, jnp.float32))

    return fill
