"""The playground's networks, one per point set side by side, what is watched of them, and the figures."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np

from jaxdl import losses, metrics, models, plots
from jaxdl.data import playground
from jaxdl.learner import Batch, Key, Learner, Metrics, State, lift, stream
from jaxdl.learners import supervised
from jaxdl.run import Fitted, Output
from jaxdl.transforms import each_seed

AXIS = np.linspace(-6, 6, 60)  # of the maps: what TensorFlow Playground shows
PLANE = np.stack(np.meshgrid(AXIS, AXIS), -1).reshape(-1, 1, 2).astype(np.float32)
COLOURS = {-1: "#B2182B", 1: "#2166AC"}  # of the two classes, as in `plots.decision_maps`
DRAWINGS, DRAW = 100, 0xD6A3  # of each point set, and the random stream that chooses one
PALER = 1.8  # the answer that would be drawn as dark as the points are


class Network(nn.Module):
    """A tanh network per point set, with TensorFlow Playground's start; they share nothing.

    Side by side in one module they train in one program, as if each were alone: the gradient of
    the sum of their losses is the gradient of each.
    """

    widths: tuple[int, ...]  # units of the hidden layers
    sets: int = len(playground.NAMES)

    @nn.compact
    def __call__(self, x: jax.Array, train: bool = False) -> jax.Array:
        """[batch, sets, 2] to answers between -1 and 1, [batch, sets]. `train` changes nothing."""
        for i, width in enumerate((*self.widths, 1)):
            shape = (self.sets, x.shape[-1], width)
            kernel = self.param(f"kernel{i}", lambda key, s=shape: jax.random.uniform(key, s) - 0.5)
            bias = self.param(f"bias{i}", nn.initializers.constant(0.1), (1, self.sets, width))
            x = models.tanh(jnp.einsum("bsi,sio->bso", x, kernel) + bias)
        return x[..., 0]


def half_squared_error(prediction: jax.Array, target: jax.Array) -> jax.Array:
    """TensorFlow Playground's loss, (y - t)^2 / 2, summed over the point sets."""
    return 0.5 * losses.squared_error(prediction, target)


def points(noise: float, drawings: int = DRAWINGS) -> tuple[Batch, Batch]:
    """Every set, drawn several times, as (train, test).

    Returns:
      "input" [drawings, 250, sets, 2] and "target" [drawings, 250, sets], -1.0 or 1.0.
    """
    train, test = [], []
    for seed in range(drawings):
        drawn = [playground.points(name, seed, noise) for name in playground.NAMES]
        for split, parts in zip((train, test), zip(*drawn, strict=True), strict=True):
            split.append(jax.tree.map(lambda *each: np.stack(each, 1), *parts))
    stacked = [jax.tree.map(lambda *each: np.stack(each), *split) for split in (train, test)]
    signed = [{**split, "target": np.float32(2) * split["target"] - 1} for split in stacked]
    return signed[0], signed[1]


def own(data: Batch, key: Key) -> Batch:
    """The drawing that the run with this key has: success must not hang on the luck of one drawing."""
    index = jax.random.randint(stream(key, DRAW, 0), (), 0, len(data["target"]))
    return jax.tree.map(lambda x: x[index], data)


def on_its_own_points(learner: Learner) -> Learner:
    """A resident learner that takes its own drawing out of all of them."""

    def init(key: Key, data: Batch) -> State:
        return learner.init(key, own(data, key))

    def step(state: State, data: Batch) -> tuple[State, Metrics]:
        return learner.step(state, own(data, state.key))

    inspect = lift(learner, lambda look: lambda state, data: look(state, own(data, state.key)))
    return Learner(init, step, inspect, resident=True)


class Watch:
    """Losses and accuracy of every seed and the maps of the first, an `Output.observe`."""

    def __init__(self, model: Network, train: Batch, test: Batch, folder: Path | None):
        measure = supervised.evaluate(
            model,
            {"loss": lambda y, t: 0.5 * (y - t) ** 2, "accuracy": lambda y, t: (y > 0) == (t > 0)},
        )
        predict = supervised.predict(model)

        @jax.jit
        def look(states: Any, rows: dict[str, Batch], plane: jax.Array) -> tuple[Any, jax.Array]:
            def one(state: Any) -> dict[str, Any]:
                return {part: metrics.mean(measure(state, own(rows[part], state.key))) for part in rows}

            return each_seed(one, "vmap")(states), predict(jax.tree.map(lambda x: x[0], states), plane)

        shared = jax.device_put(({"train": train, "test": test}, PLANE.repeat(model.sets, 1)))
        self.look = lambda states: look(states, *shared)
        self.folder = folder
        self.maps: dict[int, np.ndarray] = {}  # by step

    def __call__(self, step: int, states: Any) -> dict[str, np.ndarray]:
        """By name such as "circle/test_loss", one value per seed."""
        values, plane = self.look(states)
        self.maps[step] = np.asarray(plane, np.float16).T.reshape(-1, len(AXIS), len(AXIS))
        if self.folder is not None:
            self.folder.mkdir(parents=True, exist_ok=True)
            np.save(self.folder / f"{step:07d}.npy", self.maps[step])
        return {
            f"{name}/{part}_{measure}": np.asarray(values[part][measure][:, i])
            for i, name in enumerate(playground.NAMES)
            for part in ("train", "test")
            for measure in ("loss", "accuracy")
        }

    def film(self) -> dict[int, np.ndarray]:
        """By step, answers [sets, rows, columns] all over the plane, those before a resume included."""
        files = self.folder.glob("*.npy") if self.folder is not None else []
        kept = {int(path.stem): np.load(path) for path in files} | self.maps
        return {step: kept[step].astype(np.float32) for step in sorted(kept)}


def history(fitted: Fitted) -> dict[str, np.ndarray]:
    """The rows of a `Watch`, [checks, seeds] by name, and "step" [checks]."""
    rows = [row for row in fitted.rows if row["kind"] == "observed"]
    return {name: np.array([row[name] for row in rows]) for name in rows[0].keys() - {"kind"}}


def medians(values: Mapping[str, Mapping[str, np.ndarray]]) -> dict[str, dict[str, float]]:
    """Over the seeds at the last look, by network and measure."""
    return {
        network: {name: round(float(np.median(x[-1])), 4) for name, x in sorted(looks.items()) if "/" in name}
        for network, looks in values.items()
    }


def draw(
    out: Output,
    films: Mapping[str, Mapping[int, np.ndarray]],
    values: Mapping[str, Mapping[str, np.ndarray]],
    train: Batch,
    epoch: int,
) -> None:
    """Maps of every network on every set, on the circle through training, losses, the largest one's film.

    Args:
      out: where to.
      films: of a `Watch`, by name of the network, the largest last.
      values: of `history`, by the same names.
      train: the points of the first seed.
      epoch: its steps.
    """
    curves = {
        network: {part: (looks["step"] / epoch, looks[f"circle/{part}_loss"]) for part in ("train", "test")}
        for network, looks in values.items()
    }
    axis = "epoch; loss on the circle, mean and range over seeds"
    out.figure("losses", plots.series(curves, axis, logarithmic=list(curves)[2:]))
    sets = {name: (train["input"][:, i], train["target"][:, i]) for i, name in enumerate(playground.NAMES)}
    maps = {row: dict(zip(sets, film[max(film)], strict=True)) for row, film in films.items()}
    out.figure("maps", map_grid(maps, sets))
    steps = sorted(films[next(iter(films))])
    chosen = sorted({min(steps, key=lambda step: abs(step - at * epoch)) for at in (0, 20, 50, 100, 10**9)})
    titles = {f"epoch {step // epoch}": step for step in chosen}
    maps = {row: {title: film[step][0] for title, step in titles.items()} for row, film in films.items()}
    out.figure("circle", map_grid(maps, dict.fromkeys(titles, sets[playground.NAMES[0]])))
    if out.folder is not None:
        last = list(films.values())[-1]
        plots.animation(out.folder / "figures" / "training.gif", frames(last, train), columns=2)


def map_grid(maps: Mapping[str, Mapping[str, np.ndarray]], points: Mapping[str, tuple]) -> Any:
    """Maps by row and column, each with the points to be classified; the border is a black line.

    Args:
      maps: answers [rows, columns] between -1 and 1.
      points: inputs [n, 2] and targets -1 (circles) or 1 (squares) [n], by column.
    """
    figure, axes = plots.subplots(len(maps), len(points), (2.1 * len(points) + 0.3, 2.1 * len(maps) + 0.3))
    ends = (AXIS[0], AXIS[-1], AXIS[0], AXIS[-1])
    for line, (row, shown) in zip(axes, maps.items(), strict=True):
        line[0].set_ylabel(row, fontsize=11)
        for axis, (column, answers) in zip(line, shown.items(), strict=True):
            axis.imshow(answers, extent=ends, origin="lower", cmap="RdBu", vmin=-PALER, vmax=PALER)
            if answers.min() < 0 < answers.max():
                axis.contour(AXIS, AXIS, answers, levels=[0], colors="black", linewidths=1.2)
            inputs, targets = points[column]
            for label, marker in ((-1, "o"), (1, "s")):
                chosen = inputs[targets == label].T
                axis.scatter(*chosen, marker=marker, color=COLOURS[label], ec="white", lw=0.4, s=11)
            axis.set(xticks=[], yticks=[])
    for axis, column in zip(axes[0], points, strict=True):
        axis.set_title(column, fontsize=11)
    return figure


def frames(film: Mapping[int, np.ndarray], train: Batch, size: int = 240) -> np.ndarray:
    """The maps through training with the points, uint8 [checks, sets, size, size, 3]."""
    import matplotlib as mpl
    from matplotlib.colors import to_rgb

    fine = np.linspace(AXIS[0], AXIS[-1], size)
    between = np.stack([np.interp(fine, AXIS, one) for one in np.eye(len(AXIS))], 1)  # linear, [size, AXIS]
    answers = between @ np.stack(list(film.values())) @ between.T
    colour = mpl.colormaps["RdBu"](answers / (2 * PALER) + 0.5)[..., :3]
    above = np.pad(answers > 0, ((0, 0), (0, 0), (0, 1), (0, 1)), mode="edge")
    here = above[..., :-1, :-1]
    colour[(here ^ above[..., 1:, :-1]) | (here ^ above[..., :-1, 1:])] = 0  # the border
    pixels = np.rint((train["input"] - AXIS[0]) / (AXIS[-1] - AXIS[0]) * (size - 1)).astype(int)
    for i, label in np.ndindex(answers.shape[1], 2):
        chosen = pixels[train["target"][:, i] == 2 * label - 1, i]
        for radius, paint in ((2, "white"), (1, COLOURS[2 * label - 1])):
            for move in np.ndindex(2 * radius + 1, 2 * radius + 1):
                x, y = np.clip(chosen + np.array([move]) - radius, 0, size - 1).T
                colour[:, i, y, x] = to_rgb(paint)
    return np.rint(colour[:, :, ::-1] * 255).astype(np.uint8)  # images begin at the top
