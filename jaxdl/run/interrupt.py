"""Leave at a request: SIGTERM and Ctrl-C end a run after the current chunk, with a checkpoint.

Python runs a signal's handler only once compiled code has returned, which in the middle of XLA's
compilation may be long after a scheduler has lost its patience. So a thread beside hears of the
signal at once, and ends the process where nothing would be lost by it.
"""

import os
import signal
import sys
import threading
from collections.abc import Callable
from types import FrameType
from typing import Any

SIGNALS = (signal.SIGTERM, signal.SIGINT)


class Interrupted(Exception):
    """A run that was asked to stop and has saved its state. Its exit code is 128 + the signal's number."""

    def __init__(self, signal_number: int, step: int, saved: bool):
        name = signal.Signals(signal_number).name
        after = "saved; continue with --resume" if saved else "nothing was saved: the run has no folder"
        super().__init__(f"{name} at step {step}: {after}")
        self.exit_code = 128 + signal_number


class Watch:
    """While active, notes SIGTERM and SIGINT instead of dying of them; a second one is obeyed at once.

    Args:
      idle: () -> True where every step that was done has been saved. The process then ends at the
        first signal, whatever it is doing, with the exit code 128 + the signal's number; but not
        a notebook or a prompt, which hold more than the run. None: it never does.
    """

    def __init__(self, idle: Callable[[], bool] | None = None) -> None:
        self.received: int | None = None  # the signal's number
        self._idle = idle
        self._previous: dict[int, Any] = {}
        self._pipe: tuple[int, int] | None = None

    def __enter__(self) -> "Watch":
        if threading.current_thread() is threading.main_thread():  # Python allows handlers only there
            for number in SIGNALS:
                self._previous[number] = signal.signal(number, self._note)
            self._pipe = os.pipe()
            os.set_blocking(self._pipe[1], False)
            self._wakeup = signal.set_wakeup_fd(self._pipe[1], warn_on_full_buffer=False)
            self._thread = threading.Thread(target=self._listen, args=(self._pipe[0],), daemon=True)
            self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        for number, handler in self._previous.items():
            signal.signal(number, handler)
        if self._pipe is not None:
            signal.set_wakeup_fd(self._wakeup)
            os.close(self._pipe[1])  # which ends the thread
            self._thread.join()
            os.close(self._pipe[0])

    def _note(self, number: int, _: FrameType | None) -> None:
        if self.received is not None:
            raise KeyboardInterrupt
        self.received = number

    def _listen(self, pipe: int) -> None:
        while number := os.read(pipe, 1):
            if number[0] in SIGNALS and self._idle and self._idle() and not hasattr(sys, "ps1"):
                name = signal.Signals(number[0]).name
                print(f"{name}: no step was done since the last save", file=sys.stderr, flush=True)
                os._exit(128 + number[0])
