"""Numbers out of a network's outputs: means, quantiles, chances; on any device.

Every function takes logits (or, with `of="probs"`, probabilities), and what the outputs
stand for: `Bins`, whose mass is spread within each bin, or a `Line`, whose mass lies on
the positions (the atoms of a value head). Results are differentiable where the number
is, in float32 for half-precision input, and have the shape of the logits without axis
`dim`. On the CPU many rows are worked on some at a time, so that the memory beside the
outputs is little, unless a derivative needs it.
"""

from offby.decode._numbers import circular_mean, mean, mode, symexp, symlog, variance
from offby.decode._quantiles import chance_above, median, quantiles

__all__ = [
    "chance_above",
    "circular_mean",
    "mean",
    "median",
    "mode",
    "quantiles",
    "symexp",
    "symlog",
    "variance",
]
