"""From a table to numbers a network can take: scaled, filled, spelled out."""

import narwhals as nw
import numpy as np
from sklearn import config_context
from sklearn.base import BaseEstimator, TransformerMixin
from sklearn.compose import make_column_transformer
from sklearn.impute import SimpleImputer
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler
from sklearn.utils.validation import check_is_fitted

from offby.tabular.encoders.frames import is_frame, is_number, matrix_of
from offby.weighted import WeightedSample


def encoder(X):
    """An unfitted transformer for the columns of `X`.

    Numbers are standardized and their gaps filled with the median and flagged; text and
    categories become one column per value (values in fewer than 3 rows share one, as do
    values not seen in training).
    """
    numbers, words = columns(X)
    number = make_pipeline(
        SimpleImputer(strategy="median", add_indicator=True, keep_empty_features=True),
        StandardScaler(),
    )
    return make_column_transformer(
        (number, numbers), (one_hot(), words), verbose_feature_names_out=False
    )


def fitted_encoder(X, sample_weight: np.ndarray | None = None):
    """The encoder fitted on these rows; weights enter the standardization."""
    made = encoder(X)
    if sample_weight is None:
        return made.fit(X)
    # scikit-learn hands weights to a step of a pipeline only if the step asks for them.
    with config_context(enable_metadata_routing=True):
        scaler = made.transformers[0][1].named_steps["standardscaler"]
        scaler.set_fit_request(sample_weight=True)
        return made.fit(X, sample_weight=sample_weight)


def one_hot() -> OneHotEncoder:
    """A column for each value that came often; one more for rare and new values."""
    return OneHotEncoder(
        handle_unknown="infrequent_if_exist", min_frequency=3, sparse_output=False
    )


class PiecewiseLinear(TransformerMixin, BaseEstimator):
    r"""Each number as one squashed value and its place between quantiles.

    A number x between the knots :math:`t_0 < \dots < t_T` of its column becomes

    .. math:: \min(\max((x - t_{i-1}) / (t_i - t_{i-1}), 0), 1) - 1/2,
              \qquad i = 1 \dots T

    and the standardized x, squashed to stay between -3 and 3. With it a network finds
    steps and bends of a column as easily as a tree does. A gap becomes the median of
    its column and, if the column had gaps in training, a flag of its own.

    Args:
        n_knots: Intervals per column, at most; fewer where a column has few values, and
            where columns are so many that all of them would exceed 1024 intervals.

    References:
        Gorishniy, Rubachev, Babenko (2022), On embeddings for numerical features in
        tabular deep learning, arXiv:2203.05556.

    >>> PiecewiseLinear(n_knots=2).fit_transform([[0.0], [1.0], [4.0]]).round(2)
    array([[-0.66, -0.5 , -0.5 ],
           [ 0.  ,  0.5 , -0.5 ],
           [ 1.68,  0.5 ,  0.5 ]], dtype=float32)
    """

    def __init__(self, n_knots: int = 32) -> None:
        self.n_knots = n_knots

    def fit(self, X, y=None, sample_weight=None) -> "PiecewiseLinear":
        """Find the knots, the scale and the gaps of each column."""
        X = _numbers(X)
        self.gaps_ = np.isnan(X).any(0)
        known = [_known(column, sample_weight) for column in X.T]
        self.center_ = np.array([float(column.quantile(0.5)) for column in known])
        self.scale_ = np.array([_spread(column) for column in known])
        n_knots = min(self.n_knots, 1024 // max(X.shape[1], 1))
        self.knots_ = [_knots(column, n_knots) for column in known]
        columns = np.arange(X.shape[1])
        codes = np.repeat(columns, [max(len(knots) - 1, 0) for knots in self.knots_])
        self.column_of_ = np.concatenate([columns, codes, columns[self.gaps_]])
        return self

    def transform(self, X) -> np.ndarray:
        """Rows x encoded columns, float32."""
        check_is_fitted(self)
        X = _numbers(X)
        missing = np.isnan(X)
        X = np.where(missing, self.center_, X)
        z = squashed((X - self.center_) / self.scale_)
        flags = missing[:, self.gaps_]
        codes = [
            _codes(x, knots)
            for x, knots in zip(X.T, self.knots_, strict=True)
            if len(knots)
        ]
        return np.concatenate([z, *codes, flags], 1, dtype=np.float32)


class PlainNumbers(TransformerMixin, BaseEstimator):
    """Columns of numbers as they are, for a learner that needs no scale.

    Gaps of every kind are NaN.
    """

    def fit(self, X, y=None, sample_weight=None) -> "PlainNumbers":
        """Note the columns."""
        self.column_of_ = np.arange(X.shape[1])
        return self

    def transform(self, X) -> np.ndarray:
        """Rows x columns, float64."""
        check_is_fitted(self)
        return _numbers(X)


def _numbers(X) -> np.ndarray:
    if is_frame(X):
        X = matrix_of(nw.from_native(X, eager_only=True))
    X = np.asarray(X, dtype=np.float64)
    # Half of the largest: differences of two must stay finite.
    most = np.finfo(np.float64).max / 2
    return np.clip(X, -most, most)


def squashed(z: np.ndarray) -> np.ndarray:
    """Standardized values kept between -3 and 3, so that no row can be far outside.

    >>> squashed(np.array([0.1, 1.0, 1e6])).round(3)
    array([0.1  , 0.949, 3.   ])
    """
    return z / np.sqrt(1 + (z / 3) ** 2)


def _known(column: np.ndarray, sample_weight: np.ndarray | None) -> WeightedSample:
    """The numbers of a column, without its gaps."""
    known = ~np.isnan(column)
    if not known.any():
        return WeightedSample.of([0.0])
    weights = None if sample_weight is None else sample_weight[known]
    return WeightedSample.of(column[known], weights)


def _spread(column: WeightedSample) -> float:
    """Width of the middle half, as a standard deviation; else the plain one."""
    low, high = column.quantile([0.25, 0.75])
    return float((high - low) / 1.349 or column.std() or 1.0)


def _knots(column: WeightedSample, n_knots: int) -> np.ndarray:
    """Increasing knots at quantiles; none for a column that one knot would fill."""
    knots = np.unique(column.quantile(np.linspace(0, 1, n_knots + 1)))
    return knots if len(knots) > 2 else knots[:0]


def _codes(x: np.ndarray, knots: np.ndarray) -> np.ndarray:
    """Place of each number in each interval, from -1/2 to 1/2: float32.

    By its place among all knots, which is one search and not a division per interval.
    """
    place = np.interp(x, knots, np.arange(len(knots))).astype(np.float32)
    codes = place[:, None] - np.arange(0.5, len(knots) - 1, dtype=np.float32)
    return np.clip(codes, -0.5, 0.5, out=codes)


def columns(X) -> tuple[list, list]:
    """The columns of numbers and those of text or categories."""
    if isinstance(X, np.ndarray):
        return list(range(X.shape[1])), []
    frame = nw.from_native(X, eager_only=True)
    schema = frame.schema
    numbers = [name for name, dtype in schema.items() if is_number(dtype)]
    return numbers, [name for name in schema if name not in numbers]
