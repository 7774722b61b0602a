"""One script per result on the slides; `python -m experiments` lists them."""
