"""One script per result on the slides; `python -m experiments` lists them."""

import gc

# What importing JAX and tracing a program make is kept: to look through it every 700 objects is a
# fourteenth of the time until a script's first step.
gc.set_threshold(20_000, 20, 20)
