"""An LSTM writes a play, character by character (003:1028-1069).

Reproduces: the LSTM of 003:1054, "learns when to remember and when to forget", on a text.
Paper: Hochreiter, Schmidhuber 1997, Long short-term memory; Graves 2013, Generating sequences with RNNs.
Command: python -m experiments char_lm [--text input.txt --epochs 16, of github.com/karpathy/char-rnn]
Expected: >= 80 % real words in 2,000 sampled characters; tiny shakespeare: validation <= 2.25 bits.
Time: 2 minutes on 2 CPU cores (tiny shakespeare: 9 to 17 minutes)
"""

import dataclasses

import jax
import numpy as np

from experiments import _recurrent
from jaxdl import models, plots
from jaxdl.data import text as texts
from jaxdl.learner import EVALUATE, stream
from jaxdl.learners import sequence
from jaxdl.run import Output, Report, Select, claim, fit, over_split
from jaxdl.transforms import resident

SHAKESPEARE = 1_003_854  # characters of tiny shakespeare's training part


@dataclasses.dataclass(frozen=True)
class Config:
    """A network that reads the text as `batch_size` readers side by side, and never forgets its state."""

    text: str | None = None  # file to learn from; None: Romeo and Juliet, Acts I and II
    cell: str = "lstm"  # rnn, lstm or gru
    hidden: int = 256  # units of a layer
    depth: int = 1  # recurrent layers
    embedding: int = 64  # numbers that stand for a character
    dropout: float = 0.3  # share of the layers' outputs that is dropped
    length: int = 64  # characters that gradients go back
    batch_size: int = 32  # readers
    epochs: int = 40  # passes over the text
    precision: models.Precision = "float32"  # of the arithmetic of training; bf16 suits accelerators
    learning_rate: float = 4e-3  # peak of the one-cycle schedule of Adam
    temperature: float = 0.5  # of the samples: 1 is the model's own distribution, 0 the likeliest
    sampled: int = 2000  # characters written at the end
    seeds: int = 1  # independent runs
    seed: int = 0  # of the first run


def run(config: Config, out: Output) -> Report:
    """Learn to predict the next character; the state of the best validation writes."""
    text = texts.load(config.text)
    size = len(text.vocabulary)
    model = models.RecurrentNet(config.hidden, size, config.cell, config.depth, vocabulary=size,
                                embedding=config.embedding, dropout=config.dropout)  # fmt: skip
    windows = texts.windows(text.train, config.length, config.batch_size)
    epoch = len(windows["start"]) // config.batch_size
    optimizer = _recurrent.optimizer(config.epochs * epoch, config.learning_rate)
    learner = sequence.learner(models.in_precision(model, config.precision), optimizer, carried=True)
    learner = resident(learner, config.batch_size, texts.in_order)
    draw, evaluate = jax.jit(sequence.sample(model, config.sampled)), sequence.evaluate(model)

    def write(states: sequence.SequenceState, run: int = 0) -> str:
        state, prompt = jax.tree.map(lambda x: x[run], states), texts.encode("\n", text.vocabulary)[None]
        codes = draw(state, stream(state.key, EVALUATE, state.step), prompt, config.temperature)
        return texts.decode(codes[0], text.vocabulary)

    def observe(step: int, states: sequence.SequenceState) -> dict:
        if step % (epoch * max(1, config.epochs // 5)) == 0:
            out.report(f"--- after {step // epoch} epochs:\n{write(states)[:300]}\n---")
        return {}

    fitted = fit(learner, windows, steps=config.epochs * epoch, batch_size=config.batch_size, every=epoch,
                 seed=config.seed, seeds=config.seeds, evaluate=evaluate, select=Select("bits"),
                 validation=texts.streams(text.validation),
                 output=dataclasses.replace(out, model=model, observe=observe))  # fmt: skip
    out.figure("learning_curves", plots.learning_curves(fitted.rows, epoch, fitted.best_step[0] / epoch))
    test = over_split(evaluate, texts.streams(text.test))(fitted.best)["bits"]
    best = np.min([row["bits"] for row in fitted.rows if row["kind"] == "validation"], axis=0)
    samples = [write(fitted.best, i) for i in range(config.seeds)]
    out.report(samples[0])
    share = [_recurrent.known_words(each, texts.decode(text.train, text.vocabulary)) for each in samples]
    found = [claim("share of sampled words in the training text", "003:1054", ">= 0.8", share)]
    if len(text.train) == SHAKESPEARE:
        found.append(claim("validation bits per character", "plain LSTM: 2.23", "<= 2.25", best))
        tenth = "bits on validation and test, the last tenth"  # both parts are of one length
        found.append(claim(tenth, "as nanoGPT", "<= 2.25", (best + test) / 2))
    facts = {"parameters": fitted.parameters, "training_seconds": round(fitted.seconds),
             "validation_bits": round(float(best.mean()), 4), "test_bits": round(float(test.mean()), 4),
             "best_epoch": int(fitted.best_step[0]) // epoch, "sample": samples[0]}  # fmt: skip
    return Report(found, facts)
