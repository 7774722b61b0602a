"""The only stateful place: the host loop, checkpoints, logs, command line and reports."""

from jaxdl.run.evaluation import over_split
from jaxdl.run.illnesses import Diagnosis
from jaxdl.run.interrupt import Interrupted
from jaxdl.run.loop import Fitted, fit
from jaxdl.run.nonfinite import NonFiniteLoss
from jaxdl.run.output import Output
from jaxdl.run.report import Claim, Report, claim
from jaxdl.run.select import Select
from jaxdl.run.trained import export, load

__all__ = [
    "Claim",
    "Diagnosis",
    "Fitted",
    "Interrupted",
    "NonFiniteLoss",
    "Output",
    "Report",
    "Select",
    "claim",
    "export",
    "fit",
    "load",
    "over_split",
]
