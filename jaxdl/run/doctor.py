"""The training doctor: watches a run and names the slides' three illnesses with their causes (002:403-444).

`fit` feeds it when `Output.doctor` is set. It only looks: no number of the run depends on it. What
it costs: a probe of the data on at most 1,000 rows and one look at the gradients before the first
step; then host arithmetic on the losses, and at no more than `len(LOOKS)` of the evaluations one
reduction of the parameters on the device. It keeps the initial parameters in memory.
"""

import math
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any

import jax.numpy as jnp
import numpy as np

from jaxdl.learner import State
from jaxdl.run import gan_failures, probes, symptoms
from jaxdl.run import log as logs
from jaxdl.run.illnesses import CONSEQUENCES, Diagnosis, diagnosis
from jaxdl.run.kernels import Kernel, compare, distinct, parameters
from jaxdl.run.output import Output

# Shares of the run at whose next evaluation the parameters are looked at.
LOOKS = (0.0, 0.02, 0.05, 0.1, 0.15, 0.2, 0.25, 0.5, 0.75, 1.0)
SOON, CONFIRMED = 0.1, 0.15  # of the run: "too low" and "no relation" need that long to be seen
FEW = 20  # steps: no judgement on fewer
CHECKS = 4  # of a GAN's samples, and `SOON` of the run, before its failures are judged


class Doctor:
    """Collects what the rules of `jaxdl.run.symptoms` need, seed by seed, and says what they find once."""

    def __init__(
        self,
        begun: State,
        inspect: Callable[[State, Any], Mapping[str, Any]] | None,
        batch: Any,
        data: Any,
        validation: Any,
        steps: int,
        seeds: int,
        output: Output,
        log: logs.Log,
    ):
        """Examine data and initial state.

        Args:
          begun: the states before the first step, stacked over seeds.
          inspect: the learner's, jitted, of stacked states; None where it has none.
          batch: as `inspect` takes it.
          data: as `fit` takes them.
          validation: split, or None.
          steps: updates of the whole run.
          seeds: how many runs.
          output: for the report.
          log: for a row of kind "doctor" per diagnosis. A resumed run repeats none.
        """
        self.begun, self.inspect, self.batch = parameters(begun), inspect, batch
        self.at_start = np.asarray(distinct(self.begun), np.float64)  # [kernels, seeds, norm and distinct]
        self.steps, self.seeds = steps, seeds
        self.report, self.log = output.report, log
        self.diagnoses: list[Diagnosis] = []
        self.told: list[set[str]] = [set() for _ in range(seeds)]
        for row in log.rows:
            if row["kind"] == "doctor":
                for seed in row["seeds"]:
                    self.told[int(seed)].add(row["name"])
        self.read, self.since = 0, []  # rows of the log, and training losses since the last evaluation
        self.samples: list[dict[str, Any]] = []  # rows on what a GAN draws
        self.evaluated: list[int] = []  # steps, and there, per seed, the validation and the training loss
        self.curves: list[tuple[list[float], list[float]]] = [([], []) for _ in range(seeds)]
        self.latest: np.ndarray | None = None  # losses of the newest chunk [seeds, steps]
        self.first: np.ndarray | None = None  # mean loss of the first steps
        self.looks = [share * steps for share in LOOKS]
        looked = {} if inspect is None else {k: np.asarray(v) for k, v in inspect(begun, batch).items()}
        self.start = looked.get("loss", np.full(seeds, np.nan))
        self.game = "generator_loss" in looked  # its losses are those of an opponent: they tell little
        self.falls = data is not None and not self.game  # neither is a loss without fixed data to fit
        batches = probes.first_batches(data) if callable(data) else []
        first = batches or data
        rows = probes.take(first)
        self.fed = probes.badly_fed(rows) or probes.same_again(batches)
        targets = rows.get("target") if self._uses_labels(begun) else None
        self.chance, self.related = probes.chance(targets), None
        self.levels = np.fmax(self.start, self.chance or 0.0)  # [seeds]
        self._examine(first, rows, targets, validation)
        # A generator that answers with large numbers before it learned any: the loss of a draw is below 1.
        losses = np.abs(looked["generator_loss"]) if self.game else self.start
        level = 1.0 if self.game else self.chance
        self._tell(0, [symptoms.far_from_chance(float(loss), level) for loss in losses])

    def _examine(self, data: Any, rows: probes.Rows, targets: np.ndarray | None, validation: Any) -> None:
        self._tell(0, [self.fed] * self.seeds)
        if self.fed is None and targets is not None:
            self.related = probes.relation(rows)
            self._tell(0, [probes.misaligned(rows, probes.take(data, scattered=False))] * self.seeds)
            if isinstance(validation, Mapping) and "target" in validation:
                whole = data["target"] if isinstance(data, Mapping) else targets
                ratio = probes.other_ratio(np.asarray(whole), np.asarray(validation["target"]))
                self._tell(0, [ratio] * self.seeds)

    def _uses_labels(self, begun: State) -> bool:
        """Whether the loss changes with the labels: an auto-encoder or a GAN leaves them alone."""
        if self.inspect is None or not isinstance(self.batch, Mapping) or "target" not in self.batch:
            return False
        other = {**self.batch, "target": jnp.flip(jnp.asarray(self.batch["target"]), 0)}
        after = np.asarray(self.inspect(begun, other)["loss"])
        return not np.array_equal(after, self.start, equal_nan=True)

    def trained(self, step: int, losses: np.ndarray) -> None:
        """Look at the losses [seeds, steps] of a chunk that ended at `step`."""
        if self.first is None:
            self.first = _mean(losses[:, :FEW] if step == losses.shape[1] else self.start[:, None])
        if self.latest is not None:  # a chunk may be shorter than what is looked at
            losses = np.concatenate([self.latest[:, 1 - symptoms.WINDOW :], losses], axis=1)
        self.latest = losses
        if self.falls and (losses >= symptoms.FAR * self.levels[:, None]).any():
            pairs = zip(losses, self.levels, strict=True)
            self._tell(step, [symptoms.exploded(x, float(level), step) for x, level in pairs])

    def not_finite(self, seed: int, step: int, losses: np.ndarray, message: str) -> None:
        """Say why the loss of `step` is not finite; `losses` are those of its chunk before it.

        The message is that of `NonFiniteLoss`: its middle says where.
        """
        where = message.partition("): ")[2].partition(";")[0]
        before = float(losses[-1]) if len(losses) else np.nan
        if not len(losses) and self.latest is not None:
            before = float(self._newest()[seed])
        finite = self.fed is None or "not finite" not in self.fed.seen
        start = float(self.start[seed])
        found: list[Diagnosis | None] = [None] * self.seeds
        found[seed] = symptoms.not_finite(step, where, start, before, finite)
        self._tell(step, found)

    def look(self, step: int, states: State) -> None:
        """Look at the curves, and from time to time at the parameters, after an evaluation."""
        self._read_log()
        if self.evaluated and self.evaluated[-1] == step:
            found = [symptoms.over_fitting(self.evaluated, v, t, self.chance) for v, t in self.curves]
            self._tell(step, found)
        if step >= CONFIRMED * self.steps and step >= FEW:
            self._confirm(step)
        if self.looks and step >= self.looks[0]:
            self.looks = [each for each in self.looks if each > step]
            self._look_at_parameters(step, states)
        if step >= CONFIRMED * self.steps and step >= FEW:
            self._look_at_samples(step)

    def finish(self) -> list[Diagnosis]:
        """Judge what needs the whole run, and close the report; all diagnoses of this run."""
        if len(self.samples) >= CHECKS:
            self._tell_failures(self.samples, gan_failures.diagnose)
        if not any(self.told):
            self.report("doctor: nothing found")
        return self.diagnoses

    def _confirm(self, step: int) -> None:
        """No relation between inputs and labels was found by the probe: does the network find one?"""
        if self.related is None or self.chance is None or self.latest is None:
            return
        losses = [validation[-1] for validation, _ in self.curves] if self.evaluated else self._newest()
        self._tell(step, [probes.unrelated(self.related, float(x), self.chance, step) for x in losses])
        self.related = None  # asked once: later, a network may know rows by heart

    def _look_at_samples(self, step: int) -> None:
        """Judge what a GAN drew lately: at `CHECKS` evaluations or more, over `SOON` of the run or more."""
        rows = [row for row in self.samples if row["step"] > 0]  # before the first step, it is chance
        old = sum(row["step"] <= step - SOON * self.steps for row in rows)
        if old and len(rows) >= CHECKS:
            self._tell_failures(rows[min(old - 1, len(rows) - CHECKS) :], gan_failures.diagnose_early)

    def _tell_failures(
        self, rows: list[dict[str, Any]], judge: Callable[[Mapping[str, np.ndarray]], dict[str, str]]
    ) -> None:
        step, found = rows[-1]["step"], [judge(gan_failures.series(rows, i)) for i in range(self.seeds)]
        for name in dict.fromkeys(name for failures in found for name in failures):
            self._tell(step, [diagnosis(name, x[name], step) if name in x else None for x in found])

    def _look_at_parameters(self, step: int, states: State) -> None:
        now = parameters(states)
        measured = np.asarray(compare(self.begun, now), np.float64)  # [kernels, seeds, 3]
        gradients = self._gradients(states) if measured[..., 2].any() else None
        alike = (self.at_start[..., 1] <= symptoms.ALIKE_BELOW).any()  # only these can be alike still
        units = np.asarray(distinct(now))[..., 1] if alike else self.at_start[..., 1]
        found: list[list[Diagnosis | None]] = []
        for seed in range(self.seeds):
            kernels = [
                Kernel(name, began, norm, change, same > 0, units_began, units_now)
                for name, (began, units_began), (norm, change, same), units_now in zip(
                    now, self.at_start[:, seed], measured[:, seed], units[:, seed], strict=True
                )
            ]
            norms = None if gradients is None else {name: x[seed] for name, x in gradients.items()}
            found.append(self._rules(seed, step, kernels, norms))
        for each in zip(*found, strict=True):
            self._tell(step, list(each))

    def _rules(
        self, seed: int, step: int, kernels: list[Kernel], gradients: dict[str, float] | None
    ) -> list[Diagnosis | None]:
        """What the parameters of one seed say, causes before consequences."""
        found = [symptoms.units_alike(kernels, step), symptoms.not_touched(kernels, gradients, step)]
        if self.first is None or not (self.falls or self.game):
            return [*found, None, None]
        losses = None if self.game else (float(self.first[seed]), float(self._newest()[seed]))
        players = [kernels]
        if self.game:
            players = [[k for k in kernels if k.name.startswith(p)] for p in ("generator", "discriminator")]
        away = [symptoms.ran_away(each, losses, step) for each in players]
        slow: list[Diagnosis | None] = [None]
        if step >= max(FEW, SOON * self.steps):
            slow = [symptoms.hardly_moves(each, losses, step) for each in players]
        return [*found, *(next((each for each in x if each is not None), None) for x in (away, slow))]

    def _gradients(self, states: State) -> dict[str, np.ndarray] | None:
        """The gradient's norm of every kernel, [seeds], by its name here."""
        if self.inspect is None:
            return None
        looked = {name: np.asarray(value) for name, value in self.inspect(states, self.batch).items()}
        place = "gradient_norm/"
        return {
            name.replace("_" + place, "/") if self.game else name.removeprefix(place): value
            for name, value in looked.items()
            if place in name
        }

    def _read_log(self) -> None:
        """Take up what is new: training losses, validation losses with the mean of those, and samples."""
        for row in self.log.rows[self.read :]:
            if row["kind"] == "train" and "loss" in row:
                self.since.append(row["loss"])
            elif row["kind"] == "validation" and "loss" in row and self.since:
                self.evaluated.append(row["step"])
                averages = np.array(self.since, float).mean(0).tolist()
                for curves, loss, average in zip(self.curves, row["loss"], averages, strict=True):
                    curves[0].append(math.nan if loss is None else loss)
                    curves[1].append(average)
                self.since = []
            elif row["kind"] == "observed" and "share/0" in row:
                self.samples.append(row)
        self.read = len(self.log.rows)

    def _newest(self) -> np.ndarray:
        """The mean loss of the last steps of the newest chunk [seeds]."""
        assert self.latest is not None
        return _mean(self.latest[:, -50:])

    def _tell(self, step: int, found: list[Diagnosis | None]) -> None:
        """Note the diagnoses of one rule [seeds], unless they are known or follow from one that is."""
        new: dict[str, list[int]] = {}
        for seed, each in enumerate(found):
            known = self.told[seed]
            if each is None or each.name in known or any(each.name in CONSEQUENCES.get(x, ()) for x in known):
                continue
            known.add(each.name)
            new.setdefault(each.name, []).append(seed)
        for name, seeds in new.items():
            first = next(each for each in found if each is not None and each.name == name)
            told = first._replace(seeds=tuple(seeds))
            if not any(name == each.name for each in self.diagnoses):
                self.report(
                    f"doctor: {told}" + f" (in {len(seeds)} of {self.seeds} seeds)" * (self.seeds > 1)
                )
            self.diagnoses.append(told)
            said = {field: getattr(told, field) for field in ("name", "seen", "meaning", "remedy", "source")}
            self.log.write("doctor", step, {**said, "seeds": list(seeds)})


def _mean(losses: np.ndarray) -> np.ndarray:
    """Over the steps of [seeds, steps], a loss that is not finite taken as 0."""
    return np.where(np.isfinite(losses), losses, 0).mean(1, dtype=np.float64)


def read(folder: Path) -> list[dict[str, Any]]:
    """The diagnoses in a run folder and the folders of its parts, each with the name of its part."""
    found = []
    for path in sorted(folder.rglob("metrics.jsonl")):
        found += entries(str(path.parent.relative_to(folder)), logs.read(path))
    return found


def entries(part: str, rows: Iterable[logs.Row]) -> list[dict[str, Any]]:
    """The diagnoses among the rows of a log, with the name of the part of a run that it is of."""
    told = [row for row in rows if row["kind"] == "doctor"]
    return [
        {
            "part": part,
            **{name: value for name, value in row.items() if name != "kind"},
            "seeds": [int(seed) for seed in row["seeds"]],
        }
        for row in told
    ]
