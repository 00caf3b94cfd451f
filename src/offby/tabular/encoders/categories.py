"""Categories of a table as numbers: a column for each."""

import narwhals as nw
import numpy as np
from sklearn.base import BaseEstimator, TransformerMixin
from sklearn.utils.validation import check_is_fitted

from offby.tabular.encoders.numbers import one_hot


class Words(TransformerMixin, BaseEstimator):
    """Columns of strings or categories, one column per value.

    Values in fewer than 3 rows share one, as do values not seen in training; a gap is a
    value of its own. As scikit-learn's `OneHotEncoder`, for frames of every kind: each
    library has gaps of its own, which sorting would not take.
    """

    def fit(self, X, y=None) -> "Words":
        """Find the values of each column."""
        self.one_hot_ = one_hot().fit(_values(X))
        rare = self.one_hot_.infrequent_categories_
        widths = [
            len(values) - (0 if few is None else len(few) - 1)
            for values, few in zip(self.one_hot_.categories_, rare, strict=True)
        ]
        self.column_of_ = np.repeat(np.arange(len(widths)), widths)
        return self

    def transform(self, X) -> np.ndarray:
        """Rows x values, float32."""
        check_is_fitted(self)
        return np.asarray(self.one_hot_.transform(_values(X)), dtype=np.float32)


def _values(X) -> np.ndarray:
    """The columns as objects; gaps are None."""
    frame = nw.from_native(X, eager_only=True)
    values = np.empty(frame.shape, dtype=object)
    for i, column in enumerate(frame.iter_columns()):
        values[:, i] = column.to_list()
        values[column.is_null().to_numpy(), i] = None
    return values
