"""`Moments`: numbers that sum up the masses of a row."""

from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from offby.distribution._masses import Masses
from offby.distribution._rows import Array
from offby.distribution.circular import check_on_a_line, mean_direction
from offby.distribution.half_normal import densest, entropies

_DIGITS = 1e-3
"""Of a difference: how much smaller it may be than its parts."""


@dataclass(frozen=True, eq=False, repr=False, init=False)
class Moments(Masses):
    """Masses, each spread over its bin: their mean, mode, variance and entropy.

    `BinnedDistribution` explains the arguments.
    """

    def mean(self) -> Float[np.ndarray, "*batch"]:
        """Expected value, in the units of the target.

        >>> from offby import BinnedDistribution, Bins
        >>> float(BinnedDistribution([0.5, 0.5], Bins([0, 2, 4])).mean())
        2.0
        """
        if self.bins.wraps:
            return self._each_row(
                lambda p: mean_direction(_double(p), self.bins).numpy()
            )
        means, _ = self._moments
        return self._each_row(lambda p: p.astype(np.float64) @ means)

    def mode(self) -> Float[np.ndarray, "*batch"]:
        """Center of the densest bin (not of the heaviest), in the units of the target.

        A half-normal tail is densest at its inner edge.

        >>> from offby import BinnedDistribution, Bins
        >>> float(BinnedDistribution([0.4, 0.6], Bins([0, 1, 9])).mode())
        0.5
        """
        places, densities = (part.cpu().numpy() for part in densest(self.bins))
        return self._each_row(
            lambda p: places[(p.astype(np.float64) * densities).argmax(-1)]
        )

    def var(self) -> Float[np.ndarray, "*batch"]:
        """Variance, within bins included, in squared units of the target.

        >>> from offby import BinnedDistribution, Bins
        >>> BinnedDistribution([0.5, 0.5], Bins([0, 6, 12])).var().item()
        12.0
        """
        check_on_a_line("var", self.bins)
        means, variances = self._moments

        # From the middle of the grid, which keeps the digits of narrow forecasts.
        x = means - (means[0] + means[-1]) / 2
        powers = np.stack([x, x**2 + variances], -1)

        def of(p: np.ndarray) -> Array:
            wide = p.astype(np.float64)
            first, second = (wide @ powers).T
            found = second - first**2
            # Of a difference that is small few digits are left.
            few = np.flatnonzero(found < _DIGITS * second)
            apart = x - first[few, None]
            found[few] = (wide[few] * (apart**2 + variances)).sum(-1)
            return found

        return self._each_row(of)

    def std(self) -> Float[np.ndarray, "*batch"]:
        """Standard deviation, in the units of the target.

        >>> from offby import BinnedDistribution, Bins
        >>> BinnedDistribution([1.0], Bins([0, 12])).std().round(3).item()
        3.464
        """
        return np.sqrt(self.var())

    def entropy(self) -> Float[np.ndarray, "*batch"]:
        """Differential entropy, in nats: how little the forecast says.

        In the precision of the masses: logarithms in float64 take three times as long.

        >>> from offby import BinnedDistribution, Bins
        >>> round(float(BinnedDistribution([0.5, 0.5], Bins([0, 2, 4])).entropy()), 4)
        1.3863
        """
        within = entropies(self.bins).cpu()

        def of(p: np.ndarray) -> Array:
            masses = torch.tensor(p)
            # Of no mass the logarithm is finite, and counts 0 times.
            logs = masses.clamp(min=torch.finfo(masses.dtype).tiny).log_()
            spread = torch.sub(within.to(masses.dtype), logs, out=logs)
            return spread.mul_(masses).sum(-1).double().numpy()

        return self._each_row(of)


def _double(p: np.ndarray) -> Tensor:
    return torch.tensor(p, dtype=torch.float64)
