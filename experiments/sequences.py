"""What follows 6, 7, 8, and what 2, 4, 8? And who remembers a number for 120 steps?

Reproduces: 003:1028-1038, "6, 7, 8 -> ?" and "2, 4, 8 -> ?": to go by the 8 is not enough.
Paper: Hochreiter, Schmidhuber 1997, Long short-term memory (adding problem); Cho et al. 2014 (GRU).
Command: python -m experiments sequences
Expected: MSE 100 times under the best memoryless one; LSTM and GRU add over 120 steps, the RNN not.
Time: 3 minutes on 2 CPU cores
"""

import dataclasses
from typing import Any

from experiments import _recurrent
from jaxdl import losses, models, plots
from jaxdl.data import order, sequences
from jaxdl.learners import sequence
from jaxdl.run import Fitted, Output, Report, claim, fit
from jaxdl.run.folder import part
from jaxdl.transforms import resident

ADDING = "adding problem, MSE / variance of the target"
SOURCE = "Hochreiter, Schmidhuber 1997, experiment 4"
SQUARE = sequences.LIMIT**2  # networks see values in 0..1, the slide has 0..100


@dataclasses.dataclass(frozen=True)
class Config:
    """Three networks with as many units each, on two tasks."""

    hidden: int = 32  # units of the one recurrent layer
    rows: int = 10000  # training sequences of each task
    length: int = 120  # steps of the adding problem
    batch_size: int = 32  # sequences per step
    epochs: int = 10  # passes over the training sequences of each task
    learning_rate: float = 1e-2  # peak of the one-cycle schedule of Adam
    seeds: int = 3  # independent runs
    seed: int = 0  # of the first run


def run(config: Config, out: Output) -> Report:
    """Train each network on each task, and hold it against who remembers nothing."""
    values, slide = sequences.progressions(1, 5000), sequences.slide_pair()
    shown = sequences.progressions(0, config.rows)
    train = {"progressions": sequences.unit(shown), "adding": sequences.adding(0, config.rows, config.length)}
    held_out = {"progressions": sequences.unit(values), "adding": sequences.adding(1, 2000, config.length)}
    memoryless, variance = sequences.memoryless_error(values), float(held_out["adding"]["target"].var())
    found, curves = [], {task: {} for task in train}
    facts: dict[str, Any] = {"memoryless_mse": round(memoryless, 3)}
    for cell in ("rnn", "lstm", "gru"):
        model = models.RecurrentNet(config.hidden, 1, cell, many_to_many=False)
        fits = {task: part(out, f"{task}-{cell}", model) for task in train}
        fits = {task: learn(model, train[task], held_out[task], config, to) for task, to in fits.items()}
        errors = _recurrent.judge(model, fits["progressions"].state, held_out["progressions"])[1] * SQUARE
        answers, on_slide = _recurrent.judge(model, fits["progressions"].state, sequences.unit(slide))
        share = _recurrent.judge(model, fits["adding"].state, held_out["adding"])[1] / variance
        for task in curves:
            curves[task][cell] = fits[task].rows
        found += [
            claim(f"{cell}: memoryless MSE / its MSE", "003:1038", ">= 100", memoryless / errors),
            claim(f"{cell}: MSE on the pair of the slide", "003:1036", "< 12.25", on_slide * SQUARE),
            claim(f"{cell}: {ADDING}", SOURCE, ">= 0.5" if cell == "rnn" else "<= 0.1", share),
        ]
        facts[cell] = {
            "answers_9_and_16": (answers[..., 0].astype(float) * sequences.LIMIT).round(2).tolist()
        }
    levels = {"progressions": memoryless / SQUARE, "adding": variance}
    out.figure("errors", plots.errors_through_training(curves, levels, "best without memory"))
    return Report(found, facts)


def learn(model: Any, train: dict, test: dict, config: Config, out: Output) -> Fitted:
    """Fit all seeds of one network on one task."""
    epoch = max(1, config.rows // config.batch_size)
    steps = config.epochs * epoch
    optimizer = _recurrent.optimizer(steps, config.learning_rate)
    learner = sequence.learner(model, optimizer, loss=losses.squared_error)
    few = {name: x[:500] for name, x in test.items()}  # for the curves; nothing is chosen by them
    evaluate = sequence.evaluate(model, {"loss": losses.squared_error})
    return fit(resident(learner, config.batch_size, order.rows), train, steps=steps, loop="vmap",
               batch_size=config.batch_size, seed=config.seed, seeds=config.seeds,
               every=max(1, epoch // 2), evaluate=evaluate, validation=few, output=out)  # fmt: skip
