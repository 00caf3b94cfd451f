"""Regressors and their forecasts for skpro: docs/integrations.md."""

from collections.abc import Callable
from typing import Any, ClassVar

import numpy as np
import pandas as pd
from sklearn.base import clone
from skpro.distributions.base import BaseDistribution
from skpro.regression.base import BaseProbaRegressor

from offby.bins import Bins
from offby.distribution import BinnedDistribution
from offby.distribution.circular import check_on_a_line

__all__ = ["BinnedForecast", "BinnedProbaRegressor"]

_FAR = 40
"""In widths of the end bin: no half-normal tail has any mass to speak of there."""


class BinnedForecast(BaseDistribution):
    """A `BinnedDistribution` as a distribution of skpro, with one column.

    skpro's `Histogram` has no tails, loops over rows, and takes the energy of all
    numbers of a bin for that of its center. Here all numbers are exact, `energy` and
    with it skpro's CRPS too.

    Args:
        forecast: One forecast, or one axis of them.
        index: The rows; numbered by default.
        columns: Name of the target, as a list of one.

    Raises:
        TypeError: If the forecast is no `BinnedDistribution`.
        ValueError: If it has several axes, or bins on a circle.

    >>> from offby import BinnedDistribution, Bins
    >>> from offby.integrations.skpro import BinnedForecast
    >>> rain = BinnedDistribution([[0.5, 0.5], [0.0, 1.0]], Bins([0, 1, 3]))
    >>> BinnedForecast(rain, index=["a", "b"], columns=["mm"]).mean()
         mm
    a  1.25
    b  2.00
    """

    _tags: ClassVar[dict[str, Any]] = {
        "capabilities:approx": ["pdfnorm"],
        "capabilities:exact": ["mean", "var", "energy", "pdf", "log_pdf", "cdf", "ppf"],
        "distr:measuretype": "continuous",
        "distr:paramtype": "nonparametric",
    }

    def __init__(self, forecast: Any, index: Any = None, columns: Any = None) -> None:
        if not isinstance(forecast, BinnedDistribution):
            raise TypeError(
                "forecast must be a BinnedDistribution, got a "
                f"{type(forecast).__name__}; predict_dist of a regressor gives one"
            )
        check_on_a_line("BinnedForecast", forecast.bins)
        if forecast.probs.ndim > 2:
            raise ValueError(
                "skpro's tables have one axis of rows, got a batch of shape "
                f"{forecast.probs.shape[:-1]}"
            )
        self.forecast = forecast
        super().__init__(index=index, columns=columns)

    def _init_shape_bc(self, index: Any = None, columns: Any = None) -> None:
        del index, columns
        batch = self.forecast.probs.shape[:-1]
        self._shape = (*batch, 1) if batch else ()
        if batch and self.index is None:
            self.index = pd.RangeIndex(batch[0])
        if batch and self.columns is None:
            self.columns = pd.RangeIndex(1)

    def _iloc(self, rowidx: Any = None, colidx: Any = None) -> "BinnedForecast":
        if np.ndim(rowidx) == np.ndim(colidx) == 0 and None not in (rowidx, colidx):
            return self._iat(rowidx, colidx)
        columns = (
            self.columns if colidx is None else self.columns.take(np.atleast_1d(colidx))
        )
        rows = np.arange(len(self)) if rowidx is None else np.atleast_1d(rowidx)
        return BinnedForecast(self.forecast[rows], self.index.take(rows), columns)

    def _iat(self, rowidx: Any = None, colidx: Any = None) -> "BinnedForecast":
        del colidx  # there is one
        return BinnedForecast(self.forecast[int(rowidx)])

    def _mean(self) -> np.ndarray:
        return self._column(self.forecast.mean())

    def _var(self) -> np.ndarray:
        return self._column(self.forecast.var())

    def _pdf(self, x: Any) -> np.ndarray:
        return self._at_numbers(self.forecast.pdf, x)

    def _log_pdf(self, x: Any) -> np.ndarray:
        return self._at_numbers(self.forecast.log_pdf, x)

    def _cdf(self, x: Any) -> np.ndarray:
        return self._at_numbers(self.forecast.cdf, x)

    def _ppf(self, p: Any) -> np.ndarray:
        return self._at_numbers(self.forecast.ppf, p)

    def _energy_self(self) -> np.ndarray:
        # The CRPS at x is E|X - x| - E|X - X'| / 2, and beyond all mass the first of
        # these is the distance from the mean.
        bins = self.forecast.bins
        far = float(bins.edges[-1])
        if bins.upper_tail:
            far += _FAR * float(bins.widths[-1])
        apart = far - self.forecast.mean()
        return self._column(2 * (apart - self.forecast.crps(far)))

    def _energy_x(self, x: Any) -> np.ndarray:
        return self._at_numbers(self.forecast.crps, x) + self._energy_self() / 2

    def _at_numbers(self, method: Callable[[Any], Any], numbers: Any) -> np.ndarray:
        """A method of the forecast at a column of numbers, or at one."""
        given = np.asarray(numbers, np.float64)
        return self._column(method(given[:, 0] if self.ndim else given.reshape(())))

    def _column(self, numbers: Any) -> np.ndarray:
        found = np.asarray(numbers)
        return found[:, None] if self.ndim else found

    @classmethod
    def get_test_params(cls, parameter_set: str = "default") -> Any:
        """Settings for skpro's own checks."""
        del parameter_set
        bins = Bins([-1.0, 0.0, 0.5, 2.0], tails="half-normal")
        rows = BinnedDistribution([[0.2, 0.5, 0.3], [0.1, 0.1, 0.8]], bins)
        frame = {"index": pd.Index([3, 5]), "columns": pd.Index(["y"])}
        return [{"forecast": rows, **frame}, {"forecast": rows[0]}]


class BinnedProbaRegressor(BaseProbaRegressor):
    """A regressor of offby as a probabilistic regressor of skpro.

    Args:
        estimator: What is fitted: a `BinnedRegressor`, a `BoostedBinnedRegressor`, or
            any other scikit-learn regressor with `predict_dist`.

    >>> import numpy as np
    >>> import pandas as pd
    >>> import offby
    >>> from offby.integrations.skpro import BinnedProbaRegressor
    >>> X = pd.DataFrame({"x": np.linspace(0, 1, 60)})
    >>> network = offby.BinnedRegressor(n_bins=5, max_iter=5, random_state=0)
    >>> model = BinnedProbaRegressor(network).fit(X, X)
    >>> model.predict_proba(X[:3]).shape
    (3, 1)
    """

    _tags: ClassVar[dict[str, Any]] = {"capability:multioutput": False}

    def __init__(self, estimator: Any) -> None:
        self.estimator = estimator
        super().__init__()

    # skpro hands over censored rows only to regressors whose tags say that they can.
    def _fit(self, X: Any, y: Any, C: Any = None) -> "BinnedProbaRegressor":
        del C
        if not hasattr(self.estimator, "predict_dist"):
            raise TypeError(
                "estimator must be a regressor with predict_dist, such as "
                f"offby.BinnedRegressor(), got a {type(self.estimator).__name__}"
            )
        # scikit-learn takes column names that are strings only.
        self.estimator_: Any = clone(self.estimator)
        self.estimator_.fit(_named(X), y.iloc[:, 0].to_numpy())
        return self

    def _predict_proba(self, X: Any) -> Any:
        forecast = self.estimator_.predict_dist(_named(X))
        return BinnedForecast(forecast, X.index, self._get_columns("predict"))

    @classmethod
    def get_test_params(cls, parameter_set: str = "default") -> Any:
        """Settings for skpro's own checks."""
        del parameter_set
        from offby.tabular import BinnedRegressor

        small: dict[str, Any] = {"n_bins": 8, "max_iter": 3, "random_state": 0}
        return [
            {"estimator": BinnedRegressor(tails=tails, **small)}
            for tails in ("half-normal", "none")
        ]


def _named(X: pd.DataFrame) -> pd.DataFrame:
    return X.set_axis(X.columns.map(str), axis=1)
