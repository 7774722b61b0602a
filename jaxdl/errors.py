"""The one error for bad input: what was given, what was expected, and what to do.

JAX clamps, wraps and broadcasts without a word, so values that come from outside (options,
files, arrays) are checked on the host before anything is compiled or written.
"""

import difflib
from collections.abc import Iterable
from typing import Any


class InputError(ValueError):
    """A value from outside that cannot be used. Its message is one line with four parts.

    >>> raise InputError("batch_size", 0, "an integer >= 1", "try 32")
    Traceback (most recent call last):
    jaxdl.errors.InputError: batch_size: got 0, expected an integer >= 1; try 32
    """

    def __init__(self, field: str, value: Any, expected: str, remedy: str):
        super().__init__(f"{field}: got {value!r}, expected {expected}; {remedy}")
        self.field, self.value = field, value


def require(condition: bool, field: str, value: Any, expected: str, remedy: str) -> None:
    """Raise `InputError` unless `condition` holds."""
    if not condition:
        raise InputError(field, value, expected, remedy)


def require_choice(field: str, value: str, choices: Iterable[str], expected: str | None = None) -> None:
    """Raise `InputError` unless `value` is one of `choices`; the remedy names the nearest one.

    `expected` stands for the list of choices in the message where that would be long.
    """
    choices = list(choices)
    near = difflib.get_close_matches(str(value), choices, n=1)
    remedy = f"did you mean {near[0]!r}?" if near else "choose one of these"
    require(value in choices, field, value, expected or "one of " + ", ".join(choices), remedy)
