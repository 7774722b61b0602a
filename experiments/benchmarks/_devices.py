# The peers are installed by who runs the benchmark.
# pyright: reportMissingImports=false
"""An accelerator as both sides have it: the same arithmetic in float32, and the peak of their memory.

`exact=False` is what JAX does by itself: products and convolutions of float32 in TF32, ten bits of
mantissa, on both sides. `exact=True` is full float32 on both, to show that they compute the same.
"""


def set_jax(exact: bool) -> None:
    """Find the device, and set the arithmetic of float32."""
    import jax

    jax.config.update("jax_default_matmul_precision", "highest" if exact else None)
    jax.devices()


def set_torch(exact: bool) -> None:
    """The same for torch, whose own default is full float32 for products and TF32 for convolutions."""
    import torch

    torch.set_float32_matmul_precision("highest" if exact else "high")
    torch.backends.cudnn.allow_tf32 = not exact
    torch.zeros(1, device="cuda")


def jax_peak() -> int:
    """Bytes that JAX's arrays and programs took on the device at once."""
    import jax

    return (jax.local_devices()[0].memory_stats() or {}).get("peak_bytes_in_use", 0)


def torch_peak() -> int:
    """The same of torch's tensors."""
    import torch

    return torch.cuda.max_memory_allocated()
