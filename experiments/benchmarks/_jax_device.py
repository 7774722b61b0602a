"""What our side of the benchmarks knows of an accelerator: arithmetic of float32, and memory."""

import jax


def begin(exact: bool) -> None:
    """Find the device, and set the arithmetic of float32.

    Args:
      exact: full float32, to show that both sides compute the same. Otherwise what JAX does by itself:
        products and convolutions in TF32, with ten bits of mantissa.
    """
    jax.config.update("jax_default_matmul_precision", "highest" if exact else None)
    jax.devices()


def peak() -> int:
    """Bytes that JAX's arrays and programs took on the device at once."""
    return (jax.local_devices()[0].memory_stats() or {}).get("peak_bytes_in_use", 0)
