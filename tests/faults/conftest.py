"""What the tables of bad inputs share: one way to say what a refusal must look like."""

import re

import pytest

from experiments import __main__ as runner
from jaxdl.errors import InputError


def contents(folder):
    """The bytes of every file below a folder: what may not grow when something is refused."""
    return sorted(path.read_bytes() for path in folder.rglob("*") if path.is_file())


@pytest.fixture
def refused(tmp_path):
    """Asserts that a call is refused with all four parts of a message, and writes nothing.

    The call gets the folder of the test, made ready by `prepare`; both may use it freely.
    """

    def check(call, field, words, prepare=lambda folder: None):
        prepare(tmp_path)
        before = contents(tmp_path)
        with pytest.raises(InputError) as caught:
            call(tmp_path)
        said, error = str(caught.value), caught.value
        parts = re.fullmatch(r"(.+?): got (.+), expected (.+?); (.+)", said)
        assert parts, f"not field, value, expected, remedy in one line: {said}"
        assert field in parts[1], said
        assert parts[2] == repr(error.value), said
        for word in words:
            assert word in said.removeprefix(parts[1]), f"{word!r} is missing in: {said}"
        assert contents(tmp_path) == before, "something was written"

    return check


@pytest.fixture
def refused_in_one_line(capsys):
    """Asserts that the command line ends with 2 and one readable line; `option` is a pattern."""

    def check(words, option, parts):
        assert runner.main(words) == 2
        said = capsys.readouterr()
        lines = said.err.strip().splitlines()
        assert 1 <= len(lines) <= 10
        assert re.fullmatch(rf"error: {option}: got .+, expected .+; .+", lines[0]), lines[0]
        for part in parts:
            assert part in lines[0], f"{part!r} is missing in: {lines[0]}"
        assert "Traceback" not in said.err + said.out

    return check
