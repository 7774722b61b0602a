"""A perceptron learns AND and OR, never XOR; a hidden layer does (002:81-83, 148-168).

Reproduces: 002:160-168, the perceptron and the exclusive or (F14); "ne peut pas resoudre" of 002:156.
Paper: Rosenblatt 1958, The perceptron; Minsky, Papert 1969, Perceptrons.
Command: python -m experiments perceptron
Expected: no mistake on AND and OR; on XOR at most 3 of 4 right with any line, and all with a hidden layer.
Time: 0.2 minutes on 2 CPU cores
"""

import dataclasses
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax

from jaxdl import data, models, plots
from jaxdl.learners import supervised
from jaxdl.run import Output, Report, claim
from jaxdl.transforms import many_steps, over_seeds, resident

INPUTS = jnp.array([[0.0, 0.0], [0.0, 1.0], [1.0, 0.0], [1.0, 1.0]])
TARGETS = {"AND": np.array([0, 0, 0, 1]), "OR": np.array([0, 1, 1, 1]), "XOR": np.array([0, 1, 1, 0])}
AXIS = np.linspace(-0.5, 1.5, 81)  # of the maps
PLANE = jnp.array(np.stack(np.meshgrid(AXIS, AXIS), -1).reshape(-1, 2), jnp.float32)


@dataclasses.dataclass(frozen=True)
class Config:
    """Rosenblatt's rule from weights of 0, and an MLP by back-propagation."""

    epochs: int = 50  # passes of the perceptron over the four examples
    hidden: int = 8  # units of the MLP's layer
    steps: int = 400  # of the MLP, on all four examples
    learning_rate: float = 0.05  # of the MLP's Adam
    seeds: int = 10  # MLPs; the first is drawn
    seed: int = 0  # of the first MLP


def run(config: Config, out: Output) -> Report:
    """Learn, try every line of a grid on XOR, train the MLPs, draw what each says of the plane."""
    maps, claims = {}, []
    for name, targets in TARGETS.items():
        mistakes, (weights, bias) = learn(jnp.where(targets == 1, 1.0, -1.0), config.epochs)
        maps[f"{name}, perceptron"] = PLANE @ weights + bias >= 0, targets
        bound = "> 0" if name == "XOR" else "= 0 +- 0"
        claims.append(claim(f"mistakes in the last pass, {name}", "002:156", bound, mistakes))
    grid = jnp.stack(jnp.meshgrid(*[jnp.linspace(-2, 2, 33)] * 3), -1).reshape(-1, 3)
    right = ((grid[:, :2] @ INPUTS.T + grid[:, 2:] >= 0) == TARGETS["XOR"][None]).mean(1)
    pair = models.heaviside(INPUTS @ jnp.ones((2, 2)) + jnp.array([[-0.5, -1.5]]))  # at least one; both
    by_hand = (models.heaviside(pair @ jnp.array([1.0, -2.0]) - 0.5) != TARGETS["XOR"]).sum()
    model = models.MLP((config.hidden,), 2, activation=models.tanh)
    rows = {"input": INPUTS, "target": jnp.array(TARGETS["XOR"])}
    learner = resident(supervised.learner(model, optax.adam(config.learning_rate)), 4, data.order.rows)
    runs = over_seeds(many_steps(learner, config.steps), config.seeds, "vmap")
    state, _ = jax.jit(runs.step)(runs.init(jax.random.key(config.seed), rows), rows)
    apply: Any = model.apply
    says = jax.vmap(lambda params, x: jax.nn.softmax(apply({"params": params}, x))[:, 1], (0, None))
    accuracy = ((says(state.net.params, INPUTS) > 0.5) == TARGETS["XOR"][None]).mean(1)
    maps["XOR, hidden layer"] = says(state.net.params, PLANE)[0], TARGETS["XOR"]
    shown = {name: (AXIS, AXIS, np.asarray(said, float).reshape(81, 81)) for name, (said, _) in maps.items()}
    points = {name: (np.asarray(INPUTS), targets) for name, (_, targets) in maps.items()}
    out.figure("maps", plots.decision_maps(shown, points))
    return Report([
        *claims,
        claim("share of XOR that the best of 33^3 lines gets right", "002:156", "= 0.75 +- 0", right.max()),
        claim("mistakes of two neurons and a third by hand, XOR", "002:85", "= 0 +- 0", by_hand),
        claim("share of XOR that an MLP gets right", "002:85", "= 1 +- 0", accuracy),
    ])  # fmt: skip


def learn(targets: jax.Array, epochs: int) -> tuple[jax.Array, Any]:
    """Mistakes in the last pass, and the weights and bias after it."""

    def visit(state: Any, example: Any) -> Any:
        moved = models.perceptron_update(*state, *example)
        return moved, jnp.any(moved[1] != state[1])

    state, mistakes = jax.lax.scan(
        lambda state, _: jax.lax.scan(visit, state, (INPUTS, targets)),
        (jnp.zeros(2), jnp.zeros(())),
        length=epochs,
    )
    return mistakes[-1].sum(), state
