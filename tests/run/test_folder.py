"""Runs of several fits: each has a folder of its own, and the whole can be opened again."""

import dataclasses

import pytest

from jaxdl.errors import InputError
from jaxdl.run import Output
from jaxdl.run.config import read_json, write_json
from jaxdl.run.folder import fresh, part, reopen
from jaxdl.run.trained import record


@dataclasses.dataclass(frozen=True)
class Config:
    epochs: int = 3


def begin(output):
    """What a fit does as it begins."""
    output.folder.mkdir(parents=True)
    record(output, "one device")


def test_a_part_has_its_own_folder_and_leaves_the_config_above(tmp_path):
    run = Output(tmp_path / "run", config={"experiment": "x", "config": {"epochs": 3}})
    first = part(run, "first", model=None)
    assert not run.folder.exists(), "it may be refused"
    begin(first)
    assert first.folder == tmp_path / "run" / "first"
    assert first.config == run.config
    assert reopen(tmp_path / "run", "x", Config, {"epochs": 5}) == Config(5)


def test_a_part_keeps_the_model_that_the_run_itself_recorded(tmp_path):
    run = Output(tmp_path / "run", config={"experiment": "x", "config": {"epochs": 3}})
    begin(part(run, "first"))
    recorded = {**run.config, "model": {"class": "jaxdl.models.mlp.MLP", "fields": {}}}
    write_json(tmp_path / "run" / "config.json", recorded)
    begin(part(run, "second"))
    assert read_json(tmp_path / "run" / "config.json", "folder") == recorded


def test_a_part_of_nothing_writes_nothing(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert part(Output(), "first").folder is None
    assert not list(tmp_path.iterdir())


def test_a_run_that_was_killed_before_its_config_was_written_can_begin_again(tmp_path):
    (tmp_path / "lock").touch()
    assert fresh(tmp_path, "x") == tmp_path
    (tmp_path / "config.json").touch()
    with pytest.raises(InputError, match="continue that run with --resume"):
        fresh(tmp_path, "x")
