"""The laws, each a function that raises `LawBroken` where a learner does not keep it."""

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax.sharding import AxisType
from jax.sharding import PartitionSpec as P

from jaxdl.learner import Batch, Key, Learner, State, path_name, plain, typed
from jaxdl.transforms import (
    DEVICES,
    average_over,
    many_steps,
    over_devices,
    over_devices_pmap,
    over_seeds,
)

STEPS = 3
Averaged = Callable[[Callable[[Callable], Callable]], Learner]  # average hook -> the same learner


class LawBroken(AssertionError):
    """A learner that does not keep a law; the message names the law and where it broke."""


class Case(NamedTuple):
    """What the laws are tried on."""

    learner: Learner
    batches: list[Batch]  # one per step
    key: Key
    tolerance: float  # relative to the largest value of an array
    averaged: Averaged | None
    init: Callable[[Key, Batch], State]  # compiled once for all laws
    step: Callable[[State, Batch], tuple[State, Any]]

    def run(self, key: Key | None = None, state: State | None = None) -> State:
        """The plain Python loop that every law compares with."""
        if state is None:
            state = self.init(self.key if key is None else key, self.batches[0])
        for batch in self.batches:
            state, _ = self.step(state, batch)
        return state

    def anew(self) -> "Case":
        """With a step that is traced again, where what is hidden in it has another value."""
        return self._replace(step=jax.jit(lambda state, batch: self.learner.step(state, batch)))

    def stacked(self) -> Batch:
        """The batches of all steps as `many_steps` takes them."""
        if self.learner.resident:
            return self.batches[0]
        return jax.tree.map(lambda *rows: jnp.stack(rows), *self.batches)


def keeps_type(case: Case) -> None:
    """A step returns a state of the same structure, shapes and dtypes; its loss is a scalar."""
    state = jax.eval_shape(case.learner.init, case.key, case.batches[0])
    after, metrics = jax.eval_shape(case.learner.step, state, case.batches[0])
    _expect(jax.tree.structure(state) == jax.tree.structure(after), "the structure of the state changes")
    leaves = zip(jax.tree_util.tree_leaves_with_path(state), jax.tree.leaves(after), strict=True)
    for (path, old), new in leaves:
        same = (old.shape, old.dtype) == (new.shape, new.dtype)
        _expect(same, f"{path_name(path)}: {old.dtype}{old.shape} becomes {new.dtype}{new.shape}")
    _expect("loss" in metrics and metrics["loss"].shape == (), "metrics['loss'] is not a scalar")


def counts(case: Case) -> None:
    """A step adds 1 to `step` and leaves `key` alone."""
    before = case.init(case.key, case.batches[0])
    after, _ = case.step(before, case.batches[0])
    _expect(int(before.step) == 0 and int(after.step) == 1, f"step goes {before.step} -> {after.step}")
    _same(before.key, after.key, 0)


def pure(case: Case) -> None:
    """The same state and batch give the same bits whenever the step is traced, and are left as they were."""
    state = case.init(case.key, case.batches[0])
    copy = jax.tree.map(jnp.copy, state)
    _same(case.step(state, case.batches[0]), case.anew().step(state, case.batches[0]), 0)
    _same(state, copy, 0)


def compiles_once(case: Case) -> None:
    """A second step does not compile again (a weak type or a Python number in the state would)."""
    traced = []

    def step(state: State, batch: Batch) -> tuple[State, Any]:
        traced.append(1)  # once per compilation
        return case.learner.step(state, batch)

    state, compiled = case.init(case.key, case.batches[0]), jax.jit(step)
    for batch in case.batches:
        state, _ = compiled(state, batch)
    _expect(len(traced) == 1, f"{len(traced)} compilations")


def seeds_differ(case: Case) -> None:
    """Another key gives other weights."""
    one, other = (_values(case.init(jax.random.key(seed), case.batches[0])) for seed in (1, 2))
    _expect(any((one[path] != other[path]).any() for path in one if path != "key"), "two keys, one result")


def resumes(case: Case) -> None:
    """A state that went through NumPy arrays continues with the same bits, as in another process."""
    state = case.init(case.key, case.batches[0])
    restored = jax.tree.map(lambda x: typed(jnp.asarray(np.asarray(plain(x))), x), state)
    _same(case.run(), case.anew().run(state=restored), 0)


def donates(case: Case) -> None:
    """The state can be donated: no array is in it twice."""
    # Not compiled: a compiled `init` would write every output into an array of its own.
    state = case.learner.init(jax.random.clone(case.key), case.batches[0])
    expected, _ = case.step(state, case.batches[0])
    try:
        donated, _ = jax.jit(case.learner.step, donate_argnums=0)(state, case.batches[0])
    except (ValueError, jax.errors.JaxRuntimeError) as error:  # XLA refuses to donate one array twice
        raise LawBroken(str(error).splitlines()[0]) from None
    _same(expected, donated, case.tolerance)


def many_steps_is_a_loop(case: Case) -> None:
    """`many_steps` equals a Python loop."""
    scanned = many_steps(case.learner, STEPS)
    state, metrics = jax.jit(scanned.step)(scanned.init(case.key, case.stacked()), case.stacked())
    _same(case.run(), state, case.tolerance)
    _expect(metrics["loss"].shape == (STEPS,), "metrics are not stacked by step")


def over_seeds_is_separate_runs(case: Case) -> None:
    """`over_seeds(n)` equals n separate runs, side by side or one after the other."""
    keys = jax.random.split(case.key, 2)
    separate = [case.run(key) for key in keys]
    for loop in ("vmap", "map"):
        states = _run(over_seeds(case.learner, 2, loop), keys, case.batches)
        for seed, expected in enumerate(separate):
            _same(expected, jax.tree.map(lambda x, seed=seed: x[seed], states), case.tolerance)


def seeds_and_steps_commute(case: Case) -> None:
    """Seeds of steps equal steps of seeds."""
    keys = jax.random.split(case.key, 2)
    seeds_of_steps = over_seeds(many_steps(case.learner, STEPS), 2, "map")
    steps_of_seeds = many_steps(over_seeds(case.learner, 2, "map"), STEPS)
    batch = [case.stacked()]
    _same(_run(seeds_of_steps, keys, batch), _run(steps_of_seeds, keys, batch), case.tolerance)


def devices_equal_one(case: Case) -> None:
    """`over_devices` on all devices gives the result of one."""
    learner, sharded, key = _on_devices(case)
    expected = case.run() if learner is case.learner else _run(learner, key, case.batches)
    _same(expected, _run(sharded, key, case.batches), case.tolerance)


def devices_share_the_work(case: Case) -> None:
    """Each of n devices computes at most 1.1/n of the floating-point operations of one."""
    learner, sharded, key = _on_devices(case)
    n, batch = len(jax.devices()), case.batches[0]
    state = learner.init(key, batch)
    if batch is not None:
        # Many rows, so that the optimizer's work, which every device does, is small beside the rows'.
        repeats = max(1, 512 // len(jax.tree.leaves(batch)[0]))
        batch = jax.tree.map(lambda x: jnp.concatenate([x] * repeats), batch)

    def flops(step: Any) -> float:
        return step.lower(state, batch).compile().cost_analysis()["flops"]

    one, each = flops(jax.jit(learner.step)), flops(sharded.step)
    _expect(each <= 1.1 * one / n, f"{each:.3g} FLOPs on each of {n} devices, {one:.3g} on one")


def pmap_equals_one(case: Case) -> None:
    """`over_devices_pmap` gives the result of one device."""
    assert case.averaged is not None
    pmapped = over_devices_pmap(case.averaged(average_over(DEVICES)))
    state = pmapped.init(case.key, case.batches[0])
    for batch in case.batches:
        state, _ = pmapped.step(state, batch)
    _same(case.run(), jax.tree.map(lambda x: x[0], state), case.tolerance)


LAWS: dict[str, Callable[[Case], None]] = {
    law.__name__: law
    for law in (
        keeps_type,
        counts,
        pure,
        compiles_once,
        seeds_differ,
        resumes,
        donates,
        many_steps_is_a_loop,
        over_seeds_is_separate_runs,
        seeds_and_steps_commute,
        devices_equal_one,
        devices_share_the_work,
        pmap_equals_one,
    )
}


def _run(learner: Learner, key: Key, batches: Sequence[Batch]) -> State:
    state = jax.jit(learner.init)(key, batches[0])
    step = jax.jit(learner.step)
    for batch in batches:
        state, _ = step(state, batch)
    return state


def _mesh() -> Any:
    return jax.make_mesh((len(jax.devices()),), ("data",), axis_types=(AxisType.Auto,))


def _on_devices(case: Case) -> tuple[Learner, Learner, Key]:
    """A learner, the same on all devices, and its key. Without a batch, its seeds are spread."""
    if case.batches[0] is not None:
        return case.learner, over_devices(case.learner, _mesh(), batch=_split(case)), case.key
    n = len(jax.devices())
    seeds = over_seeds(case.learner, n, "vmap")
    sharded = over_devices(seeds, _mesh(), batch=None, state=P("data"))
    return seeds, sharded, jax.random.split(case.key, n)


def _split(case: Case) -> P:
    return P() if case.learner.resident else P("data")


def _expect(condition: bool, message: str) -> None:
    if not condition:
        raise LawBroken(message)


def _same(expected: Any, actual: Any, tolerance: float) -> None:
    """Raise unless two pytrees are equal: bit for bit at tolerance 0 and for integers and keys."""
    wanted, got = _values(expected), _values(actual)
    _expect(wanted.keys() == got.keys(), f"{sorted(wanted.keys() ^ got.keys())} on one side only")
    for path, a in wanted.items():
        b = got[path]
        _expect(a.shape == b.shape, f"{path}: shape {a.shape} against {b.shape}")
        exact = tolerance == 0 or not np.issubdtype(a.dtype, np.floating)
        if exact:
            equal = a.tobytes() == b.tobytes()
        else:
            equal = np.allclose(a, b, rtol=0, atol=tolerance * max(1e-3, np.abs(a).max(initial=0)))
        difference = np.abs(a.astype(np.float64) - b.astype(np.float64)).max(initial=0)
        _expect(bool(equal), f"{path}: differs by up to {difference:.3g}")


def _values(tree: Any) -> dict[str, np.ndarray]:
    leaves = jax.tree_util.tree_leaves_with_path(tree)
    return {path_name(path): np.asarray(plain(leaf)) for path, leaf in leaves}
