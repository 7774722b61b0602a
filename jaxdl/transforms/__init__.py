"""How far a learner is scaled: functions `Learner -> Learner` that never look inside.

They compose, and `jaxdl.contract` tests the laws that make them safe to compose:

    learner = supervised.learner(models.CNN(), optax.adam(1e-3))
    learner = resident(learner, batch_size=128, rows=order.rows)   # the data live on the device
    learner = many_steps(learner, 100)                             # 100 steps in one dispatch
    learner = over_seeds(learner, 8)                               # eight independent runs
    learner = over_devices(learner, mesh, batch=P(), state=P("data"))  # the runs spread over devices

The batch of a transformed learner is what its own `step` takes: a stack of batches after
`many_steps`, the whole data set after `resident`; `init` takes the same.
"""

from jaxdl.transforms.averages import EMAState, ema, skip_nonfinite
from jaxdl.transforms.devices import (
    DEVICES,
    average_over,
    average_shards,
    over_devices,
    over_devices_pmap,
)
from jaxdl.transforms.runs import Loop, each_seed, over_seeds, over_settings
from jaxdl.transforms.steps import Rows, many_steps, resident, up_to_steps

__all__ = [
    "DEVICES",
    "EMAState",
    "Loop",
    "Rows",
    "average_over",
    "average_shards",
    "each_seed",
    "ema",
    "many_steps",
    "over_devices",
    "over_devices_pmap",
    "over_seeds",
    "over_settings",
    "resident",
    "skip_nonfinite",
    "up_to_steps",
]
