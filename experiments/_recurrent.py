"""What the experiments with recurrent networks share: the optimizer, and a look at what is written."""

import re
from typing import Any

import jax
import numpy as np
import optax

from jaxdl.learners import sequence
from jaxdl.transforms import each_seed


def optimizer(steps: int, learning_rate: float) -> optax.GradientTransformation:
    """Adam on a one-cycle schedule, with the norm of the gradient clipped at 1 (Pascanu et al., 2013)."""
    schedule = optax.cosine_onecycle_schedule(steps, learning_rate, pct_start=0.1)
    return optax.chain(optax.clip_by_global_norm(1.0), optax.adam(schedule))


def judge(model: Any, states: Any, rows: dict) -> tuple[np.ndarray, np.ndarray]:
    """Answers of all seeds, [seeds, rows, 1], and their mean squared errors, [seeds]."""
    answer = jax.jit(each_seed(sequence.predict(model)))
    answers = np.asarray(answer(states, rows["input"], rows.get("length")))
    return answers, np.square(answers - rows["target"]).mean((1, 2))


def known_words(sample: str, text: str) -> float:
    """The share of the words of a sample that occur in a text, whatever their case; 0 without words."""
    known, written = set(_words(text)), _words(sample)
    return sum(word in known for word in written) / max(1, len(written))


def _words(text: str) -> list[str]:
    return re.findall(r"[a-z']+", text.lower())
