"""Columns of every kind, from frames of every kind, as numbers for a network."""

import datetime
import sys
from typing import Any

import narwhals as nw
import numpy as np
import pandas as pd
import polars as pl
import pytest

from offby.tabular import BinnedRegressor, OrdinalClassifier
from offby.tabular.encoders.dates import DateEncoder
from offby.tabular.encoders.frames import matrix_of, numbers_of
from offby.tabular.encoders.table import TableEncoder
from offby.tabular.encoders.text import TextEncoder

QUICK: dict[str, Any] = {
    "max_iter": 40,
    "n_members": 2,
    "n_bags": 1,
    "hidden_layer_sizes": (32,),
    "learning_rate_init": 0.01,
    "random_state": 0,
}
SAYS = [
    ["awful", "torn", "returned it"],
    ["fine", "not bad", "as expected"],
    ["love it", "perfect", "wonderful"],
]


def reviews(n=300, seed=0):
    """Texts that nearly all differ, and what their writers thought."""
    rng = np.random.default_rng(seed)
    y = rng.integers(0, 3, n)
    filler = ["the dress", "this top", "my order", "the color", "a gift", "the shop"]
    texts = [
        f"{rng.choice(filler)} number {rng.integers(1000)}, "
        f"{rng.choice(SAYS[k])}, {rng.choice(filler)}"
        for k in y
    ]
    return texts, y


def both(columns):
    return [pl.DataFrame(columns), pd.DataFrame(columns)]


def kinds(encoder, columns):
    return {
        type(encoder.encoders_[kind]).__name__: [columns[place] for place in places]
        for kind, places in encoder.positions_.items()
    }


@pytest.mark.parametrize("which", [0, 1], ids=["polars", "pandas"])
def test_words_of_a_text_are_learned_from(which, tmp_path):
    pytest.importorskip("skrub")
    texts, y = reviews()
    new, truth = reviews(seed=1)
    X = both({"size": np.arange(300.0), "review": texts})[which]
    model: Any = OrdinalClassifier(**QUICK).fit(X, y)
    assert kinds(model.encoder_, model.feature_names_in_) == {
        "PiecewiseLinear": ["size"],
        "TextEncoder": ["review"],
    }
    gap = {"size": [1.0], "review": [None]}
    assert (
        model.score(both({"size": np.arange(300.0), "review": new})[which], truth) > 0.8
    )
    assert np.isfinite(model.predict_proba(both(gap)[which])).all()
    model.save(tmp_path / "model")
    again = OrdinalClassifier.load(tmp_path / "model")
    np.testing.assert_array_equal(again.predict_proba(X), model.predict_proba(X))


def test_text_without_skrub_is_said_to_be_lost(monkeypatch):
    monkeypatch.setitem(sys.modules, "skrub", None)
    texts, y = reviews(60)
    with pytest.warns(UserWarning, match="column 'review' holds text") as caught:
        model: Any = OrdinalClassifier(**QUICK).fit(pl.DataFrame({"review": texts}), y)
    assert caught[0].filename == __file__
    assert kinds(model.encoder_, model.feature_names_in_) == {
        "CategoryEncoder": ["review"]
    }


def test_few_strings_and_declared_categories_are_no_text():
    many = [f"city {i % 50}" for i in range(200)]
    frame = pl.DataFrame({"few": ["a", "b"] * 100, "many": many}).with_columns(
        pl.col("many").cast(pl.Categorical)
    )
    found = TableEncoder().fit(frame)
    assert kinds(found, frame.columns) == {"CategoryEncoder": ["few", "many"]}


@pytest.mark.parametrize(("n", "own"), [(2, False), (3, True)])
def test_a_category_of_three_rows_has_a_column_of_its_own(n, own):
    frame = pl.DataFrame({"c": ["few"] * n + ["rare"] + ["many"] * 9})
    few, rare = TableEncoder().fit(frame).transform(frame)[[0, n]]
    assert (few != rare).any() == own


@pytest.mark.parametrize("which", [0, 1], ids=["polars", "pandas"])
def test_dates_are_learned_from(which):
    rng = np.random.default_rng(0)
    start = datetime.datetime(2024, 1, 1)
    when = [
        start + datetime.timedelta(hours=int(h)) for h in rng.integers(0, 9000, 500)
    ]
    weekend = np.array([day.weekday() >= 5 for day in when])
    y = 3.0 * weekend + rng.normal(0, 0.3, 500)
    X = both({"when": when})[which]
    model: Any = BinnedRegressor(**QUICK).fit(X, y)
    assert kinds(model.encoder_, model.feature_names_in_) == {"DateEncoder": ["when"]}
    assert model.score(X, y) > 0.8
    gap = both({"when": [start, None]})[which]
    assert np.isfinite(model.predict(gap)).all()


def test_a_day_a_time_zone_and_a_duration_are_read_as_what_they_are():
    hour = datetime.timedelta(hours=1)
    first = datetime.datetime(2024, 2, 29, 18, 30)
    frame = pl.DataFrame(
        {
            "at": [first, first + 24 * hour, None],
            "day": [first.date(), first.date(), None],
            "took": [36 * hour, None, hour],
        }
    ).with_columns(pl.col("at").dt.replace_time_zone("Asia/Tokyo").alias("there"))
    found = DateEncoder().fit(frame)
    at = found.linear_.center_
    utc = (first - datetime.datetime(1970, 1, 1)) / datetime.timedelta(days=1)
    # Medians over two rows: the first moment, and a day later.
    np.testing.assert_allclose(at[:4], [utc + 0.5, 60.5, 4.5, 18.5])
    np.testing.assert_allclose(at[4:8], [int(utc), 60, 4, 0])
    np.testing.assert_allclose(at[8], (36 + 1) / 2 / 24)
    # Another zone: another moment, the same time of day.
    np.testing.assert_allclose(at[9:], [utc + 0.5 - 9 / 24, 60.5, 4.5, 18.5])


def test_encoded_values_know_their_columns():
    pytest.importorskip("skrub")
    texts, _ = reviews(80)
    frame = pl.DataFrame(
        {
            "color": ["red", "blue", "green", None] * 20,
            "review": texts,
            "when": [datetime.date(2024, 1, 1 + i % 28) for i in range(80)],
            "size": np.arange(80.0),
        }
    )
    fitted: Any = TableEncoder().fit(frame)
    places, values = fitted.column_of_, fitted.transform(frame)
    assert len(places) == values.shape[1]
    # Numbers, dates, texts, words: a change of one changes only its own places.
    for column, (name, other) in enumerate(
        {
            "size": 3.3,
            "when": datetime.date(2023, 5, 5),
            "review": "not bad",
            "color": "red",
        }.items()
    ):
        moved: Any = fitted.transform(frame.with_columns(pl.lit(other).alias(name)))
        changed = (moved != values).any(0)
        assert set(places[changed]) == {column}


@pytest.mark.parametrize(
    ("column", "says"),
    [
        ([[1, 2]] * 30, "is of type List"),
        ([datetime.time(3)] * 30, "is of type Time"),
    ],
)
def test_columns_of_other_types_are_refused(column, says):
    with pytest.raises(ValueError, match=f"but column 'odd' {says}"):
        BinnedRegressor(**QUICK).fit(pl.DataFrame({"odd": column}), np.arange(30.0))


def test_a_date_that_becomes_text_is_refused():
    days = [datetime.date(2024, 1, 1 + i) for i in range(30)]
    model: Any = BinnedRegressor(**QUICK).fit(
        pl.DataFrame({"when": days}), np.arange(30)
    )
    with pytest.raises(ValueError, match="'when' must hold dates, as in training, got"):
        model.predict(pl.DataFrame({"when": ["2024-01-01"]}))


FRAMES = {
    "polars": pl.DataFrame,
    "pandas": pd.DataFrame,
    "pandas nullable": lambda columns: pd.DataFrame(columns).astype("Float64"),
}


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
@pytest.mark.parametrize("kind", FRAMES)
def test_numbers_are_the_same_at_once_and_column_by_column(kind, dtype):
    values = np.random.default_rng(0).normal(size=(30, 4)).astype(dtype)
    values[3, 0] = np.inf
    gaps = np.arange(30) % 7 == 2
    columns = {f"x{k}": values[:, k].copy() for k in range(4)}
    columns["x1"][gaps] = np.nan
    frame = nw.from_native(FRAMES[kind](columns), eager_only=True)
    each = np.stack([numbers_of(column) for column in frame.iter_columns()], 1)
    at_once = matrix_of(frame)
    assert at_once.dtype == np.float64
    np.testing.assert_array_equal(at_once, each)
    assert np.isnan(at_once[gaps, 1]).all()
    mixed = nw.from_native(frame.with_columns(whole=nw.lit(3)).to_native())
    np.testing.assert_array_equal(matrix_of(mixed)[:, :4], each)


@pytest.mark.parametrize("n_words", [42, 59, 300])
def test_a_text_that_training_did_not_have_is_not_far_outside(n_words):
    pytest.importorskip("skrub")
    rng = np.random.default_rng(0)
    letters = list("ABCDEFGHIJKLMNOPQRSTUVWXYZ")
    words = ["".join(rng.choice(letters, 3)) for _ in range(n_words + 200)]
    rows = rng.choice(words[:n_words], 400) if n_words > 50 else words[:n_words]
    column = pl.DataFrame({"airport": rows})
    new = pl.DataFrame({"airport": words[n_words:]})
    encoder = TextEncoder().fit(column)
    assert np.abs(encoder.transform(column)).max() <= 3
    assert np.abs(encoder.transform(new)).max() <= 3
    # Where words are fewer than directions, those left over say nothing of new ones.
    spread = encoder.transform(column).std(0)
    far = np.abs(encoder.transform(new)).mean(0)
    assert (far[spread < 1e-3] == 0).all()


def test_texts_are_the_same_bits_however_many_threads():
    pytest.importorskip("skrub")
    from threadpoolctl import threadpool_limits

    frame = pl.DataFrame({"review": reviews()[0]})
    found = []
    for threads in (1, 2):
        with threadpool_limits(threads):
            found.append(TextEncoder().fit(frame).transform(frame))
    np.testing.assert_array_equal(*found)
