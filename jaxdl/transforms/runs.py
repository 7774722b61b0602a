"""Independent runs in one program: over seeds, and over settings of the hyper-parameters."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Literal

import jax
import jax.numpy as jnp

from jaxdl.errors import require, require_choice, require_number
from jaxdl.learner import Batch, Key, Learner, Metrics, State, lift

Loop = Literal["auto", "vmap", "map"]


def over_seeds(learner: Learner, n: int, loop: Loop = "auto") -> Learner:
    """n independent runs of one learner on the same batches; states and metrics are stacked, [n, ...].

    Args:
      learner: any.
      n: runs.
      loop: "vmap" computes the runs side by side, "map" one after the other in one program.
        "auto" takes "map" on a CPU, where a `vmap` over convolutions is up to ten times slower
        per seed and wide layers fill the cores alone, and "vmap" elsewhere.

    `init` takes one key, from which n are derived, or an array of n keys.

    Raises:
      InputError: n < 1, an unknown loop, or another number of keys.
    """
    each = _loop(loop)
    require_number("seeds", n, 1, whole=True, remedy="1 is a single run")

    def init(key: Key, batch: Batch) -> State:
        keys = key if key.shape else jax.vmap(jax.random.fold_in, (None, 0))(key, jnp.arange(n))
        require(keys.shape == (n,), "key", keys.shape, f"one key or {n} keys", "see over_seeds")
        return each(lambda key: learner.init(key, batch), keys)

    inspect = lift(learner, lambda look: each_seed(look, loop))
    return Learner(init, each_seed(learner.step, loop), inspect, learner.resident)


def over_settings(
    make: Callable[..., Learner], settings: Mapping[str, Sequence[float]], loop: Loop = "auto"
) -> Learner:
    """One run per setting of the hyper-parameters, all with the same key: a sweep in one program.

    Args:
      make: keyword arguments -> learner, for example
        `lambda learning_rate: supervised.learner(model, optax.adam(learning_rate))`.
      settings: values [n] by the names of `make`'s arguments.
      loop: see `over_seeds`.

    Raises:
      InputError: settings of different lengths, or a value that `make` itself refuses: it is
        called once per setting with plain numbers, since it cannot check traced ones.
    """
    each = _loop(loop)
    lengths = {name: len(values) for name, values in settings.items()}
    n = max(lengths.values(), default=0)
    require(
        n > 0 and set(lengths.values()) == {n},
        "settings",
        lengths,
        "values of one length",
        "see over_settings",
    )
    made = [make(**{name: values[i] for name, values in settings.items()}) for i in range(n)]
    stacked = {name: jnp.asarray(values) for name, values in settings.items()}

    def init(key: Key, batch: Batch) -> State:
        return each(lambda setting: make(**setting).init(key, batch), stacked)

    def step(states: State, batch: Batch) -> tuple[State, Metrics]:
        return each(lambda args: make(**args[0]).step(args[1], batch), (stacked, states))

    def inspect(states: State, batch: Batch) -> Metrics:
        def look(args: tuple[Any, State]) -> Metrics:
            one = make(**args[0]).inspect
            assert one is not None  # a setting does not change what a learner offers
            return one(args[1], batch)

        return each(look, (stacked, states))

    return Learner(init, step, inspect if made[0].inspect else None, made[0].resident)


def each_seed(function: Callable[..., Any], loop: Loop = "auto") -> Callable[..., Any]:
    """function(state, *shared) -> the same over stacked states, (states, *shared) -> stacked results."""
    each = _loop(loop)
    return lambda states, *shared: each(lambda state: function(state, *shared), states)


def _loop(loop: Loop) -> Callable[[Callable, Any], Any]:
    require_choice("loop", loop, ("auto", "vmap", "map"))
    if loop == "auto":
        loop = "map" if jax.default_backend() == "cpu" else "vmap"
    return (lambda f, xs: jax.vmap(f)(xs)) if loop == "vmap" else jax.lax.map
