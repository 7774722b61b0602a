"""What a run is told about writing and talking."""

import dataclasses
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from jaxdl import plots
from jaxdl.learner import State
from jaxdl.run import log as logs

Observe = Callable[[int, State], Mapping[str, Any]]


@dataclasses.dataclass(frozen=True)
class Output:
    """Where a run writes and how it talks. The folder is made once all arguments were accepted."""

    folder: Path | None = None  # run folder; None writes nothing
    resume: bool = False  # continue from the newest intact checkpoint of the folder
    progress: bool = True  # progress bar
    layers: bool = False  # norms of every layer in the log, at each evaluation
    doctor: bool = False  # name illnesses of the run and their causes, see `jaxdl.run.doctor`
    devices: int = 1  # that share the seeds, or every batch, see `jaxdl.run.spread`
    profile: bool = False  # trace of one chunk for TensorBoard or Perfetto, in folder/profile
    data_dir: Path | None = None  # folder of data sets, for an experiment to pass to `data.load`
    config: dict[str, Any] | None = None  # written to folder/config.json when the run starts
    model: Any = None  # flax module, or one by the name of each net: config.json describes it for `load`
    whole: "Output | None" = None  # of the run that this is a part of, see `jaxdl.run.folder.part`
    logger: logs.Logger | None = None  # called with every row of measurements
    report: Callable[[str], None] = print  # called with messages
    observe: Observe | None = None  # called before the first step and at every evaluation, see `fit`

    def __post_init__(self) -> None:
        if self.folder is not None:  # a str too, as `load` takes it
            object.__setattr__(self, "folder", Path(self.folder))

    def figure(self, name: str, figure: Any) -> None:
        """Write a matplotlib figure to folder/figures/name.png."""
        if self.folder is not None:
            plots.save(figure, self.folder / "figures" / f"{name}.png")


QUIET = Output(progress=False, report=lambda message: None)
