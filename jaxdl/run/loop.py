"""The host loop: the only place where a learner meets files, clocks and signals.

`fit` composes the learner with `up_to_steps` and `over_seeds`, dispatches it chunk by chunk, and
between chunks evaluates, logs, saves and listens for signals. Everything that decides the numbers
is in the state, so a run that was killed continues bit for bit from its last checkpoint.
"""

import contextlib
from collections.abc import Sequence
from functools import partial
from typing import NamedTuple

import jax
import numpy as np

from jaxdl.data.checks import check_rows
from jaxdl.errors import require, require_number
from jaxdl.learner import Batch, Learner, State
from jaxdl.run import log as logs
from jaxdl.run import processes
from jaxdl.run.chunks import (
    Batches,
    bytes_fed,
    chunk_length,
    devices_to_use,
    feed,
    first_batch,
    flops_per_step,
)
from jaxdl.run.doctor import Doctor
from jaxdl.run.evaluation import Evaluate
from jaxdl.run.illnesses import Diagnosis
from jaxdl.run.interrupt import Interrupted, Watch
from jaxdl.run.output import QUIET, Output
from jaxdl.run.select import Select
from jaxdl.run.spread import Spread
from jaxdl.run.training import PROFILE, Training, count_parameters
from jaxdl.transforms import Loop


class Fitted(NamedTuple):
    """A finished run. States are stacked over seeds, [seeds, ...]."""

    state: State  # after the last step
    best: State  # at each seed's best validation; the last one without `select`
    best_step: np.ndarray  # int [seeds]
    rows: list[logs.Row]  # all measurements, as in metrics.jsonl
    parameters: int  # numbers in the state that `params` names, of one seed
    flops_per_step: float  # of one seed, see `flops_per_step`
    seconds: float  # compilation, evaluation and the time before a resume included
    seconds_to_first_chunk: float  # compilation included
    diagnoses: Sequence[Diagnosis] = ()  # of the doctor, if it was asked for


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
    own_rows: bool = False,
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
      own_rows: in a job of several processes `data` yields only the process's own part of each batch,
        those of process 0 being the first rows, instead of all of them: `stream(..., part=processes.part())`.
      output: the run folder and what is said. Its `observe` is called with the step and the
        stacked states, for what is more than a sum over a split: samples, say. What it returns,
        by name one value per seed, becomes a row of kind "observed".

    Raises:
      InputError: arguments out of range, a folder that holds another run, or one to resume whose
        checkpoints are all damaged. (Without any the run begins.)
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
    every = steps if every is None else every
    _require_arguments(learner, steps, batch_size, seed, seeds, every, evaluate, validation, select, output)
    steps, seed, seeds, every = int(steps), int(seed), int(seeds), min(int(every), int(steps))
    example = _first_batch(learner, data, own_rows)
    check_rows(validation, "validation")
    learner = learner._replace(step=jax.jit(learner.step))  # traced once, for whoever asks
    flops = flops_per_step(learner, example)
    capacity = chunk_length(flops * seeds, every, bytes_fed(learner, example))
    batches = feed(learner, data, capacity)
    devices = output.devices if example is None else devices_to_use(output.devices, flops, seeds)
    if devices < output.devices:
        output.report(
            f"a batch of {flops:,.0f} FLOPs is too small to be shared over {output.devices} devices of a "
            f"CPU: it runs on one; seeds that {output.devices} divides are shared"
        )
    spread = Spread(learner, example, capacity, seeds, loop, devices, own_rows)
    seconds_to_first_chunk = 0.0
    total, per_step = steps * batch_size * seeds, batch_size * seeds
    run = None

    def idle() -> bool:
        # On an accelerator wait for the chunk that runs, so that its steps are saved (the first compiles).
        waited_for = jax.default_backend() != "cpu" and seconds_to_first_chunk > 0
        return run is None or (run.idle() and not waited_for)

    def leave_if_asked() -> None:
        received = processes.all_max(watch.received or 0)
        if received and run is not None:
            run.save()
            run.settle()
            processes.barrier("interrupted")
            raise Interrupted(received, run.step, output.folder is not None)

    with contextlib.ExitStack() as stack:
        # A member of several processes leaves with the others; a run without a folder saves nothing.
        watch = stack.enter_context(Watch(idle if output.folder and not processes.is_distributed() else None))
        run = Training(learner, seed, seeds, loop, example, evaluate, validation, select)
        begun = run.state if output.doctor else None
        run.open(stack, output, steps, spread.describe())
        output.report(
            f"{count_parameters(run.state) // seeds:,} parameters, {flops:,.0f} FLOPs a step, "
            f"{seeds} seed{'s' * (seeds > 1)}, {steps - run.step:,} of {steps:,} steps to go"
        )
        bar = stack.enter_context(logs.progress_bar(total, run.step * per_step, "ex", output.progress))
        if output.doctor:
            run.doctor = Doctor(
                begun,
                run.inspect,
                batches(0, 1) if learner.resident else example,
                data,
                validation,
                steps=steps,
                seeds=seeds,
                output=output,
                log=run.log,
            )
            del begun  # the doctor keeps the weights only
        if run.step == 0:
            run.observe(output)
        placed = spread.put(run.state)
        while run.step < steps and run.improving():
            count = min(capacity, every - run.step % every, steps - run.step)
            batch = batches(run.step, count)
            with run.trace(output, seconds_to_first_chunk > 0):
                placed, measured = spread.step(placed, count, batch)
            fed = partial(spread.whole, batch)
            run.advance(spread.one(placed), measured, fed)
            if not seconds_to_first_chunk:
                seconds_to_first_chunk = run.seconds() - run.seconds_before
                output.report(f"{seconds_to_first_chunk:.1f} s to the first {count} steps")
            bar.set_postfix(run.shown, refresh=False)
            bar.update(count * per_step)
            if run.step % every == 0 or run.step == steps:
                run.judge(fed, output)
                if run.doctor is not None:
                    run.doctor.look(run.step, run.state)
                run.save()
            leave_if_asked()
        diagnoses = run.doctor.finish() if run.doctor is not None else []
        run.settle()
        leave_if_asked()
        if output.profile and output.folder is not None and not (output.folder / PROFILE).exists():
            output.report("no profile: the only chunk of steps compiles, too; take more steps")
    seconds = run.seconds()
    parameters = count_parameters(run.state) // seeds
    best_step = np.array(run.best.step if run.best else [run.step] * seeds)
    best = run.best_state if select else run.state
    return Fitted(
        run.state,
        best,
        best_step,
        run.log.rows,
        parameters,
        flops,
        seconds,
        seconds_to_first_chunk,
        diagnoses,
    )


def _require_arguments(
    learner: Learner,
    steps: int,
    batch_size: int,
    seed: int,
    seeds: int,
    every: int,
    evaluate: Evaluate | None,
    validation: Batch | None,
    select: Select | None,
    output: Output,
) -> None:
    """Refuse what `fit` cannot do, before anything is compiled or written."""
    require_number("devices", output.devices, 1, whole=True, remedy="1 is a device alone")
    remedy = "learners.supervised.learner(model, optimizer) makes one of a model"
    require(isinstance(learner, Learner), "learner", type(learner).__name__, "a Learner", remedy)
    remedy = "give the run something to do; steps are counted in 32 bits"
    require_number("steps", steps, 1, 2**31 - 1, whole=True, remedy=remedy)
    require_number("every", every, 1, whole=True, remedy="leave it out to evaluate at the end only")
    require_number("seeds", seeds, 1, whole=True, remedy="1 is a single run")
    require_number("batch_size", batch_size, 1, whole=True, remedy="it only counts rows per second")
    require_number("seed", seed, 0, 2**32 - seeds, whole=True, remedy="seeds wrap beyond that")
    together = (evaluate is None) == (validation is None) and (select is None or evaluate is not None)
    require(together, "evaluate", evaluate, "with `validation`, and given for `select`", "give both")
    if select is not None and select.patience is not None:
        require_number("patience", select.patience, 1, whole=True, remedy="None never stops early")


def _first_batch(learner: Learner, data: Batch | Batches, own_rows: bool) -> Batch:
    """One batch as the learner takes it, of all processes; rows that do not fit are refused."""
    remedy = "resident data are on every device"
    require(not (own_rows and learner.resident), "own_rows", own_rows, "False for a resident learner", remedy)
    example = first_batch(learner, data)
    check_rows(example, "data")
    if not own_rows:
        return example
    rows = len(jax.tree.leaves(example)[0])
    alike = processes.all_max(rows) == -processes.all_max(-rows)
    remedy = "give each process an equal part, see jaxdl.data.stream"
    require(alike, "data", f"{rows} rows", "the same number of rows in every process", remedy)
    return processes.all_gather(example)
