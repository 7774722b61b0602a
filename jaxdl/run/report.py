"""Claims: a number or a statement on a slide, with the measured value beside it."""

import dataclasses
import datetime
import math
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from jaxdl.errors import InputError, require
from jaxdl.run import config as configs


@dataclasses.dataclass(frozen=True)
class Claim:
    """One statement and what came out. `holds` is computed from the others, never set."""

    name: str  # what is measured: "test accuracy"
    source: str  # deck and line, or paper: "003:550"
    expected: str  # ">= 0.99", "< 0.02", "= 0.029 +- 0.0005"
    measured: float  # mean over seeds
    std: float  # over seeds, 0 for one
    seeds: int
    holds: bool


@dataclasses.dataclass(frozen=True)
class Report:
    """What an experiment returns."""

    claims: Sequence[Claim]
    facts: dict[str, Any] = dataclasses.field(default_factory=dict)  # further numbers, as JSON


def claim(name: str, source: str, expected: str, values: Any) -> Claim:
    """Hold a measurement against what a slide says.

    Args:
      name, source: see `Claim`.
      expected: a comparison with a number: `>`, `>=`, `<`, `<=`, or `= x +- tolerance`.
      values: the measurement, one per seed. NaN holds nothing.

    Raises:
      InputError: `expected` cannot be read, or there are no values.

    >>> claim("test accuracy", "003:550", "> 0.99", [0.993, 0.995]).holds
    True
    """
    values = np.atleast_1d(np.asarray(values, np.float64))
    require(values.size >= 1, "values", values.tolist(), "a measurement, one per seed", f"measure {name!r}")
    mean, std = float(values.mean()), float(values.std(ddof=1)) if len(values) > 1 else 0.0
    return Claim(name, source, expected, mean, std, len(values), _holds(expected, mean))


def write(folder: Path, experiment: str, config: Any, report: Report, seconds: float) -> dict[str, Any]:
    """Write `result.json` into a run folder, and return its content: null for what is no number."""
    content = {
        **configs.describe(experiment, config),
        "date": datetime.date.today().isoformat(),
        "seconds": round(seconds, 1),
        **report.facts,
        "claims": [dataclasses.asdict(each) for each in report.claims],
    }
    folder.mkdir(parents=True, exist_ok=True)
    content = _finite(content)
    configs.write_json(folder / "result.json", content)
    return content


def claims_of(content: Mapping[str, Any]) -> list[Claim]:
    """The claims of a `result.json` as it was read; a measurement that is null was no number."""
    missing = {"measured": math.nan, "std": math.nan}
    rows: list[dict[str, Any]] = [
        {k: missing.get(k) if v is None else v for k, v in each.items()} for each in content["claims"]
    ]
    return [Claim(**row) for row in rows]


def table(claims: Sequence[Claim]) -> str:
    """The claims as lines of text for the terminal.

    >>> print(table([claim("test accuracy", "003:550", "> 0.99", [0.993, 0.995])]))
    holds   test accuracy  0.994 ± 0.00141 (2 seeds)  expected > 0.99  [003:550]
    """
    width = max((len(each.name) for each in claims), default=0)
    return "\n".join(
        f"{'holds  ' if each.holds else 'FAILS  '} {each.name:<{width}}  {spread(each)}"
        f"  expected {each.expected}  [{each.source}]"
        for each in claims
    )


def spread(each: Claim) -> str:
    """`0.9944 ± 0.0011 (5 seeds)`."""
    several = f" ± {each.std:.3g} ({each.seeds} seeds)" if each.seeds > 1 else ""
    return f"{each.measured:.5g}{several}"


def _finite(content: Any) -> Any:
    """JSON has no NaN and no infinity.

    >>> _finite({"loss": (1.0, math.nan)})
    {'loss': [1.0, None]}
    """
    if isinstance(content, Mapping):
        return {name: _finite(value) for name, value in content.items()}
    if isinstance(content, list | tuple):
        return [_finite(value) for value in content]
    return None if isinstance(content, float) and not math.isfinite(content) else content


def _holds(expected: str, measured: float) -> bool:
    number = r"(-?\d+(?:\.\d*)?(?:e-?\d+)?)"
    bound = re.fullmatch(rf"(>=|<=|>|<) {number}", expected)
    if bound:
        limit = float(bound[2])
        comparisons = {
            ">": measured > limit,
            ">=": measured >= limit,
            "<": measured < limit,
            "<=": measured <= limit,
        }
        return comparisons[bound[1]]
    near = re.fullmatch(rf"= {number} \+- {number}", expected)
    if near:
        return abs(measured - float(near[1])) <= float(near[2])
    raise InputError("expected", expected, "'> 0.99', '<= 2' or '= 0.029 +- 0.0005'", "see report.claim")
