"""Columns and targets as people have them: the kind of each, at fit and at predict."""

import datetime
from decimal import Decimal
from typing import Any

import numpy as np
import pandas as pd
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from offby import Bins
from offby.tabular import BinnedRegressor, OrdinalClassifier
from offby.tabular.encoders.frames import read_table
from offby.tabular.encoders.table import TableEncoder

QUICK: dict[str, Any] = {
    "max_iter": 2,
    "n_members": 2,
    "n_bags": 1,
    "hidden_layer_sizes": (8,),
    "random_state": 0,
}
N = 40
RNG = np.random.default_rng(0)
X = RNG.normal(size=N)
WORDS = np.array(["a", "b"] * (N // 2))


def fitted(table, y: Any = X, **more) -> Any:
    return BinnedRegressor(**QUICK, n_bins=5, **more).fit(table, y)


def kinds(table) -> dict[str, list[int]]:
    return TableEncoder().fit(read_table(table)).positions_


# Columns


@pytest.mark.parametrize(
    "column",
    [
        X.astype(object),
        (100 * X).astype(int).astype(object),
        [Decimal(f"{x:.3f}") for x in X],
        [None if i % 9 == 0 else bool(x > 0) for i, x in enumerate(X)],
        [None if i % 9 == 0 else float(x) for i, x in enumerate(X)],
    ],
    ids=["floats", "ints", "Decimals", "booleans with gaps", "floats with gaps"],
)
def test_numbers_in_object_columns_are_numbers(column):
    objects = pd.DataFrame({"x": pd.Series(column, dtype=object), "word": WORDS})
    assert kinds(objects) == {"numbers": [0], "categories": [1]}
    plain = objects.assign(x=[np.nan if v is None else float(v) for v in column])
    np.testing.assert_array_equal(
        fitted(objects).predict(objects), fitted(plain).predict(plain)
    )


def test_dates_in_object_columns_are_dates():
    days = [datetime.date(2024, 1, 1 + i % 28) for i in range(N)]
    took = [datetime.timedelta(hours=i) for i in range(N)]
    table = pd.DataFrame({"day": days, "took": took}, dtype=object)
    assert kinds(table) == {"dates": [0, 1]}
    assert np.isfinite(fitted(table).predict(table)).all()


def test_polars_decimals_and_lazy_frames_are_read():
    table = pl.DataFrame({"x": X, "word": WORDS}).with_columns(
        pl.col("x").cast(pl.Decimal(10, 3)).alias("d")
    )
    model = fitted(table)
    np.testing.assert_array_equal(
        fitted(table.lazy()).predict(table.lazy()), model.predict(table)
    )
    assert kinds(table) == {"numbers": [0, 2], "categories": [1]}


FIT = pd.DataFrame(
    {
        "x": X,
        "word": WORDS,
        "code": pd.Categorical(np.arange(N) % 3),
        "yes": [None if i % 9 == 0 else bool(x > 0) for i, x in enumerate(X)],
        "when": pd.date_range("2024-01-01", periods=N),
    }
)


@pytest.mark.parametrize("column", FIT.columns)
@pytest.mark.parametrize("gap", [None, np.nan, pd.NA])
def test_a_column_may_be_all_missing_at_predict_time(column, gap):
    model = fitted(FIT)
    new = FIT[:3].assign(**{column: [gap] * 3})
    assert np.isfinite(model.predict(new)).all()


@pytest.mark.parametrize("column", FIT.columns)
def test_a_column_may_be_all_missing_in_training(column):
    assert np.isfinite(fitted(FIT.assign(**{column: None})).predict(FIT)).all()


def test_a_table_may_hold_nothing_at_all():
    for empty in (pd.DataFrame({"a": [None] * N}), pl.DataFrame({"a": [None] * N})):
        assert np.isfinite(fitted(empty).predict(empty)).all()


def test_a_polars_column_of_another_type_may_be_all_missing_at_predict_time():
    days = [datetime.date(2024, 1, 1 + i % 28) for i in range(N)]
    table = pl.DataFrame({"x": X, "word": WORDS, "when": days})
    model = fitted(table)
    new = pl.DataFrame({"x": [0.1], "word": [None], "when": [None]})
    assert np.isfinite(model.predict(new)).all()


def test_a_single_record_is_a_table():
    record = {"x": 0.1, "word": None, "code": 1, "yes": True, "when": None}
    assert np.isfinite(fitted(FIT).predict(pd.DataFrame([record]))).all()


def test_codes_are_the_categories_that_they_name():
    model, new = fitted(FIT), FIT[:6]
    codes = new.assign(code=new["code"].astype(int))
    np.testing.assert_array_equal(model.predict(codes), model.predict(new))
    with pytest.warns(UserWarning, match="column 'word' holds none of the values"):
        model.predict(new.assign(word=[0, 1] * 3))


def test_a_new_category_counts_as_a_rare_one():
    # "rare" comes twice in training, less than a category of its own needs.
    table = FIT.assign(word=["rare"] * 2 + ["a", "b"] * (N // 2 - 1))
    encoder = TableEncoder().fit(table)
    new = encoder.transform(table[:3].assign(word=["unseen", "rare", "a"]))
    np.testing.assert_array_equal(*(row[encoder.column_of_ == 2] for row in new[:2]))
    assert (new[0] != new[2]).any()


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"x": ["0.1"] * 3}, "column 'x' must hold numbers, as in training, got '0.1'"),
        ({"when": ["2024-01-01"] * 3}, "column 'when' must hold dates, as in training"),
    ],
)
def test_a_column_of_another_kind_is_refused_by_name(change, says):
    with pytest.raises(ValueError, match=says):
        fitted(FIT).predict(FIT[:3].assign(**change))


@pytest.mark.parametrize(
    ("table", "says"),
    [
        (FIT[:0], "at least one row, got a frame of 5 columns and 0 rows"),
        (FIT.assign(word=[1, "one"] * (N // 2)), "column 'word' must hold numbers or "),
        (FIT.assign(word=[[1]] * N), "column 'word' must hold a single value"),
        (
            pd.DataFrame(np.c_[X, X], columns=["a", "a"]),
            "must have different names, got 'a' 2 times",
        ),
    ],
    ids=["empty", "mixed", "lists", "twice"],
)
def test_a_table_that_cannot_be_is_refused(table, says):
    with pytest.raises(ValueError, match=says):
        fitted(table, X[: len(table)])
    if len(table) == 0:
        with pytest.raises(ValueError, match=says):
            fitted(FIT).predict(table)


def test_an_array_in_place_of_a_frame_is_refused():
    with pytest.raises(ValueError, match="X must be a frame with the columns of train"):
        fitted(FIT[["x", "word"]]).predict(FIT[["x", "word"]].to_numpy())


def test_numbers_as_text_are_pointed_out():
    with pytest.warns(UserWarning, match="'x' holds numbers as text") as caught:
        fitted(pd.DataFrame({"x": [f"{i % 9}" for i in range(N)]}))
    assert caught[0].filename == __file__


VALUES = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-3, 3),
    st.floats(-1, 1),
    st.decimals(-1, 1, places=2),
    st.sampled_from(["a", "b", ""]),
    st.dates(datetime.date(2000, 1, 1), datetime.date(2030, 1, 1)),
)


@given(
    st.lists(VALUES, min_size=1, max_size=12), st.lists(VALUES, min_size=1, max_size=4)
)
@settings(deadline=None)
@pytest.mark.filterwarnings("ignore")
def test_any_objects_are_encoded_or_refused_with_the_name_of_the_column(seen, new):
    training = pd.DataFrame({"odd": pd.Series(seen, dtype=object)})
    later = pd.DataFrame({"odd": pd.Series(new, dtype=object)})
    said = ""
    try:
        encoder = TableEncoder().fit(read_table(training))
        found = encoder.transform(read_table(later))
        assert found.shape == (len(new), len(encoder.column_of_))
        assert np.isfinite(found).all()
    except ValueError as error:
        said = str(error)
    assert not said or "column 'odd'" in said


# Targets


CODES = np.arange(N) % 3
ORDER = ["low", "mid", "high"]
LABELS = np.array(ORDER)[CODES]


@pytest.mark.parametrize(
    "y",
    [
        pd.Categorical(LABELS, ORDER, ordered=True),
        pd.Series(pd.Categorical(LABELS, ORDER, ordered=True)),
        pd.DataFrame({"y": pd.Categorical(LABELS, ORDER, ordered=True)}),
        pl.Series(LABELS, dtype=pl.Enum(ORDER)),
        pl.DataFrame({"y": pl.Series(LABELS, dtype=pl.Enum(ORDER))}),
        pl.LazyFrame({"y": pl.Series(LABELS, dtype=pl.Enum(ORDER))}),
    ],
    ids=["Categorical", "pandas", "pandas frame", "polars", "polars frame", "lazy"],
)
def test_an_ordered_target_says_its_order_however_it_is_wrapped(y):
    model: Any = OrdinalClassifier(**QUICK).fit(X[:, None], y)
    assert model.categories_.tolist() == ORDER
    assert model.classes_.tolist() == sorted(ORDER)


def test_intervals_are_classes_named_as_they_print():
    y = pd.cut(pd.Series(X), [-9, -0.5, 0.5, 9])
    model: Any = OrdinalClassifier(**QUICK).fit(X[:, None], y)
    assert model.categories_.tolist() == ["(-9.0, -0.5]", "(-0.5, 0.5]", "(0.5, 9.0]"]


@pytest.mark.parametrize("estimator", [OrdinalClassifier, BinnedRegressor])
@pytest.mark.parametrize("gap", [None, pd.NA, np.nan])
@pytest.mark.parametrize("wrap", [list, pd.Series, pd.DataFrame])
def test_rows_without_a_target_are_counted(estimator, gap, wrap):
    y = wrap([gap, gap, *CODES[2:].tolist()])
    with pytest.raises(ValueError, match="Input y contains NaN: 2 of 40 rows"):
        estimator(**QUICK).fit(X[:, None], y)


def test_a_target_of_one_column_is_that_column():
    for frame in (pd.DataFrame({"y": X}), pl.DataFrame({"y": X})):
        model = fitted(X[:, None], frame)
        np.testing.assert_array_equal(
            model.predict(X[:, None]), fitted(X[:, None]).predict(X[:, None])
        )
    with pytest.raises(ValueError, match="y must be one column, got a frame of 2"):
        fitted(X[:, None], pd.DataFrame({"y": X, "z": X}))


def test_decimals_are_numbers():
    fitted(X[:, None], [Decimal(f"{x:.3f}") for x in X])


# Grids that miss the targets


def test_a_grid_that_misses_most_targets_is_pointed_out():
    with pytest.warns(UserWarning, match="100% of the targets lie outside") as caught:
        fitted(X[:, None], X).set_params(n_bins=Bins.uniform(100, 101, 10)).fit(
            X[:, None], X
        )
    assert caught[0].filename == __file__


def test_later_batches_beyond_the_first_bins_are_pointed_out():
    model: Any = BinnedRegressor(**QUICK).partial_fit(X[:, None], X)
    model.partial_fit(X[:, None], X)
    with pytest.warns(UserWarning, match="lie outside of the bins") as caught:
        model.partial_fit(X[:, None], X + 100)
    assert caught[0].filename == __file__
