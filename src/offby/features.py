"""From a table to numbers a network can take: scaled, filled, spelled out."""

import narwhals as nw
import numpy as np
from sklearn.compose import make_column_transformer
from sklearn.impute import SimpleImputer
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler


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
    word = OneHotEncoder(
        handle_unknown="infrequent_if_exist", min_frequency=3, sparse_output=False
    )
    return make_column_transformer(
        (number, numbers), (word, words), verbose_feature_names_out=False
    )


def columns(X) -> tuple[list, list]:
    """The columns of numbers and those of text or categories."""
    if isinstance(X, np.ndarray):
        return list(range(X.shape[1])), []
    frame = nw.from_native(X, eager_only=True)
    schema = frame.schema
    numbers = [name for name, dtype in schema.items() if _is_number(dtype)]
    return numbers, [name for name in schema if name not in numbers]


def _is_number(dtype) -> bool:
    return dtype.is_numeric() or dtype == nw.Boolean
