"""Text of a table as numbers: pieces of its words, reduced to few directions."""

import warnings
from importlib.util import find_spec

import narwhals as nw
import numpy as np
from sklearn.base import BaseEstimator, TransformerMixin
from sklearn.preprocessing import StandardScaler
from sklearn.utils.validation import check_is_fitted
from threadpoolctl import threadpool_limits

from offby.tabular.encoders.frames import is_empty
from offby.tabular.encoders.numbers import squashed

MANY = 40
"""A column of so many different strings is text; skrub draws the line there too."""


_LEAST = 1e-3
"""Share of the largest scale below which a direction is rounding errors and says 0: a
column of 45 different texts has 45 directions, and along a 46th a new text would lie a
million deviations away."""


class TextEncoder(TransformerMixin, BaseEstimator):
    """Columns of text as the main directions of their pieces of 3 and 4 letters.

    Frequencies of the pieces (TF-IDF), then a singular value decomposition, both by
    skrub's `StringEncoder`; each direction is scaled to a variance of one, and squashed
    to stay between -3 and 3, as numbers are. A gap is an empty text. Weights of rows
    enter the scales but not the directions, since skrub takes none.

    Args:
        n_components: Directions per column, at most.

    References:
        Deerwester, Dumais, Furnas, Landauer, Harshman (1990), Indexing by latent
        semantic analysis, Journal of the American Society for Information Science 41.
    """

    def __init__(self, n_components: int = 60) -> None:
        self.n_components = n_components

    def fit(self, X, y=None, sample_weight=None) -> "TextEncoder":
        """Find the pieces and directions of each column."""
        from skrub import StringEncoder

        self.encoders_, self.scales_ = [], []
        # The decomposition is the same to the last bit with one thread only.
        with threadpool_limits(1):
            for column in nw.from_native(X, eager_only=True).iter_columns():
                encoder = StringEncoder(self.n_components, random_state=0)
                with warnings.catch_warnings():
                    # So few rows have so few directions: nothing is amiss.
                    warnings.filterwarnings("ignore", message="The matrix shape is")
                    found = _numbers(encoder.fit_transform(_strings(column)))
                self.encoders_.append(encoder)
                scale = StandardScaler().fit(found, sample_weight=sample_weight)
                spread = np.asarray(scale.scale_)
                noise = spread < _LEAST * spread.max()
                scale.scale_ = np.where(noise, np.inf, spread)
                self.scales_.append(scale)
        widths = [scale.n_features_in_ for scale in self.scales_]
        self.column_of_ = np.repeat(np.arange(len(widths)), widths)
        return self

    def transform(self, X) -> np.ndarray:
        """Rows x directions, float32."""
        check_is_fitted(self)
        columns = nw.from_native(X, eager_only=True).iter_columns()
        parts = [
            squashed(scale.transform(_numbers(encoder.transform(_strings(column)))))
            for column, encoder, scale in zip(
                columns, self.encoders_, self.scales_, strict=True
            )
        ]
        return np.concatenate(parts, 1, dtype=np.float32)


def is_text(column: nw.Series) -> bool:
    """Whether these are strings of too many values to be categories."""
    return column.dtype == nw.String and column.n_unique() >= MANY


def skrub_is_here() -> bool:
    """Whether `TextEncoder` can be fitted."""
    return find_spec("skrub") is not None


def _strings(column: nw.Series):
    if is_empty(column):
        gaps = [None] * len(column)
        made = nw.new_series(
            column.name, gaps, nw.String, backend=column.implementation
        )
        return made.to_native()
    return column.cast(nw.String).to_native()


def _numbers(frame) -> np.ndarray:
    return np.asarray(frame, dtype=np.float64)
