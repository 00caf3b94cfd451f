"""`BinnedRegressor`: a network that predicts a number's whole distribution."""

from dataclasses import dataclass
from typing import Any, ClassVar, Self

from offby.tabular._base import TabularNetwork
from offby.tabular._binned import BinnedForecaster


@dataclass(eq=False, repr=False, kw_only=True)
class BinnedRegressor(BinnedForecaster, TabularNetwork):
    """Regression by a whole distribution over bins of the target.

    Its other settings, and the attributes of the network, are those of
    `offby.tabular.TabularNetwork`, and the same for `OrdinalClassifier`.

    Args:
        loss: Short name of a loss, a criterion of `offby.nn`, or a function; see
            `offby.tabular.TabularNetwork`. A criterion of numbers has the bins that
            `n_bins` has.
        n_bins: Largest number of bins, without the two tails; or a grid of your own.
        strategy: Bins of the numbers nearest to a mean ("kmeans"), of equal counts
            ("quantile"), halfway between these two ("blend"), of equal widths
            ("uniform"), or each wider by the same factor ("log"); as `Bins.around`
            makes them.
        tails: "half-normal" adds a bin on either side that reaches to infinity, so that
            no number has density zero; "none" ends the forecasts at the last edges.
        bounds: Numbers beyond which no mass lies, in the units of the target, as
            `(0, None)` for positive ones; None for no bounds. "auto" finds 0 where no
            number is negative, and 1 or 100 above numbers that look like shares. At a
            bound there is no tail. A grid of your own has the bounds that its edges and
            tails say.
        target_transform: Scale on which bins and distances are measured: "log" for
            positive targets whose ratios matter, "yeo-johnson" for skewed ones,
            "quantile" (normal scores of the ranks) for any. Forecasts are on the scale
            of the target all the same. Scores in the units of the target are seldom
            much better than with None (docs/grids.md).
        period: Of angles (360), hours (24) or days (365): the numbers lie on a circle,
            on which the period is 0 again. Bins are then of equal width, `predict` is
            the direction of the mean, intervals are arcs, quantiles are counted from
            the place across from the median, and `score` is by chords; variances are
            not defined there. Losses are those of classes on a circle (ce, emd1, emd2
            and sums). Numbers on any turn will do.

    Attributes:
        bins_: The grid in use, in the units of the target.
        scale_: The fitted transform of the target.
        turn_start_: With `period`, where the turn of the forecasts begins: 0, or minus
            half a period if a target was negative.
        held_out_pit_: How far from 1/2 the PIT of each validation row lies, in order.
            With `period` mass is counted as for `predict_quantiles`.
        held_out_weights_: The weights of these rows.

    >>> import numpy as np
    >>> X = np.linspace(0, 1, 60)[:, None]
    >>> model = BinnedRegressor(n_bins=5, max_iter=5, random_state=0).fit(X, X[:, 0])
    >>> model.predict_dist(X[:2]).median().shape
    (2,)
    """

    _parameter_constraints: ClassVar[dict[str, Any]] = {
        **TabularNetwork._parameter_constraints,
        **BinnedForecaster._parameter_constraints,
    }

    def partial_fit(self, X, y, sample_weight=None) -> Self:
        """Train on these rows for one epoch; the first call makes the bins."""
        first = not hasattr(self, "network_")
        data = self._training_data(X, y, sample_weight, reset=first, fresh=first)
        self._fit_epoch(data)
        # The validation rows of `fit` may be trained on from now.
        vars(self).pop("held_out_pit_", None)
        vars(self).pop("held_out_weights_", None)
        return self
