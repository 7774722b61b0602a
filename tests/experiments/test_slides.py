"""The catalogue of the slides: complete, well cited, its states computed."""

import dataclasses
import tomllib
from pathlib import Path

from experiments import __main__ as runner
from experiments import _slides
from experiments._gallery_card import TEXTS

ROOT = Path(__file__).parents[2]
CATALOGUE = _slides.catalogue()
COMMITTED = _slides.committed()


def test_rows_are_unique_and_cite_lines_that_exist():
    ids = [row.id for row in CATALOGUE.rows]
    assert len(ids) == len(set(ids))
    for row in CATALOGUE.rows:
        assert row.at, row.id
        for place in row.at:
            assert 1 <= place.first <= place.last <= CATALOGUE.decks[place.deck].lines, row.id


def test_every_equation_number_and_figure_has_its_row():
    ids = {row.id for row in CATALOGUE.rows}
    wanted = [("E", 46), ("N", 27), ("L", 11), ("F", 48), ("P", 30)]
    assert {f"{letter}{i}" for letter, last in wanted for i in range(1, last + 1)} <= ids


def test_rows_are_complete_in_both_languages():
    texts = texts_of_the_page()
    for row in CATALOGUE.rows:
        assert all((row.en, row.fr, row.term)), row.id
        assert bool(row.note_en) == bool(row.note_fr), row.id
        assert row.kind in texts["kind"], row.id
        assert row.flag in ("", "context", "wrong"), row.id
        assert row.flag != "wrong" or row.note_en, f"{row.id}: what is right?"
        assert row.flag != "context" or not row.by, f"{row.id}: shown by claims, hence no context"
    assert set(texts["state"]) == set(_slides.STATES)


def texts_of_the_page():
    texts = tomllib.loads(TEXTS.read_text())
    assert all(len(pair) == 2 for table in texts.values() for pair in table.values())
    return texts


def test_every_experiment_named_exists():
    named = {link.partition(":")[0] for row in CATALOGUE.rows for link in row.by}
    named |= {name.partition("/")[0] for row in CATALOGUE.rows for name in row.show or ()}
    named |= {name.partition("/")[0] for name in texts_of_the_page()["figure"]}
    assert named <= {*runner.scripts()}


def test_every_link_to_a_committed_result_finds_its_claims():
    known = {result.experiment for result in COMMITTED}
    for row in CATALOGUE.rows:
        for link in row.by:
            alone = dataclasses.replace(row, by=(link,))
            found = link.partition(":")[0] not in known or _slides.shown_by(alone, COMMITTED)
            assert found, (row.id, link)


def some(holds, name="test accuracy", source="003:550", experiment="cnn"):
    claim = {"name": name, "source": source, "expected": "> 0.99", "measured": 0.5 + holds / 2, "std": 0.0,
             "seeds": 1, "holds": holds}  # fmt: skip
    return _slides.result({"experiment": experiment, "claims": [claim]}, "")


def test_the_state_of_a_row_comes_from_the_results():
    row = _slides.Row("N0", tuple(_slides.places("003:544-550")), "number", "", "", "", by=("cnn: test",))

    def state(*results, **changes):
        changed = dataclasses.replace(row, **changes)
        return _slides.state(changed, _slides.shown_by(changed, results))

    assert state() == state(some(True, experiment="mlp")) == state(some(True, name="loss")) == "open"
    assert state(some(True)) == "holds"
    assert state(some(False)) == state(some(True), some(False)._replace(variant="mnist")) == "fails"
    # Without a name, the claims that cite the row's lines.
    assert state(some(True), by=("cnn",)) == "holds"
    assert state(some(True, source="003:551; 002:549"), by=("cnn",)) == "open"
    assert state(some(True, source="003:551"), by=("cnn:",)) == "holds"
    assert state(some(True), flag="wrong") == "wrong"


def test_the_page_of_the_slides_is_that_of_the_committed_results(capsys):
    assert runner.main(["slides"]) == 0
    printed = capsys.readouterr().out
    page = (ROOT / "docs" / "slides.md").read_text()
    assert page == printed, "python -m experiments slides > docs/slides.md"
    assert all(f"| {row.id} |" in printed for row in CATALOGUE.rows)
