"""Strictness for the whole suite: what JAX does in silence is an error here."""

import os
import socket
from importlib.metadata import version
from pathlib import Path

# Before jax is imported: eight virtual devices, no search for accelerators, and XLA's quickest compilers, for
# most of the tests' time is compilation. Tests that start a process, the experiments and the benchmarks have
# what users have, and so have the oracles in `.ci/run`, which sets JAXDL_TEST_COMPILER to nothing.
QUICK = "--xla_backend_optimization_level=0"
if version("jaxlib").startswith("0.10."):
    QUICK += " --xla_cpu_use_fusion_emitters=false"  # later versions do not know it
COMPILER = os.environ.get("JAXDL_TEST_COMPILER", QUICK)
os.environ["XLA_FLAGS"] = f"--xla_force_host_platform_device_count=8 {COMPILER}"
os.environ["JAX_PLATFORMS"] = "cpu"

import jax  # noqa: E402
import pytest  # noqa: E402

jax.config.update("jax_numpy_rank_promotion", "raise")
# A worker of its own: who reads while another one writes sees half of a program, and JAX warns.
WORKER = os.environ.get("PYTEST_XDIST_WORKER", "alone")
jax.config.update("jax_compilation_cache_dir", str(Path(__file__).parents[1] / ".jax_cache" / WORKER))
jax.config.update("jax_persistent_cache_min_compile_time_secs", 0)
jax.config.update("jax_persistent_cache_min_entry_size_bytes", -1)

SHARED = Path(__file__).parents[2] / "shared" / "data"


@pytest.fixture(autouse=True)
def _no_network(monkeypatch):
    """Only addresses of this machine may be reached."""
    connect = socket.socket.connect

    def guarded(self, address):
        if self.family in (socket.AF_INET, socket.AF_INET6) and address[0] not in (
            "127.0.0.1",
            "::1",
            "localhost",
        ):
            raise OSError(f"a test tried to reach {address}")
        return connect(self, address)

    monkeypatch.setattr(socket.socket, "connect", guarded)
