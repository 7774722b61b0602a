"""The counts and the models of the scale benchmark: known programs, and closed forms in their limits."""

import copy
import doctest
import math

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.sharding import AxisType
from jax.sharding import PartitionSpec as P

from experiments.benchmarks import _failures, _hlo, _spread, scale
from experiments.benchmarks._failures import Costs, expected, interval, simulate
from jaxdl.transforms import over_devices, over_seeds

HOUR = 3600.0
FREE = Costs(save=0, write=0, detect=0, restart=0)


@pytest.mark.parametrize("module", [_hlo, _failures, _spread])
def test_the_examples_in_the_docstrings(module):
    found = doctest.testmod(module)
    assert found.failed == 0
    assert found.attempted > 0


def test_collectives_in_a_loop_are_counted_by_its_turns():
    mesh = jax.make_mesh((8,), ("data",), axis_types=(AxisType.Auto,))
    weights = jnp.ones((4, 4))

    def turn(x, _):
        return jax.lax.psum(x @ weights, "data"), None

    def loop(x):
        scanned, _ = jax.lax.scan(turn, x, length=5)
        return jax.lax.all_gather(scanned, "data", tiled=True)

    shared = jax.shard_map(loop, mesh=mesh, in_specs=P("data"), out_specs=P(), check_vma=False)
    text = jax.jit(shared).lower(jnp.ones((16, 4))).compile().as_text()
    # Each device has 2 rows of 4 numbers; the gathered ones are 16 rows.
    assert _hlo.collectives(text) == {"all-gather": (1, 16 * 4 * 4), "all-reduce": (5, 5 * 2 * 4 * 4)}
    assert _hlo.repeated(text) == 4 * 2 * 2 * 4 * 4  # four more turns of a product of 2x4 and 4x4


def test_a_collective_in_a_loop_of_unknown_length_is_an_error():
    text = _hlo.EXAMPLE.replace("known_trip_count", "unknown")
    with pytest.raises(ValueError, match="all-reduce in a loop of unknown length"):
        _hlo.collectives(text)


def test_batches_are_summed_once_and_seeds_not_at_all():
    mesh = jax.make_mesh((8,), ("data",), axis_types=(AxisType.Auto,))
    learner, batch = _spread.families()["MLP"]
    shared = _spread.count(over_devices(learner, mesh), batch(64))
    # The gradients and the loss.
    assert shared["collectives"] == {"all-reduce": (1, _spread.parameter_bytes()["MLP"] + 4)}
    seeds = over_devices(over_seeds(learner, 8, "vmap"), mesh, batch=P(), state=P("data"))
    assert _spread.count(seeds, batch(8))["collectives"] == {}


def test_the_model_of_a_step_is_right_in_its_limits():
    machine = _spread.Machine(1e9, 1e6, 1e-3, "made up")
    computes = {"flops": 2e9, "collectives": {}}
    assert _spread.seconds(computes, 256, machine) == 2
    sends = {"flops": 0, "collectives": {"all-reduce": (1, 1e6)}}
    assert _spread.seconds(sends, 1, machine) == 0
    # Without latency a ring sends every byte nearly twice, however many there are.
    swift = machine._replace(latency=0)
    assert _spread.seconds(sends, 256, swift) == pytest.approx(2 * 255 / 256)
    assert _spread.seconds(sends, 256, machine) == pytest.approx(2 * 255 / 256 + 2 * 255 * 1e-3)
    found = _spread.model({n: {"net, rows of each device": computes} for n in ("1", "8")})
    assert found["H100, 400 Gbit/s each"]["times_faster"]["net, rows of each device"] == {"1": 1, "8": 8}


def test_the_closed_form_is_right_in_its_limits():
    # Nothing fails: only the saves cost.
    assert expected(90, math.inf, Costs(save=10, write=0, detect=0, restart=0)) == 0.9
    # Failures are rare: half an interval, detection and restart per failure, besides the saves.
    costs, mean = Costs(save=1, write=0, detect=10, restart=20), 1e6
    lost = 1 - expected(500, mean, costs)
    assert lost == pytest.approx(1 / 501 + (250 + 30) / mean, rel=0.01)
    # An interval far beyond the time between failures: nothing is ever finished.
    assert expected(1e5, 1e3, FREE) < 1e-40
    assert interval(0.5, 15.6 * HOUR) == pytest.approx(math.sqrt(2 * 0.5 * 15.6 * HOUR))
    # The first-order interval loses hardly more than the best one.
    every = np.geomspace(1, 1e5, 2000)
    best = max(expected(seconds, mean, costs) for seconds in every)
    assert best - expected(interval(1, mean), mean, costs) < 1e-5


@pytest.mark.parametrize("hosts", [1, 8, 256])
@pytest.mark.parametrize(("every", "restart"), [(60.0, 5.0), (600.0, 100.0), (3000.0, 400.0)])
def test_the_simulation_agrees_with_the_closed_form(hosts, every, restart):
    costs = Costs(save=5, write=0, detect=10, restart=restart)
    mean = 1500.0 * hosts  # of one host: a failure every 25 minutes
    measured = simulate(every, hosts, mean, costs, failures=20_000)
    assert measured == pytest.approx(expected(every, mean / hosts, costs), abs=0.01)


def test_a_checkpoint_counts_when_it_is_written():
    costs = Costs(save=1, write=0, detect=10, restart=20)
    prompt, slow = (simulate(100, 4, HOUR, Costs(1, write, 10, 20), 20_000) for write in (0, 100))
    # Each failure finds it unwritten for 100 seconds more.
    assert prompt - slow == pytest.approx(100 / (HOUR / 4), rel=0.15)
    assert simulate(100, 4, HOUR, costs, 20_000) == prompt


def deeper(content):
    content["depth"]["64"] = {"instructions": 131, "characters": 1000}


def fuller(content):
    content["data"]["MLP"]["500"] = 111


def talkative(content):
    content["programs"]["8"]["MLP, rows of each device"]["collectives"]["all-gather"] = [1, 10**6]


def together(content):
    content["programs"]["8"]["MLP, seeds of each device"]["collectives"]["all-reduce"] = [1, 4]


def test_a_gate_that_does_not_hold_says_so():
    size = {"instructions": 100, "characters": 1000}
    ring = {"all-reduce": [1, _spread.parameter_bytes()["MLP"]]}
    content = {
        "depth": {"4": size, "64": size},
        "data": {"MLP": {"10": 100, "500": 100}},
        "programs": {
            "8": {
                "MLP, rows of each device": {"collectives": ring},
                "MLP, seeds of each device": {"collectives": {}},
            }
        },
    }
    assert all(gate["holds"] for gate in scale.gates(content).values())
    for worse in (deeper, fuller, talkative, together):
        changed = copy.deepcopy(content)
        worse(changed)
        assert [gate["holds"] for gate in scale.gates(changed).values()].count(False) == 1, worse
