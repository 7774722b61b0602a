"""Every row of the slides with its state, which is computed from the results that exist."""

import dataclasses
import json
import re
import tomllib
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from jaxdl.run.report import Claim, claims_of

CATALOGUE = Path(__file__).parent / "slides.toml"
RESULTS = Path(__file__).parent / "results"
# In the order in which they are counted and listed.
STATES = {
    "holds": "reproduced",
    "fails": "does not hold",
    "wrong": "wrong on the slide",
    "open": "not run yet",
    "context": "context only",
}


class Place(NamedTuple):
    """Some lines of a deck."""

    deck: str
    first: int
    last: int

    def __str__(self) -> str:
        end = f"-{self.last}" if self.last > self.first else ""
        return f"{self.deck}:{self.first}{end}"


class Deck(NamedTuple):
    """One of the slide decks, as text."""

    id: str
    lines: int
    title: str
    author: str


@dataclasses.dataclass(frozen=True)
class Row:
    """An equation, a number, a figure or a practice of the slides; slides.toml explains the fields."""

    id: str
    at: tuple[Place, ...]
    kind: str
    term: str
    en: str
    fr: str
    flag: str = ""
    note_en: str = ""
    note_fr: str = ""
    by: Sequence[str] = ()
    show: Sequence[str] | None = None


class Catalogue(NamedTuple):
    """The file slides.toml."""

    decks: dict[str, Deck]
    rows: list[Row]  # in the order of the slides


class Result(NamedTuple):
    """What a run of an experiment left behind."""

    experiment: str
    variant: str  # "" for the defaults
    content: dict[str, Any]  # of result.json
    claims: list[Claim]
    folder: Path | None = None  # of the run, with its figures; None for a committed record


def places(text: str) -> list[Place]:
    """The slides that a source cites.

    >>> [str(place) for place in places("003:1088; Baldi, Hornik 1989; 001:5-7")]
    ['003:1088', '001:5-7']
    """
    found = re.findall(r"\b(\d{3}):(\d+)(?:-(\d+))?", text)
    return [Place(deck, int(first), int(last or first)) for deck, first, last in found]


def catalogue(path: Path = CATALOGUE) -> Catalogue:
    """Read slides.toml."""
    content = tomllib.loads(path.read_text())
    rows = []
    for fields in content["row"]:
        at = tuple(place for text in fields.pop("at") for place in places(text))
        rows.append(Row(at=at, **fields))
    decks = {deck["id"]: Deck(**deck) for deck in content["deck"]}
    return Catalogue(decks, sorted(rows, key=lambda row: row.at[0]))


def result(content: dict[str, Any], variant: str, folder: Path | None = None) -> Result:
    """What a result.json says."""
    return Result(content["experiment"], variant, content, claims_of(content), folder)


def committed() -> list[Result]:
    """The records in experiments/results: NAME.json, or NAME-VARIANT.json for other options."""
    paths = sorted(RESULTS.glob("*.json"), key=lambda path: path.stem)
    return [result(json.loads(path.read_text()), path.stem.partition("-")[2]) for path in paths]


def shown_by(row: Row, results: Iterable[Result]) -> list[tuple[Result, Claim]]:
    """The claims that a row's `by` names, each once."""
    found: dict[tuple[str, str, int], tuple[Result, Claim]] = {}
    for link in row.by:
        name, colon, prefix = link.partition(":")
        for each in results:
            for i, claim in enumerate(each.claims if each.experiment == name else ()):
                if claim.name.startswith(prefix.strip()) if colon else _cites(claim, row):
                    found[name, each.variant, i] = each, claim
    return list(found.values())


def state(row: Row, claims: Sequence[tuple[Result, Claim]]) -> str:
    """One of `STATES`: the row's flag, or what the claims that show it came to."""
    if row.flag:
        return row.flag
    if not claims:
        return "open"
    return "holds" if all(claim.holds for _, claim in claims) else "fails"


def counts(rows: Sequence[Row], results: Sequence[Result]) -> dict[str, int]:
    """How many rows are in each of the `STATES`."""
    states = [state(row, shown_by(row, results)) for row in rows]
    return {name: states.count(name) for name in STATES}


def markdown() -> str:
    """The page docs/slides.md: the counts, then every row with its state by the committed results."""
    decks, rows = catalogue()
    results = committed()
    number = counts(rows, results)
    summed = ", ".join(f"{number[name]} {text}" for name, text in STATES.items())
    lines = [
        "# Every row of the slides",
        "",
        f"{len(rows)} equations, numbers, figures and practices: {summed}.",
        "",
        "Printed by `python -m experiments slides` from `experiments/slides.toml` and the results in",
        "`experiments/results/`; the state is computed. `python -m experiments gallery` makes a page of",
        "it, with the figures of the runs that exist.",
    ]
    for deck in decks.values():
        lines += ["", f"## {deck.id}: {deck.title}{deck.author and ', ' + deck.author}", ""]
        lines += ["| row | lines | what the slide states | state | by, or remark |", "|---|---|---|---|---|"]
        for row in rows:
            if row.at[0].deck == deck.id:
                claims = shown_by(row, results)
                cells = [row.id, *_cells(row, claims)]
                lines.append("| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |")
    return "\n".join(lines)


def _cells(row: Row, claims: Sequence[tuple[Result, Claim]]) -> list[str]:
    experiments = [each.experiment for each, _ in claims]
    by = ", ".join(f"`{name}`" for name in dict.fromkeys(experiments))
    where = ", ".join(map(str, row.at))
    return [where, row.en, STATES[state(row, claims)], " ".join(filter(None, [by and by + ".", row.note_en]))]


def _cites(claim: Claim, row: Row) -> bool:
    """Whether a claim's source shares a line with the row."""
    return any(
        cited.deck == own.deck and cited.first <= own.last and own.first <= cited.last
        for cited in places(claim.source)
        for own in row.at
    )
