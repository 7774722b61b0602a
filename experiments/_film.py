"""A run through time: the run is done once more, quietly, and looked at often, for a GIF."""

import dataclasses
from collections.abc import Callable, Iterable
from typing import Any

import numpy as np

from jaxdl import plots
from jaxdl.run import Output

FRAMES = 30


class Film:
    """What is seen of the states before the first step and at every check."""

    def __init__(self, look: Callable[[Any], Any]):
        self.look, self.seen = look, {}

    def __call__(self, step: int, states: Any) -> dict[str, np.ndarray]:
        """Look; an `Output.observe` that logs nothing."""
        self.seen[step] = np.asarray(self.look(states))
        return {}

    def output(self, out: Output) -> Output:
        """Where the run that is filmed goes: nowhere, past this."""
        return dataclasses.replace(out, folder=None, observe=self)

    def looks(self) -> dict[int, np.ndarray]:
        """At most `FRAMES` of what was seen, by step."""
        return {step: self.seen[step] for step in spaced(sorted(self.seen), FRAMES)}


def spaced(steps: list[int], count: int) -> list[int]:
    """At most `count` of the rising steps, closer together at the start, where most happens.

    >>> spaced([0, 10, 20, 30, 40, 50, 60, 70, 80], 4)
    [0, 10, 30, 80]
    """
    places = np.unique(np.rint(np.geomspace(1, len(steps), count)).astype(int)) - 1
    return [steps[i] for i in places]


def write(out: Output, name: str, figures: Iterable[Any]) -> None:
    """Figures of one size as figures/name.gif."""
    if out.folder is not None:
        frames = np.stack([plots.pixels(figure) for figure in figures])
        plots.animation(out.folder / "figures" / f"{name}.gif", frames[:, None], columns=1, milliseconds=200)
