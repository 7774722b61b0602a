"""The state of a run on the host: what changes from chunk to chunk, and what it is written to."""

import contextlib
import dataclasses
import time
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from jaxdl.errors import require, require_choice
from jaxdl.learner import Batch, Learner, State
from jaxdl.run import config as configs
from jaxdl.run import log as logs
from jaxdl.run import nonfinite, processes
from jaxdl.run.checkpoint import Checkpoints, Restored, flatten, require_seed, require_unused, unflatten
from jaxdl.run.chunks import compiler_options
from jaxdl.run.doctor import Doctor
from jaxdl.run.evaluation import Evaluate, measures, over_split
from jaxdl.run.folder import CONFIG, make
from jaxdl.run.lock import held
from jaxdl.run.output import Output
from jaxdl.run.select import Best, Select, keep
from jaxdl.run.trained import record
from jaxdl.transforms import Loop, over_seeds

PROFILE = "profile"  # sub-folder of a run


class Training:
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
        self.start = time.perf_counter()
        self.seconds_before = 0.0  # of the run until it was interrupted
        keys = jax.vmap(jax.random.key)(np.arange(seed, seed + seeds, dtype=np.uint32))
        runs = over_seeds(learner, seeds, loop)
        self.learner, self.select, self.step = learner, select, 0
        self.seed, self.seeds = seed, seeds
        self.state = jax.jit(runs.init, compiler_options=compiler_options(example))(keys, example)
        self.best_state = self.state
        self.best = Best.none_yet(seeds, select) if select else None
        self.inspect = None if runs.inspect is None else jax.jit(runs.inspect)
        self.evaluate = None if evaluate is None else over_split(evaluate, validation, loop)
        if evaluate is not None:
            one = jax.eval_shape(lambda states: jax.tree.map(lambda x: x[0], states), self.state)
            numbers = measures(evaluate, validation, one)
            if select is not None:
                require_choice("select.measure", select.measure, numbers)
        self.checkpoints: Checkpoints | None = None
        self.skipped = np.zeros(seeds, int)  # steps in a row
        self.warned = False  # of a validation that is no number
        self.saved = 0  # the step of the newest checkpoint
        self.shown: dict[str, str] = {}  # in the progress bar
        self.doctor: Doctor | None = None

    def open(self, stack: contextlib.ExitStack, output: Output, steps: int, form: str) -> None:
        """Make the folder, restore the newest intact checkpoint of a resumed run, start the log.

        Args:
          stack: closes what is opened here.
          output: of the run.
          steps: that are asked for in all.
          form: what computes it, for `config.json`; another one on a resume is a warning.

        Raises:
          InputError: a folder that cannot be made, that holds another run or a longer one, or nothing
            intact to resume. What is there stays as it was.
        """
        if output.folder is not None:
            make(output.folder)
            stack.enter_context(held(output.folder))
            if processes.is_main():
                self.checkpoints = stack.enter_context(Checkpoints(output.folder / "checkpoints"))
            exist = processes.broadcast_json(bool(self.checkpoints and self.checkpoints.exist()))
            require_unused(output.folder, exist and not output.resume)
            if output.resume:
                recorded = {name: (output.config or {}).get(name) for name in ("deterministic", "layers")}
                whole = {name: value for name, value in recorded.items() if value is not None}
                for difference in configs.differences(output.folder / CONFIG, {"form": form, **whole}):
                    output.report(f"warning: {difference}; the last bits may differ from here on")
            if exist:
                self._restore(output)
            remedy = "a run only grows; load its state with jaxdl.run.load"
            require(self.step <= steps, "steps", steps, f"at least the {self.step} that were done", remedy)
            record(output, form)
        self.log = stack.enter_context(logs.Log(output.folder, self.step, output.logger))

    def improving(self) -> bool:
        """False once every seed has used up its patience."""
        return self.best is None or self.select is None or bool(self.best.running(self.select).any())

    def advance(self, state: State, measured: dict[str, np.ndarray], batches: Callable[[], Batch]) -> None:
        """Accept the state after a chunk, and log what was measured in it, [seeds, steps].

        Args:
          state: after the chunk.
          measured: in it.
          batches: what it was fed, called only to be looked at.

        Raises:
          NonFiniteLoss: a loss is not finite, or every step is skipped.
        """
        # A skipped step kept the state as it was: only what was not skipped is an accident.
        skipped, losses = measured.get("skipped"), measured["loss"]
        if skipped is not None:
            losses = np.where(skipped > 0, 0, losses)
        bad = nonfinite.first_bad(losses)
        if bad is None and skipped is not None:
            bad, self.skipped = nonfinite.stuck(skipped, self.skipped)
        if bad is not None:
            index, batch = bad[1], batches()
            one = [
                batch if self.learner.resident else jax.tree.map(lambda x, i=i: x[i], batch)
                for i in range(index + 1)
            ]
            error = nonfinite.explain(self.learner, self.state, one, *bad, self.step)
            if self.doctor is not None:
                self.doctor.not_finite(bad[0], self.step + index + 1, losses[bad[0], :index], str(error))
            raise error
        self.state, self.step = state, self.step + losses.shape[1]
        # Over the steps of the chunk; a skipped step has no loss to speak of.
        averages = {name: np.ma.masked_invalid(x).mean(1).filled(np.nan) for name, x in measured.items()}
        self.log.write("train", self.step, averages)
        self.shown["loss"] = f"{averages['loss'].mean():.4g}"
        if self.doctor is not None:
            self.doctor.trained(self.step, measured["loss"])

    def judge(self, batches: Callable[[], Batch], output: Output) -> None:
        """Evaluate, log, and keep the state of the seeds that are at their best; see `advance`."""
        if output.layers and self.inspect is not None:
            batch = batches()
            one = batch if self.learner.resident else jax.tree.map(lambda x: x[0], batch)
            self.log.write("layers", self.step, self.inspect(self.state, one))
        self.observe(output)
        if self.evaluate is None:
            return
        # Another kind of processor may round them differently, and what follows must not differ.
        values = processes.broadcast(self.evaluate(self.state))
        self.log.write("validation", self.step, values)
        self.shown |= {name: f"{value.mean():.4g}" for name, value in values.items() if name != "loss"}
        if self.best is not None and self.select is not None:
            improved = self.best.update(values, self.step, self.select)
            numbers = np.isfinite(values[self.select.measure])
            if not (numbers.all() or self.warned):
                self.warned = True
                output.report(
                    f"warning: validation {self.select.measure} is not finite at step {self.step} for seed "
                    f"{self.seed + int(np.argmin(numbers))}: it is never the best; are its labels right?"
                )
            self.best_state = keep(jnp.asarray(improved), self.state, self.best_state)

    def observe(self, output: Output) -> None:
        """Show the states to whoever asked to see them."""
        values = output.observe(self.step, self.state) if output.observe else {}
        if values:
            self.log.write("observed", self.step, dict(values))

    def save(self) -> None:
        """Write a checkpoint, unless this step has one."""
        self.log.flush()
        if self.checkpoints is not None and self.saved < self.step:
            best = dataclasses.asdict(self.best) if self.best else None
            host = {"best": best, "seconds": self.seconds(), "seed": self.seed, "seeds": self.seeds}
            host["select"] = self._selected()
            self.checkpoints.save(self.step, self._arrays(), host)
            self.saved = self.step

    def settle(self) -> None:
        """Wait until the last save is on the disk; an error of it is raised here."""
        if self.checkpoints is not None:
            self.checkpoints.wait()

    def idle(self) -> bool:
        """True where a run with a folder would lose no step if the process ended now."""
        return self.saved == self.step and not (self.checkpoints and self.checkpoints.saving())

    def seconds(self) -> float:
        """Since the run began, the time between an interruption and its resume left out."""
        return self.seconds_before + time.perf_counter() - self.start

    def trace(self, output: Output, warm: bool) -> Any:
        """A profiler around one chunk that is compiled already, once, if it was asked for."""
        if not (output.profile and warm and output.folder):
            return contextlib.nullcontext()
        folder = output.folder / PROFILE
        return contextlib.nullcontext() if folder.exists() else jax.profiler.trace(str(folder))

    def _selected(self) -> list[Any] | None:
        """How the best state is told, as JSON."""
        return None if self.select is None else [self.select.measure, self.select.maximize]

    def _arrays(self) -> dict[str, State]:
        return {"state": self.state, "best": self.best_state} if self.select else {"state": self.state}

    def _restore(self, output: Output) -> None:
        restored = Restored(0, flatten(self._arrays()), {})  # the others only tell how large it is
        if self.checkpoints is not None:
            restored = self.checkpoints.restore(output.report)
        step, host = processes.broadcast_json([restored.step, restored.host])
        require_seed(self.seed, host, self.seeds)
        began, now = host.get("select", self._selected()), self._selected()
        remedy = "select by the same measure, or start a new run"
        require(began == now, "select", now, f"{began}, which the run began with", remedy)
        unflatten(self._arrays(), restored.arrays)  # refused here, before the others are told
        arrays = unflatten(self._arrays(), processes.broadcast(restored.arrays))
        self.state, self.best_state = arrays["state"], arrays.get("best", arrays["state"])
        self.best = Best(**host["best"]) if host["best"] else None
        self.step = self.saved = step
        self.seconds_before = host["seconds"]
        output.report(f"resumed at step {self.step}")


def count_parameters(state: State) -> int:
    """Numbers that are learned: every array under a field `params` of a state."""
    leaves = jax.tree_util.tree_leaves_with_path(state)
    return sum(x.size for path, x in leaves if any(getattr(k, "name", None) == "params" for k in path))
