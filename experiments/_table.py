"""The README's tables, from the committed results: every claim, and the foundations in a line each."""

import json
from pathlib import Path

from jaxdl.run.report import claims_of, spread

RESULTS = Path(__file__).parent / "results"
FOUNDATIONS = {path.stem for path in (Path(__file__).parent / "foundations").glob("*.py")}


def markdown() -> str:
    """One row per claim: script, slide, expected, measured with spread and seeds, time, device, date.

    The foundations, many exact numbers that take seconds, are summed up below.
    """
    lines = ["| experiment | claim | slide | expected | measured | | time |", "|---|---|---|---|---|---|---|"]
    results = {path.stem: json.loads(path.read_text()) for path in sorted(RESULTS.glob("*.json"))}
    summed = []
    for stem, result in results.items():
        if result["experiment"] in FOUNDATIONS:
            held = [each["holds"] for each in result["claims"]]
            summed.append(f"`{stem}` {sum(held)} of {len(held)}")
            continue
        name, _, variant = stem.partition("-")
        for i, claim in enumerate(claims_of(result)):
            cells = [
                f"`{name}`{variant and f', {variant}'}" if i == 0 else "",
                claim.name,
                claim.source,
                claim.expected,
                spread(claim),
                "✓" if claim.holds else "✗",
                _minutes(result["seconds"]) if i == 0 else "",
            ]
            lines.append("| " + " | ".join(cells) + " |")
    devices = sorted({f"{r['device']}, jax {r['versions']['jax']}, {r['date']}" for r in results.values()})
    foundations = "Foundations, claims that hold: " + ", ".join(summed) + "."
    return "\n".join([*lines, "", foundations, "", "Measured on: " + "; ".join(devices) + "."])


def _minutes(seconds: float) -> str:
    return f"{seconds:.0f} s" if seconds < 90 else f"{seconds / 60:.0f} min"
