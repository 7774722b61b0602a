"""Which versions of the peers a benchmark ran beside."""

import contextlib
import importlib.metadata


def installed(*packages: str) -> dict[str, str]:
    """Of these packages the ones that are there, with their versions.

    >>> list(installed("jax", "no such package"))
    ['jax']
    """
    found = {}
    for name in packages:
        with contextlib.suppress(importlib.metadata.PackageNotFoundError):
            found[name] = importlib.metadata.version(name)
    return found
