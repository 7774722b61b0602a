"""The programs of training on many devices, compiled without having them, and a model of their time.

What a program sends and computes is counted in the compiled program itself. What that takes is a
model, not a measurement: a device does its operations at a constant rate, a message takes a fixed
time plus its bytes over the bandwidth, and nothing overlaps.
"""

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import optax
from jax.sharding import AxisType
from jax.sharding import PartitionSpec as P

from experiments.benchmarks import _hlo
from jaxdl import models
from jaxdl.learners import sequence, supervised
from jaxdl.transforms import over_devices, over_seeds

ROWS = 128  # of each device, where the batch grows with the devices
BATCH = 2048  # of all devices, where it does not
SEEDS = 2  # of each device
TIME = 128  # characters of a row


class Machine(NamedTuple):
    """The parameters of the model."""

    rate: float  # floating-point operations per second of a device, in training
    bandwidth: float  # bytes per second out of one device to the next
    latency: float  # seconds from a message to the next device
    source: str


SHARE = 0.3  # of the peak that training is assumed to reach
MACHINES = {
    "CPU hosts, 10 Gbit/s Ethernet": Machine(
        200e9, 1.25e9, 50e-6, "measured matrix products of one AMD EPYC core; the latency is assumed"
    ),
    "H100, 400 Gbit/s each": Machine(
        SHARE * 67e12, 50e9, 10e-6, "data sheet: 67 TFLOP/s in float32; the latency is assumed"
    ),
    "TPU v5e, one ring of its links": Machine(
        SHARE * 197e12,
        50e9,
        1e-6,
        "cloud.google.com/tpu/docs/v5e: 197 TFLOP/s, 4 links of 400 Gbit/s; latency assumed",
    ),
}


def seconds(program: dict[str, Any], devices: int, machine: Machine) -> float:
    """The model's time of a step: the operations, then each collective around a ring.

    A ring all-reduce of b bytes among n devices is 2 (n - 1) messages of b / n bytes one after the
    other (Patarasuk and Yuan, 2009), every other collective n - 1 of them.

    >>> ethernet = Machine(1e9, 1e9, 1e-3, "made up")
    >>> seconds({"flops": 1e9, "collectives": {"all-reduce": [1, 1e9]}}, 2, ethernet)
    2.002
    """
    total = program["flops"] / machine.rate
    for kind, (count, size) in program["collectives"].items():
        messages = (2 if kind == "all-reduce" else 1) * (devices - 1)
        total += messages * (count * machine.latency + size / devices / machine.bandwidth)
    return total


def model(programs: dict[str, Any]) -> dict[str, Any]:
    """The machines, and how many times faster than one device each program is, per row or per seed.

    Args:
      programs: what `programs` returns, by the number of devices, "1" among them.
    """
    found: dict[str, Any] = {}
    for name, machine in MACHINES.items():
        found[name] = {**machine._asdict(), "times_faster": {}}
        for program, one in programs["1"].items():
            faster = {}
            for devices, programs_there in programs.items():
                work = int(devices) if "each device" in program else 1
                there = seconds(programs_there[program], int(devices), machine)
                faster[devices] = round(work * seconds(one, 1, machine) / there, 2)
            found[name]["times_faster"][program] = faster
    return found


def programs(devices: int) -> dict[str, dict[str, Any]]:
    """Every family on so many devices, both ways to choose the batch, and seeds; by name.

    The devices only have to be there by name, as virtual ones of the CPU: nothing is run.
    """
    mesh = jax.make_mesh((devices,), ("data",), axis_types=(AxisType.Auto,))
    found = {}
    for name, (learner, batch) in families().items():
        for way, rows in {"rows of each device": ROWS * devices, "rows in all": BATCH}.items():
            found[f"{name}, {way}"] = count(over_devices(learner, mesh), batch(rows))
    learner, batch = families()["MLP"]
    seeds = over_seeds(learner, SEEDS * devices, "vmap")
    found["MLP, seeds of each device"] = count(
        over_devices(seeds, mesh, batch=P(), state=P("data")), batch(ROWS)
    )
    return found


def count(learner: Any, batch: Any) -> dict[str, Any]:
    """What one device does in a step, from the compiled program."""
    state = jax.eval_shape(learner.init, jax.random.key(0), batch)
    compiled = learner.step.lower(state, batch).compile()
    text = compiled.as_text()
    return {
        "flops": compiled.cost_analysis()["flops"] + _hlo.repeated(text),
        "collectives": _hlo.collectives(text),
        "instructions": _hlo.instructions(text),
    }


def families() -> dict[str, tuple[Any, Any]]:
    """The learners, and what their batches of n rows look like."""

    def images(rows: int) -> dict[str, jax.ShapeDtypeStruct]:
        pixels = jax.ShapeDtypeStruct((rows, 28, 28, 1), jnp.float32)
        return {"input": pixels, "target": jax.ShapeDtypeStruct((rows,), jnp.int32)}

    def characters(rows: int) -> dict[str, jax.ShapeDtypeStruct]:
        text = jax.ShapeDtypeStruct((rows, TIME), jnp.int32)
        return {"input": text, "target": text}

    adam = optax.adam(1e-3)
    reader = models.RecurrentNet(256, 65, vocabulary=65, embedding=64)
    return {
        "MLP": (supervised.learner(models.MLP(), adam), images),
        "CNN with batch norm": (supervised.learner(models.CNN(batch_norm=True), adam), images),
        "LSTM": (sequence.learner(reader, adam), characters),
    }


def parameter_bytes() -> dict[str, int]:
    """The parameters of each family, float32."""
    sizes = {}
    for name, (learner, batch) in families().items():
        params = jax.eval_shape(learner.init, jax.random.key(0), batch(2)).net.params
        sizes[name] = 4 * sum(int(np.prod(x.shape)) for x in jax.tree.leaves(params))
    return sizes
