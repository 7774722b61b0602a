"""A second start finds what the first has compiled."""

import os
import subprocess
import sys

SCRIPT = """
import jax, jax.numpy as jnp
from jaxdl.run.cache import keep_compiled
events = []
jax.monitoring.register_event_listener(lambda name, **_: events.append(name))
print(keep_compiled())
jax.config.update("jax_persistent_cache_min_compile_time_secs", 0)
jax.jit(lambda x: jnp.linalg.svd(x @ x.T)[1])(jnp.ones((8, 8))).block_until_ready()
print(events.count("/jax/compilation_cache/cache_hits"))
"""


def start(**environ):
    env = {k: v for k, v in os.environ.items() if k != "JAX_COMPILATION_CACHE_DIR"} | environ
    command = [sys.executable, "-c", SCRIPT]
    done = subprocess.run(command, env=env, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    folder, found = done.stdout.split()
    return folder, int(found)


def test_programs_are_kept_in_the_users_cache_folder(tmp_path):
    folder = tmp_path / "jaxdl"
    assert start(XDG_CACHE_HOME=str(tmp_path)) == (str(folder), 0)
    assert any("lambda" in path.name for path in folder.iterdir())
    _, found = start(XDG_CACHE_HOME=str(tmp_path))
    assert found >= 1


def test_the_users_own_choice_is_respected(tmp_path):
    own = tmp_path / "own"
    assert start(JAX_COMPILATION_CACHE_DIR=str(own), XDG_CACHE_HOME=str(tmp_path))[0] == str(own)
    assert not (tmp_path / "jaxdl").exists()
    assert start(JAX_COMPILATION_CACHE_DIR="", XDG_CACHE_HOME=str(tmp_path))[0] == "None"


def test_a_cache_that_cannot_be_made_is_done_without(tmp_path):
    blocked = tmp_path / "file"
    blocked.write_text("not a folder")
    assert start(XDG_CACHE_HOME=str(blocked))[0] == "None"
