import dataclasses
import json

import pytest

from jaxdl.errors import InputError
from jaxdl.run import Report, claim
from jaxdl.run import report as reports


@pytest.mark.parametrize(
    ("expected", "value", "holds"),
    [
        ("> 0.99", 0.99, False),
        (">= 0.99", 0.99, True),
        ("< 1e-3", 9e-4, True),
        ("<= 2", 2.1, False),
        ("= 0.029 +- 0.0005", 0.02892, True),
        ("= -2 +- 0", -2.0, True),
        ("> 0", float("nan"), False),
    ],
)
def test_a_claim_holds_by_its_numbers(expected, value, holds):
    assert claim("x", "001:1", expected, value).holds is holds


def test_a_claim_is_about_the_mean_over_seeds():
    made = claim("accuracy", "003:550", ">= 0.5", [0.4, 0.7])
    assert (made.measured, made.seeds, made.holds) == (pytest.approx(0.55), 2, True)
    assert made.std == pytest.approx(0.3 / 2**0.5)


def test_an_expectation_that_cannot_be_read_is_refused():
    with pytest.raises(InputError, match="expected: got 'about 1'"):
        claim("x", "001:1", "about 1", 1.0)


def test_result_json(tmp_path):
    @dataclasses.dataclass(frozen=True)
    class Config:
        epochs: int = 3

    made = claim("accuracy", "003:550", ">= 0.5", [0.4, 0.7])
    reports.write(tmp_path, "test", Config(), Report([made], {"parameters": 7}), 1.23)
    content = json.loads((tmp_path / "result.json").read_text())
    assert content["claims"] == [dataclasses.asdict(made)]
    assert (content["config"], content["parameters"], content["seconds"]) == ({"epochs": 3}, 7, 1.2)


def test_a_measurement_that_is_no_number_is_null(tmp_path):
    @dataclasses.dataclass(frozen=True)
    class Config:
        epochs: int = 3

    made = claim("loss", "003:550", "< 1", [float("nan")])
    reports.write(tmp_path, "test", Config(), Report([made], {"losses": [1.0, float("inf")]}), 1.0)
    content = json.loads((tmp_path / "result.json").read_text(), parse_constant=pytest.fail)
    assert content["losses"] == [1.0, None]
    (read,) = reports.claims_of(content)
    assert (str(read.measured), read.holds) == ("nan", False)
