"""Leave at a request: SIGTERM and Ctrl-C end a run after the current chunk, with a checkpoint."""

import signal
import threading
from types import FrameType
from typing import Any


class Interrupted(Exception):
    """A run that was asked to stop and has saved its state. Its exit code is 128 + the signal's number."""

    def __init__(self, signal_number: int, step: int, saved: bool):
        name = signal.Signals(signal_number).name
        after = "saved; continue with --resume" if saved else "nothing was saved: the run has no folder"
        super().__init__(f"{name} at step {step}: {after}")
        self.exit_code = 128 + signal_number


class Watch:
    """While active, notes SIGTERM and SIGINT instead of dying of them; a second one is obeyed at once."""

    def __init__(self) -> None:
        self.received: int | None = None  # the signal's number
        self._previous: dict[int, Any] = {}

    def __enter__(self) -> "Watch":
        if threading.current_thread() is threading.main_thread():  # Python allows handlers only there
            for number in (signal.SIGTERM, signal.SIGINT):
                self._previous[number] = signal.signal(number, self._note)
        return self

    def __exit__(self, *_: object) -> None:
        for number, handler in self._previous.items():
            signal.signal(number, handler)

    def _note(self, number: int, _: FrameType | None) -> None:
        if self.received is not None:
            raise KeyboardInterrupt
        self.received = number
