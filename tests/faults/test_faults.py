"""The short form of the fault tests; `python tests/faults --budget 30` is the long one."""

import signal
import time

import damage
import jax
import kills
import nans
import numpy as np
import pytest

# A restore that fails leaves reads of tensorstore behind, which end after orbax closed its event loop.
pytestmark = [
    pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning"),
    pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning"),
]


@pytest.fixture(autouse=True)
def _cache(monkeypatch):
    """The children compile once for all tests, and with one device, as a user has it."""
    monkeypatch.setenv("JAX_COMPILATION_CACHE_DIR", jax.config.jax_compilation_cache_dir)
    monkeypatch.delenv("XLA_FLAGS")


@pytest.mark.parametrize("name", kills.families.FAMILIES)
def test_killed_or_asked_to_leave_and_resumed_is_bit_identical(name, tmp_path):
    """Parameters, statistics, optimizer, step, best state, replay buffer, environment and log."""
    seed = time.time_ns()  # in every message, so that the moments can be had again
    whole = kills.uninterrupted(name, tmp_path / "whole")
    signals = (signal.SIGKILL, signal.SIGTERM, signal.SIGKILL, signal.SIGINT, signal.SIGKILL)
    run = kills.disturbed(name, tmp_path / "run", len(signals), np.random.default_rng(seed), signals)
    assert len(run.codes) >= 3, seed  # a fast machine may end the run before the fifth
    for code, sent in zip(run.codes, signals, strict=False):
        assert code in ((-signal.SIGKILL,) if sent == signal.SIGKILL else kills.LEFT), seed
    assert run.bits == whole, seed


def test_damaged_checkpoints_give_way_to_the_newest_intact_one(tmp_path):
    rng, expected = np.random.default_rng(time.time_ns()), damage.states()
    damage.intact(tmp_path / "whole")
    for _ in range(150):
        assert damage.trial(tmp_path / "whole", tmp_path / "spoilt", rng, expected) is None


@pytest.mark.parametrize("kind", nans.KINDS)
@pytest.mark.parametrize("family", nans.MAKE)
def test_a_nan_is_reported_with_step_place_and_row(family, kind):
    assert nans.trial(family, kind, np.random.default_rng(time.time_ns())) is None


def test_a_full_disk_is_an_error_at_once_and_spoils_nothing(tmp_path):
    whole = kills.uninterrupted("MLP", tmp_path / "whole")
    for save in (2, 50):  # 50: the last one
        said, code, bits = kills.full_disk("MLP", tmp_path / str(save), save)
        assert "expected room for a checkpoint; earlier checkpoints are intact" in said
        assert code == 2
        assert bits == whole
