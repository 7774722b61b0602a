"""Which rows make up which batch: an epoch's random order without storing or shuffling anything.

`rows` answers "which rows are batch number `step`?" from a key alone, at a cost that depends on
the batch and not on the data set. So there is no iterator to save: a run that is resumed at a
step draws the batches that it would have drawn, on the host, on a device or inside a scan.

The order of an epoch is a keyed bijection of 0..n-1: a generalised Feistel network on the grid
Z_a x Z_b with a * b >= n, and cycle walking, which applies the network again to whatever fell
on n..a*b-1 (Black and Rogaway, "Ciphers with arbitrary finite domains", 2002). Sides of about
sqrt(n) keep the walks rare: at most about one row in sqrt(n) takes a second turn.
Every row once per epoch is what the slides call an epoch (001:566: batches of 10).
"""

import math

import jax
import jax.numpy as jnp
from jax import lax
from jax.core import Tracer

from jaxdl.errors import require, require_number

# With 8 rounds the six orders of three rows are equally likely to within 1 %; 4 rounds: 7 %.
ROUNDS = 8


def rows(key: jax.Array, step: jax.Array | int, n: int, batch_size: int) -> jax.Array:
    """Rows of batch `step` of an endless stream over a data set of `n` rows.

    The stream is epoch after epoch; each visits every row exactly once, in an order that depends
    on `jax.random.fold_in(key, epoch)` only. Nothing is dropped: where `batch_size` does not
    divide `n`, a batch ends one epoch and begins the next. Pure: may be jitted, vmapped and
    scanned over `key` and `step`.

    Args:
        key: typed key [], the run's key of the order stream.
        step: number of the batch, int32 [] >= 0.
        n: rows in the data set, 1..2**31-1 (a Python int: the loop depends on it).
        batch_size: rows per batch, 1..n, with n * batch_size < 2**32.

    Returns:
        int32 [batch_size], each in 0..n-1.

    Raises:
        InputError: if `n`, `batch_size` or a concrete `step` is out of range.

    >>> import jax
    >>> key = jax.random.key(0)
    >>> epoch = [int(row) for step in range(3) for row in rows(key, step, n=6, batch_size=2)]
    >>> sorted(epoch)
    [0, 1, 2, 3, 4, 5]
    """
    require_number("n", n, 1, 2**31 - 1, whole=True, remedy="give the rows of the data set")
    remedy = f"there are {n} rows: use a smaller batch or more data"
    require_number("batch_size", batch_size, 1, n, whole=True, remedy=remedy)
    require(
        n * batch_size < 2**32,
        "batch_size",
        batch_size,
        f"at most {(2**32 - 1) // n} for {n} rows, for positions are counted in 32 bits",
        "use a smaller batch",
    )
    if not isinstance(step, Tracer):
        require(int(step) >= 0, "step", int(step), "a number >= 0", "count batches from 0")

    # Position step * batch_size + i would overflow in a long run, but n steps are exactly
    # batch_size epochs, so only the rest of step / n is multiplied out.
    step = jnp.asarray(step).astype(jnp.uint32)
    place = step % n * batch_size + jnp.arange(batch_size, dtype=jnp.uint32)
    epochs = step // n * batch_size + place // n
    first = epochs[0]
    # A batch of at most n rows meets at most two epochs: two sets of round keys serve all of it.
    round_keys = jax.vmap(lambda epoch: _round_keys(key, epoch))(jnp.stack([first, first + 1]))
    return _bijection(round_keys[epochs - first], place % n, n).astype(jnp.int32)


def _round_keys(key: jax.Array, epoch: jax.Array) -> jax.Array:
    """Round keys of one epoch, uint32 [ROUNDS]."""
    return jax.random.bits(jax.random.fold_in(key, epoch), (ROUNDS,), jnp.uint32)


def _bijection(round_keys: jax.Array, x: jax.Array, n: int) -> jax.Array:
    """Image of each `x` in 0..n-1 under the bijection of its round keys.

    Args:
        round_keys: uint32 [batch, ROUNDS].
        x: uint32 [batch].
        n: size of the domain.

    Returns:
        uint32 [batch] in 0..n-1.
    """
    a = math.isqrt(n - 1) + 1  # the root of n, rounded up
    b = -(-n // a)

    def network(x: jax.Array) -> jax.Array:
        left, right = x // b, x % b
        for i in range(ROUNDS):
            if i % 2 == 0:
                left = (left + _mix(right, round_keys[:, i]) % a) % a
            else:
                right = (right + _mix(left, round_keys[:, i]) % b) % b
        return left * b + right

    def walk(carry: tuple[jax.Array, jax.Array]) -> tuple[jax.Array, jax.Array]:
        x, outside = carry
        x = jnp.where(outside, network(x), x)
        return x, x >= n

    everything = jnp.ones(x.shape, bool)  # takes the first turn
    return lax.while_loop(lambda carry: jnp.any(carry[1]), walk, (x, everything))[0]


def _mix(x: jax.Array, round_key: jax.Array) -> jax.Array:
    """Hash of `x` under a round key, uint32: every bit of both changes about half of the output.

    Two multiply-and-shift passes with the constants of MurmurHash3's finalizer (Appleby, 2011).
    The key enters before and between them, or neighbouring `x` would stay related.
    """
    x = (x ^ round_key) * jnp.uint32(0x85EBCA6B)
    x = (x ^ (x >> 13)) + (round_key << 16 | round_key >> 16)
    x = (x ^ (x >> 16)) * jnp.uint32(0xC2B2AE35)
    return x ^ (x >> 16)
