"""Compiled programs are kept from run to run, so that a second start is quick."""

import os
from pathlib import Path

import jax


def keep_compiled(folder: Path | None = None) -> Path | None:
    """Keep what takes half a second or more to compile in the user's cache folder.

    `JAX_COMPILATION_CACHE_DIR`, or a folder that was configured before, is left as it is; an empty
    `JAX_COMPILATION_CACHE_DIR` keeps nothing. What a program computes does not depend on it.

    Args:
      folder: `$XDG_CACHE_HOME/jaxdl` or `~/.cache/jaxdl` by default.

    Returns:
      The folder, None if nothing is kept: the folder cannot be made, or the user wants none.
    """
    configured = jax.config.values["jax_compilation_cache_dir"]
    if "JAX_COMPILATION_CACHE_DIR" in os.environ or configured:
        return Path(configured) if configured else None
    try:
        base = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
        folder = folder or base / "jaxdl"
        folder.mkdir(parents=True, exist_ok=True)
    except (OSError, RuntimeError):  # a home that is read-only or unknown is no reason not to train
        return None
    jax.config.update("jax_compilation_cache_dir", str(folder))
    jax.config.update("jax_persistent_cache_min_compile_time_secs", 0.5)
    jax.config.update("jax_persistent_cache_min_entry_size_bytes", -1)
    return folder
