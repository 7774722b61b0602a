"""The one error for bad input: what was given, what was expected, and what to do.

JAX clamps, wraps and broadcasts without a word, so values that come from outside (options,
files, arrays) are checked on the host before anything is compiled or written.
"""

import difflib
import math
from collections.abc import Iterable
from typing import Any

import numpy as np
from jax.core import Tracer


class InputError(ValueError):
    """A value from outside that cannot be used. Its message is one line with four parts.

    >>> raise InputError("batch_size", 0, "an integer >= 1", "try 32")
    Traceback (most recent call last):
    jaxdl.errors.InputError: batch_size: got 0, expected an integer >= 1; try 32
    """

    def __init__(self, field: str, value: Any, expected: str, remedy: str):
        super().__init__(f"{field}: got {value!r}, expected {expected}; {remedy}")
        self.field, self.value, self.expected, self.remedy = field, value, expected, remedy


def require(condition: bool, field: str, value: Any, expected: str, remedy: str) -> None:
    """Raise `InputError` unless `condition` holds.

    Args:
      condition: what must be true.
      field, value, expected, remedy: see `InputError`.
    """
    if not condition:
        raise InputError(field, value, expected, remedy)


def require_number(
    field: str,
    value: Any,
    low: float,
    high: float = math.inf,
    *,
    remedy: str,
    whole: bool = False,
    open_low: bool = False,
    open_high: bool = False,
) -> None:
    """Raise `InputError` unless `value` is one finite number of low..high; traced values pass.

    Args:
      field, value, remedy: see `InputError`.
      low, high: the ends, which belong to the range.
      whole: an integer is expected.
      open_low, open_high: that end does not belong to the range.

    >>> require_number("dropout", 1.0, 0, 1, open_high=True, remedy="0 switches it off")
    Traceback (most recent call last):
    jaxdl.errors.InputError: dropout: got 1.0, expected a number in [0, 1); 0 switches it off
    """
    if isinstance(value, Tracer):
        return
    # In NumPy: inside of a trace JAX would trace the comparison of arrays that are known.
    number = np.asarray(value)
    accepted = number.ndim == 0 and number.dtype.kind in ("iu" if whole else "iuf") and np.isfinite(number)
    if accepted:
        above = low < number if open_low else low <= number
        accepted = above and (number < high if open_high else number <= high)
    noun = "an integer" if whole else "a number"
    if math.isinf(high):
        expected = f"{noun} {'>' if open_low else '>='} {low}"
    elif whole:
        expected = f"{noun} in {low}..{high}"
    else:
        expected = f"{noun} in {'(' if open_low else '['}{low}, {high}{')' if open_high else ']'}"
    require(bool(accepted), field, value, expected, remedy)


def require_widths(field: str, values: Any, remedy: str = "leave a layer out instead") -> None:
    """Raise `InputError` unless `values` are integers >= 1: units or filters, layer by layer.

    >>> require_widths("widths", (10, 0))
    Traceback (most recent call last):
    jaxdl.errors.InputError: widths: got (10, 0), expected integers >= 1; leave a layer out instead
    """
    whole = isinstance(values, tuple | list) and all(np.asarray(x).dtype.kind in "iu" for x in values)
    require(whole and all(x >= 1 for x in values), field, values, "integers >= 1", remedy)


def require_choice(field: str, value: str, choices: Iterable[str], expected: str | None = None) -> None:
    """Raise `InputError` unless `value` is one of `choices`; the remedy names the nearest one.

    `expected` stands for the list of choices in the message where that would be long.
    """
    choices = list(choices)
    near = difflib.get_close_matches(str(value), choices, n=1)
    remedy = f"did you mean {near[0]!r}?" if near else "choose one of these"
    require(value in choices, field, value, expected or "one of " + ", ".join(choices), remedy)
