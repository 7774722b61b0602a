"""The host loop: the only place where a learner meets files, clocks and signals.

`fit` composes the learner with `up_to_steps` and `over_seeds`, dispatches it chunk by chunk, and
between chunks evaluates, logs, saves and listens for signals. Everything that decides the numbers
is in the state, so a run that was killed continues bit for bit from its last checkpoint.
"""

import contextlib
import dataclasses
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from jaxdl import metrics, plots
from jaxdl.errors import InputError, require
from jaxdl.learner import Batch, Learner, State
from jaxdl.run import log as logs
from jaxdl.run import nonfinite
from jaxdl.run.checkpoint import Checkpoints, unflatten
from jaxdl.run.chunks import Batches, chunk_length, feed, first_batch, flops_per_step
from jaxdl.run.config import write_json
from jaxdl.run.folder import CONFIG
from jaxdl.run.interrupt import Interrupted, Watch
from jaxdl.run.select import Best, Select, keep
from jaxdl.run.trained import describe
from jaxdl.transforms import Loop, each_seed, over_seeds, up_to_steps

Evaluate = Callable[[State, Batch], metrics.Sums]


@dataclasses.dataclass(frozen=True)
class Output:
    """Where a run writes and how it talks. The folder is made once all arguments were accepted."""

    folder: Path | None = None  # run folder; None writes nothing
    resume: bool = False  # continue from the newest intact checkpoint of the folder
    progress: bool = True  # progress bar
    layers: bool = False  # norms of every layer in the log, at each evaluation
    profile: bool = False  # trace of one chunk for TensorBoard or Perfetto, in folder/profile
    data_dir: Path | None = None  # folder of data sets, for an experiment to pass to `data.load`
    config: dict[str, Any] | None = None  # written to folder/config.json when the run starts
    model: Any = None  # flax module, described in config.json so that `load` can build it again
    logger: logs.Logger | None = None  # called with every row of measurements
    report: Callable[[str], None] = print  # called with messages

    def figure(self, name: str, figure: Any) -> None:
        """Write a matplotlib figure to folder/figures/name.png."""
        if self.folder is not None:
            plots.save(figure, self.folder / "figures" / f"{name}.png")


QUIET = Output(progress=False, report=lambda message: None)


class Fitted(NamedTuple):
    """A finished run. States are stacked over seeds, [seeds, ...]."""

    state: State  # after the last step
    best: State  # at each seed's best validation; the last one without `select`
    best_step: np.ndarray  # int [seeds]
    rows: list[logs.Row]  # all measurements, as in metrics.jsonl
    parameters: int  # numbers in the state that `params` names, of one seed
    flops_per_step: float  # of one seed, see `flops_per_step`
    seconds: float  # in this process, compilation and evaluation included
    seconds_to_first_chunk: float  # compilation included


def fit(
    learner: Learner,
    data: Batch | Batches,
    *,
    steps: int,
    batch_size: int = 1,
    seed: int = 0,
    seeds: int = 1,
    loop: Loop = "auto",
    every: int | None = None,
    evaluate: Evaluate | None = None,
    validation: Batch | None = None,
    select: Select | None = None,
    output: Output = QUIET,
) -> Fitted:
    """Train `seeds` runs of a learner together.

    Args:
      learner: of one run. A resident one keeps `data` on the device; any other one is fed.
      data: the batch of a resident learner (the whole data set, or None), or, on the host road,
        a function from the step to start at to an iterator of batches, which all seeds share.
      steps: updates in all, those before a resume included.
      batch_size: rows per step, for the speed that is shown.
      seed, seeds: run i has the key `jax.random.key(seed + i)`, however many run beside it.
      loop: how seeds are computed, see `over_seeds`.
      every: steps between evaluations and checkpoints; all of them by default.
      evaluate: (state, batch) -> sums, such as `supervised.evaluate(model)`.
      validation: the split that is evaluated, a dict of arrays [n, ...].
      select: early stopping and the choice of the best state; needs `evaluate`.
      output: the run folder and what is said.

    Raises:
      InputError: arguments out of range, or nothing intact to resume from.
      NonFiniteLoss: at the first NaN, with step and layer.
      Interrupted: SIGTERM or Ctrl-C, after saving.

    >>> import optax
    >>> from jaxdl import data, models
    >>> from jaxdl.learners import supervised
    >>> from jaxdl.transforms import resident
    >>> learner = supervised.learner(models.MLP((), outputs=4), optax.sgd(1.0))
    >>> rows = {"input": np.eye(4, dtype=np.float32), "target": np.arange(4, dtype=np.int32)}
    >>> fitted = fit(resident(learner, 2, data.order.rows), rows, steps=40)
    >>> fitted.rows[-1]["loss"][0] < 0.5
    True
    """
    every = steps if every is None else min(every, steps)
    require(steps >= 1, "steps", steps, "an integer >= 1", "give the run something to do")
    require(every >= 1, "every", every, "an integer >= 1", "leave it out to evaluate at the end only")
    require(seeds >= 1, "seeds", seeds, "an integer >= 1", "1 is a single run")
    require(0 <= seed <= 2**32 - seeds, "seed", seed, "an integer in 0..2**32-1", "seeds wrap beyond that")
    together = (evaluate is None) == (validation is None) and (select is None or evaluate is not None)
    require(together, "evaluate", evaluate, "with `validation`, and given for `select`", "give both")

    start = time.perf_counter()
    example = first_batch(learner, data)
    flops = flops_per_step(learner, example)
    capacity = chunk_length(flops * seeds, every)
    batches = feed(learner, data, capacity)
    chunk = jax.jit(over_seeds(up_to_steps(learner, capacity), seeds, loop).step)
    run = _Run(learner, seed, seeds, loop, example, evaluate, validation, select)
    seconds_to_first_chunk = 0.0
    total, per_step = steps * batch_size * seeds, batch_size * seeds

    with contextlib.ExitStack() as stack:
        run.open(stack, output)
        output.report(
            f"{count_parameters(run.state) // seeds:,} parameters, {flops:,.0f} FLOPs a step, "
            f"{seeds} seed{'s' * (seeds > 1)}, {steps - run.step:,} of {steps:,} steps to go"
        )
        bar = stack.enter_context(logs.progress_bar(total, run.step * per_step, "ex", output.progress))
        watch = stack.enter_context(Watch())
        while run.step < steps and run.improving():
            count = min(capacity, every - run.step % every, steps - run.step)
            batch = batches(run.step, count)
            with run.trace(output, seconds_to_first_chunk > 0):
                state, measured = chunk(run.state, (jnp.int32(count), batch))
                measured = {name: np.asarray(value)[:, :count] for name, value in measured.items()}
            run.advance(state, measured, batch)
            seconds_to_first_chunk = seconds_to_first_chunk or time.perf_counter() - start
            bar.set_postfix(run.shown, refresh=False)
            bar.update(count * per_step)
            if run.step % every == 0 or run.step == steps:
                run.judge(batch, output)
                run.save()
            if watch.received is not None:
                run.save()
                raise Interrupted(watch.received, run.step, output.folder is not None)
    seconds = time.perf_counter() - start
    parameters = count_parameters(run.state) // seeds
    best_step = np.array(run.best.step if run.best else [run.step] * seeds)
    best = run.best_state if select else run.state
    return Fitted(
        run.state, best, best_step, run.log.rows, parameters, flops, seconds, seconds_to_first_chunk
    )


def count_parameters(state: State) -> int:
    """Numbers that are learned: every array under a field `params` of a state."""
    leaves = jax.tree_util.tree_leaves_with_path(state)
    return sum(x.size for path, x in leaves if any(getattr(k, "name", None) == "params" for k in path))


class _Run:
    """What changes while `fit` goes: the arrays, the host's record, and what they are written to."""

    def __init__(
        self,
        learner: Learner,
        seed: int,
        seeds: int,
        loop: Loop,
        example: Batch,
        evaluate: Evaluate | None,
        validation: Batch | None,
        select: Select | None,
    ):
        keys = jax.vmap(jax.random.key)(np.arange(seed, seed + seeds, dtype=np.uint32))
        runs = over_seeds(learner, seeds, loop)
        self.learner, self.select, self.step = learner, select, 0
        self.state = jax.jit(runs.init)(keys, example)
        self.best_state = self.state
        self.best = Best.none_yet(seeds, select) if select else None
        self.inspect = None if runs.inspect is None else jax.jit(runs.inspect)
        self.evaluate = None if evaluate is None else over_split(evaluate, validation, loop)
        self.checkpoints: Checkpoints | None = None
        self.saved = 0  # the step of the newest checkpoint
        self.shown: dict[str, str] = {}  # in the progress bar

    def open(self, stack: contextlib.ExitStack, output: Output) -> None:
        """Make the folder, restore the newest intact checkpoint of a resumed run, start the log."""
        if output.folder is not None:
            try:
                output.folder.mkdir(parents=True, exist_ok=True)
            except OSError as error:
                raise InputError("out", str(output.folder), "a folder that can be made", str(error)) from None
            if output.config is not None:
                model = None if output.model is None else describe(output.model)
                write_json(output.folder / CONFIG, {**output.config, "model": model})
            self.checkpoints = stack.enter_context(Checkpoints(output.folder / "checkpoints"))
            if output.resume and self.checkpoints.exist():
                self._restore(output)
        self.log = stack.enter_context(logs.Log(output.folder, self.step, output.logger))

    def improving(self) -> bool:
        """False once every seed has used up its patience."""
        return self.best is None or self.select is None or bool(self.best.running(self.select).any())

    def advance(self, state: State, measured: dict[str, np.ndarray], batch: Batch) -> None:
        """Take over the result of a chunk (measures [seeds, steps]), unless its loss is not finite."""
        # A skipped step kept the state as it was: only what was not skipped is an accident.
        losses = (
            np.where(measured["skipped"] > 0, 0, measured["loss"])
            if "skipped" in measured
            else measured["loss"]
        )
        bad = nonfinite.first_bad(losses)
        if bad is not None:
            index = bad[1]
            one = [
                batch if self.learner.resident else jax.tree.map(lambda x, i=i: x[i], batch)
                for i in range(index + 1)
            ]
            raise nonfinite.explain(self.learner, self.state, one, *bad, self.step)
        self.state, self.step = state, self.step + losses.shape[1]
        # Over the steps of the chunk; a skipped step has no loss to speak of.
        averages = {name: np.ma.masked_invalid(x).mean(1).filled(np.nan) for name, x in measured.items()}
        self.log.write("train", self.step, averages)
        self.shown["loss"] = f"{averages['loss'].mean():.4g}"

    def judge(self, batch: Batch, output: Output) -> None:
        """Evaluate, log, and keep the state of the seeds that are at their best."""
        if output.layers and self.inspect is not None:
            one = batch if self.learner.resident else jax.tree.map(lambda x: x[0], batch)
            self.log.write("layers", self.step, self.inspect(self.state, one))
        if self.evaluate is None:
            return
        values = self.evaluate(self.state)
        self.log.write("validation", self.step, values)
        self.shown |= {name: f"{value.mean():.4g}" for name, value in values.items() if name != "loss"}
        if self.best is not None and self.select is not None:
            improved = self.best.update(values, self.step, self.select)
            self.best_state = keep(jnp.asarray(improved), self.state, self.best_state)

    def save(self) -> None:
        """Write a checkpoint, unless this step has one."""
        self.log.flush()
        if self.checkpoints is not None and self.saved < self.step:
            record = {"best": dataclasses.asdict(self.best) if self.best else None}
            self.checkpoints.save(self.step, self._arrays(), record)
            self.saved = self.step

    def trace(self, output: Output, warm: bool) -> Any:
        """A profiler around one chunk that is compiled already, once, if it was asked for."""
        if not (output.profile and warm and output.folder):
            return contextlib.nullcontext()
        folder = output.folder / "profile"
        return contextlib.nullcontext() if folder.exists() else jax.profiler.trace(str(folder))

    def _arrays(self) -> dict[str, State]:
        return {"state": self.state, "best": self.best_state} if self.select else {"state": self.state}

    def _restore(self, output: Output) -> None:
        assert self.checkpoints is not None
        restored = self.checkpoints.restore(output.report)
        arrays = unflatten(self._arrays(), restored.arrays)
        self.state, self.best_state = arrays["state"], arrays.get("best", arrays["state"])
        self.best = Best(**restored.host["best"]) if restored.host["best"] else None
        self.step = self.saved = restored.step
        output.report(f"resumed at step {self.step}")


def over_split(
    evaluate: Evaluate, split: Batch, loop: Loop = "auto"
) -> Callable[[State], dict[str, np.ndarray]]:
    """Evaluate stacked states on a whole split: states [seeds, ...] -> mean measures, [seeds, ...].

    Args:
      evaluate: (state, batch) -> sums, such as `supervised.evaluate(model)`.
      split: dict of arrays [n, ...]; any n, an uneven last batch counts exactly.
      loop: how seeds are computed, see `over_seeds`.
    """
    batches = jax.device_put(metrics.masked_batches(split, 512))
    averages = jax.jit(
        each_seed(lambda state, batches: metrics.mean(metrics.over_batches(evaluate)(state, batches)), loop)
    )

    def values(states: State) -> dict[str, np.ndarray]:
        return {name: np.asarray(value) for name, value in averages(states, batches).items()}

    return values
