"""A GRU invents given names, letter by letter (003:1028-1069).

Reproduces: recurrent networks on data in time (003:1009); sequences of uneven length.
Paper: Cho et al. 2014, Learning phrase representations using RNN encoder-decoder (the GRU).
Command: python -m experiments names [--text names.txt --epochs 10, of github.com/karpathy/makemore]
Expected: fewer bits per letter than the best model that sees one letter; new names.
Time: 1 minute on 2 CPU cores (the file's 29,494 names: 2 minutes)
"""

import dataclasses

import jax
import numpy as np

from experiments import _recurrent
from jaxdl import models, plots
from jaxdl.data import names as lists
from jaxdl.data import order, text
from jaxdl.learner import EVALUATE, stream
from jaxdl.learners import sequence
from jaxdl.run import Output, Report, Select, claim, fit, over_split
from jaxdl.transforms import resident


@dataclasses.dataclass(frozen=True)
class Config:
    """A network that reads a name and guesses each next letter."""

    text: str | None = None  # file with one name per line; None: common names of 2018
    cell: str = "gru"  # rnn, lstm or gru
    hidden: int = 128  # units of a layer
    depth: int = 1  # recurrent layers
    embedding: int = 32  # numbers that stand for a letter
    dropout: float = 0.4  # share of the layers' outputs that is dropped
    batch_size: int = 32  # names per step
    epochs: int = 30  # passes over the names
    learning_rate: float = 5e-3  # peak of the one-cycle schedule of Adam
    temperature: float = 1.0  # of the samples: 1 is the model's own distribution
    sampled: int = 1000  # names written at the end
    seeds: int = 1  # independent runs
    seed: int = 0  # of the first run


def run(config: Config, out: Output) -> Report:
    """Learn to predict the next letter; the state of the best validation invents names."""
    names = lists.load(config.text)
    size, longest = len(names.vocabulary), names.train["input"].shape[1]
    model = models.RecurrentNet(config.hidden, size, config.cell, config.depth, vocabulary=size,
                                embedding=config.embedding, dropout=config.dropout)  # fmt: skip
    epoch = max(1, len(names.train["length"]) // config.batch_size)
    optimizer = _recurrent.optimizer(config.epochs * epoch, config.learning_rate)
    learner = resident(sequence.learner(model, optimizer), config.batch_size, order.rows)
    draw, evaluate = jax.jit(sequence.sample(model, longest)), sequence.evaluate(model)

    def write(states: sequence.SequenceState, count: int, run: int = 0) -> list[str]:
        state = jax.tree.map(lambda x: x[run], states)
        prompt = np.tile(text.encode(lists.END, names.vocabulary), (count, 1))
        codes = draw(state, stream(state.key, EVALUATE, state.step), prompt, config.temperature)
        return [text.decode(row, names.vocabulary).split(lists.END)[0] for row in np.asarray(codes)]

    def observe(step: int, states: sequence.SequenceState) -> dict:
        if step % (epoch * max(1, config.epochs // 5)) == 0:
            out.report(f"after {step // epoch} epochs: {' '.join(write(states, 10))}")
        return {}

    fitted = fit(learner, names.train, steps=config.epochs * epoch, batch_size=config.batch_size,
                 every=epoch, seed=config.seed, seeds=config.seeds, evaluate=evaluate, select=Select("bits"),
                 validation=names.validation,
                 output=dataclasses.replace(out, model=model, observe=observe))  # fmt: skip
    out.figure("learning_curves", plots.learning_curves(fitted.rows, epoch, fitted.best_step[0] / epoch))
    measured = over_split(evaluate, names.test)(fitted.best)["bits"]
    pairs = lists.pairs_of_characters(names.train, names.test, size)
    runs = [write(fitted.best, config.sampled, i) for i in range(config.seeds)]
    runs = [[name for name in run if name] for run in runs]
    new = [np.mean([name not in names.known for name in run]) for run in runs]
    invented = runs[0][:60]
    out.report(" ".join(name for name in invented if name not in names.known))
    less = f"test bits per letter less the {pairs:.3f} of a model that sees one letter"
    found = [claim(less, "003:1038", "< 0", measured - pairs),
             claim("share of invented names that are new", "003:1009", ">= 0.5", new)]  # fmt: skip
    facts = {"parameters": fitted.parameters, "test_bits": round(float(measured.mean()), 4),
             "pairs_bits": round(pairs, 4), "best_epoch": int(fitted.best_step[0]) // epoch,
             "invented": invented}  # fmt: skip
    return Report(found, facts)
