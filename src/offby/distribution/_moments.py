"""`Moments`: numbers that sum up the masses of a row."""

from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float
from scipy.special import entr

from offby.distribution._masses import Masses
from offby.distribution._rows import Array
from offby.distribution.circular import check_on_a_line, mean_direction
from offby.distribution.half_normal import densest, entropies


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
                lambda p: mean_direction(torch.from_numpy(p), self.bins).numpy()
            )
        means, _ = self._moments
        return self._each_row(lambda p: p @ means)

    def mode(self) -> Float[np.ndarray, "*batch"]:
        """Center of the densest bin (not of the heaviest), in the units of the target.

        A half-normal tail is densest at its inner edge.

        >>> from offby import BinnedDistribution, Bins
        >>> float(BinnedDistribution([0.4, 0.6], Bins([0, 1, 9])).mode())
        0.5
        """
        places, densities = (part.cpu().numpy() for part in densest(self.bins))
        return self._each_row(lambda p: places[(p * densities).argmax(-1)])

    def var(self) -> Float[np.ndarray, "*batch"]:
        """Variance, within bins included, in squared units of the target.

        >>> from offby import BinnedDistribution, Bins
        >>> BinnedDistribution([0.5, 0.5], Bins([0, 6, 12])).var().item()
        12.0
        """
        check_on_a_line("var", self.bins)
        means, variances = self._moments

        def of(p: Array) -> Array:
            apart = means - (p @ means)[:, None]
            return (p * (apart**2 + variances)).sum(-1)

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

        >>> from offby import BinnedDistribution, Bins
        >>> round(float(BinnedDistribution([0.5, 0.5], Bins([0, 2, 4])).entropy()), 4)
        1.3863
        """
        within = entropies(self.bins).cpu().numpy()
        return self._each_row(lambda p: entr(p).sum(-1) + p @ within)
