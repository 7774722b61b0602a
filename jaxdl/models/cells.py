"""Recurrent cells and their loop over time (003:1009-1069): simple RNN, LSTM and GRU.

Three things make the loop fast on a CPU: the gates share one matrix product per step; what the
inputs add to the gates comes in computed for all steps at once; and the gradient of the recurrent
kernel is one matrix product after the loop instead of one per step. The last is a rule of our own
for reverse mode, so forward mode (`jax.jvp`) needs the plain form, which is differentiated by JAX.
"""

from collections.abc import Callable
from functools import partial
from typing import NamedTuple

import jax
import jax.numpy as jnp

Carry = tuple[jax.Array, ...]  # (h,) or (h, c), each [batch, features]
Gates = Callable[[jax.Array, jax.Array, Carry], Carry]  # (from the input, from h, carry) -> carry


def rnn_step(x: jax.Array, hidden: jax.Array, carry: Carry) -> Carry:
    """h' = tanh(W x + U h + b), the network of Elman (1990); 003:1009-1026.

    Args:
      x: [batch, features], W x + b.
      hidden: [batch, features], U h.
      carry: (h,), each [batch, features].
    """
    return (jnp.tanh(x + hidden),)


def lstm_step(x: jax.Array, hidden: jax.Array, carry: Carry) -> Carry:
    """A step of the LSTM (Hochreiter and Schmidhuber, 1997; the forget gate: Gers et al., 2000).

    The slide (003:1054-1069) prints f = sigma(W_f [h, x] + b_f), i = sigma(W_i [h, x] + b_i),
    C~ = tanh(W_C [h, x] + b_C) and C' = f C + i C~, and stops under the heading "produce the
    output". What it leaves out is o = sigma(W_o [h, x] + b_o) and h' = o tanh(C').

    Args:
      x: [batch, 4 * features], what the input adds to the gates i, f, C~, o, with the bias.
      hidden: [batch, 4 * features], what h adds.
      carry: (h, C), each [batch, features].
    """
    net = x + hidden
    features = net.shape[-1] // 4
    # One sigmoid for all gates, since tanh(u) = 2 sigma(2 u) - 1.
    stretch = jnp.repeat(jnp.array([1, 1, 2, 1], net.dtype), features)
    i, f, candidate, o = jnp.split(jax.nn.sigmoid(net * stretch[None]), 4, axis=-1)
    cell = f * carry[1] + i * (2 * candidate - 1)
    return o * jnp.tanh(cell), cell


def gru_step(x: jax.Array, hidden: jax.Array, carry: Carry) -> Carry:
    """A step of the GRU (Cho et al., 2014), reset after the matrix product as in cuDNN and PyTorch.

    r, z = sigma(x + hidden), n = tanh(x + r hidden), h' = (1 - z) n + z h.

    Args:
      x: [batch, 3 * features], what the input adds to r, z, n, with the bias.
      hidden: [batch, 3 * features], what h adds, with the bias of its part of n.
      carry: (h,), [batch, features].
    """
    features = x.shape[-1] // 3
    r, z = jnp.split(jax.nn.sigmoid(x[:, : 2 * features] + hidden[:, : 2 * features]), 2, axis=-1)
    new = jnp.tanh(x[:, 2 * features :] + r * hidden[:, 2 * features :])
    return ((1 - z) * new + z * carry[0],)


class Cell(NamedTuple):
    """What distinguishes one recurrent network from another."""

    step: Gates
    gates: int  # vectors of `features` numbers in x and in hidden
    states: int  # arrays in the carry
    additive: bool  # x and hidden enter only as their sum


CELLS = {
    "rnn": Cell(rnn_step, 1, 1, True),
    "lstm": Cell(lstm_step, 4, 2, True),
    "gru": Cell(gru_step, 3, 1, False),
}


def plain_unroll(
    cell: Cell,
    reverse: bool,
    x: jax.Array,
    kernel: jax.Array,
    bias: jax.Array | None,
    carry: Carry,
    mask: jax.Array | None,
) -> tuple[jax.Array, Carry]:
    """Run a cell over time; `unroll` is the same with a faster gradient.

    Args:
      cell: one of `CELLS`.
      reverse: from the last step to the first.
      x: [time, batch, gates * features], what the inputs add.
      kernel: [features, gates * features], turns h into what it adds.
      bias: [gates * features], added to it, or None.
      carry: before the first step.
      mask: bool [time, batch, 1], False where the carry is to stay as it is; None: nowhere.

    Returns:
      h after every step, [time, batch, features], and the last carry.
    """
    (states, _), carry = _forward(cell, reverse, x, kernel, bias, carry, mask)
    return states[0], carry


def _advance(cell: Cell, mask: jax.Array | None, x: jax.Array, hidden: jax.Array, carry: Carry) -> Carry:
    new = cell.step(x, hidden, carry)
    if mask is None:
        return new
    return tuple(jnp.where(mask, after, before) for after, before in zip(new, carry, strict=True))


def _forward(cell, reverse, x, kernel, bias, carry, mask):
    def step(carry, inputs):
        hidden = carry[0] @ kernel
        hidden = hidden if bias is None else hidden + bias[None]
        carry = _advance(cell, inputs[1], inputs[0], hidden, carry)
        return carry, (carry, hidden)

    carry, outputs = jax.lax.scan(step, carry, (x, mask), reverse=reverse)
    return outputs, carry


def _unroll_forward(cell, reverse, x, kernel, bias, carry, mask):
    (states, hidden), last = _forward(cell, reverse, x, kernel, bias, carry, mask)
    return (states[0], last), (x, kernel, bias, carry, mask, states, hidden)


def _unroll_backward(cell, reverse, saved, gradients):
    x, kernel, bias, carry, mask, states, hidden = saved
    before = tuple(_shifted(first, rest, reverse) for first, rest in zip(carry, states, strict=True))

    def step(d_carry, inputs):
        x, mask, hidden, carry, d_output = inputs
        _, pull = jax.vjp(partial(_advance, cell, mask), x, hidden, carry)
        d_x, d_hidden, d_before = pull((d_carry[0] + d_output, *d_carry[1:]))
        d_before = (d_before[0] + d_hidden @ kernel.T, *d_before[1:])
        return d_before, (None if cell.additive else d_x, d_hidden)

    inputs = (x, mask, hidden, before, gradients[0])
    d_carry, (d_x, d_hidden) = jax.lax.scan(step, gradients[1], inputs, reverse=not reverse)
    d_kernel = jnp.einsum("tbi,tbo->io", before[0], d_hidden)
    d_bias = None if bias is None else d_hidden.sum((0, 1))
    return d_hidden if cell.additive else d_x, d_kernel, d_bias, d_carry, None


def _shifted(first: jax.Array, rest: jax.Array, reverse: bool) -> jax.Array:
    """The state before each step, from the one before all and those after each."""
    if reverse:
        return jnp.concatenate([rest[1:], first[None]])
    return jnp.concatenate([first[None], rest[:-1]])


unroll = jax.custom_vjp(plain_unroll, nondiff_argnums=(0, 1))
unroll.defvjp(_unroll_forward, _unroll_backward)
