"""Half-normal tails as many even bins, for what is summed from edge to edge."""

import numpy as np
from jaxtyping import Float
from scipy.special import erf

from offby.bins import Bins
from offby.distribution.half_normal import tails_of

_REACH = 4.0
"""In standard deviations; what lies beyond, 6e-5 of a tail, goes to its last bin."""
_CELLS = 32


def evened(
    bins: Bins, probs: Float[np.ndarray, "rows bins"]
) -> tuple[Float[np.ndarray, " edges"], Float[np.ndarray, "rows even"]]:
    """Edges and masses of bins without tails that are the same to the eye.

    Where a distribution function is straight between edges, integrals are sums. A tail
    is curved, so it is cut into bins an eighth of a standard deviation wide.

    >>> edges, probs = evened(Bins([0, 1, 2], tails="upper-half-normal"), np.eye(2))
    >>> edges[:3].round(3), probs.shape, probs.sum(-1)
    (array([0.   , 1.   , 1.185]), (2, 33), array([1., 1.]))
    """
    steps = np.linspace(0, _REACH, _CELLS + 1)
    reached = erf(steps / np.sqrt(2))
    reached[-1] = 1.0
    edges, masses = [bins.edges.numpy()], [probs]
    for tail in tails_of(bins):
        out = float(tail.start) + tail.outward * float(tail.scale) * steps[1:]
        mass = probs[:, tail.at, None] * np.diff(reached)
        if tail.outward > 0:
            edges = [*edges[:-1], edges[-1][:-1], out]
            masses = [*masses[:-1], masses[-1][:, :-1], mass]
        else:
            edges = [out[::-1], edges[0][1:]]
            masses = [mass[:, ::-1], masses[0][:, 1:]]
    return np.concatenate(edges), np.concatenate(masses, -1)
