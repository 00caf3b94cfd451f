"""Rows that are copies of each other in all inputs are never on both sides of a cut."""

import numpy as np
import pandas as pd
import polars as pl
import pytest
from hypothesis import assume, example, given
from hypothesis import strategies as st

from offby.comparison import Comparison, compare
from offby.comparison.config import Kind
from offby.comparison.networks import Settings
from offby.comparison.problem import Problem
from offby.tabular import (
    BinnedRegressor,
    BoostedBinnedRegressor,
    BoostedOrdinalClassifier,
    OrdinalClassifier,
)
from offby.tabular.copies import are_copies, first_copies, united
from offby.tabular.splits import even_parts

TINY = Settings(max_iter=1, hidden_layer_sizes=(4,))


def table(copies=40):
    """80 different rows, some of which come again, in another order."""
    rng = np.random.default_rng(0)
    X = rng.normal(size=(80, 2))
    number = np.r_[np.arange(80), rng.integers(0, 80, copies)]
    number = rng.permutation(number)
    return X[number], rng.integers(0, 3, 80 + copies), number


def problem(kind: Kind = "classes", X=None, **rules):
    default, y, _ = table()
    places = (0.0, 1.0, 2.0) if kind == "classes" else ()
    X = default if X is None else X
    return Problem(X, y.astype(float) if kind == "number" else y, kind, places, 3,
                   "uniform", 5, 0, **rules)  # fmt: skip


@pytest.mark.parametrize("make", [pd.DataFrame, pl.DataFrame])
def test_copies_are_the_same_in_every_column(make):
    frame = make(
        {
            "a": [1.0, None, 1.0, None, 1.0],
            "b": ["x", None, "x", None, "y"],
            "c": [True, False, True, False, True],
        }
    )
    assert first_copies(frame).tolist() == [0, 1, 0, 1, 4]


def test_many_columns_make_no_row_another():
    rng = np.random.default_rng(0)
    X = rng.normal(size=(50, 40))
    assert first_copies(X).tolist() == list(range(50))
    assert first_copies(np.r_[X, X[::-1]])[50:].tolist() == list(range(50))[::-1]


def test_groups_that_share_copies_are_one():
    groups = np.array(["a", "b", "c", "c", "d"])
    assert united(groups, np.array([0, 1, 1, 3, 4])).tolist() == [0, 1, 1, 1, 2]


@pytest.mark.parametrize("kind", ["classes", "number"])
@pytest.mark.parametrize("grouped", [False, True])
def test_copies_stay_on_one_side_of_every_cut(kind, grouped):
    _, _, number = table()
    groups = np.arange(120) // 2 if grouped else None
    # By twos, 40 copies join most groups to a few.
    whole = problem(kind, groups=None if groups is None else number // 4)
    tested = []
    for fold in whole.folds:
        sides = [set(number[rows.numbers]) for rows in (fold.train, fold.test)]
        assert not sides[0] & sides[1]
        tested.append(fold.test.numbers)
        # The rows that say when to stop are apart, too.
        learned = fold.train
        assert learned.groups is not None
        by_row = {n: set(learned.groups[number[learned.numbers] == n]) for n in number}
        assert all(len(each) <= 1 for each in by_row.values())
    assert sorted(np.concatenate(tested)) == list(range(120))
    assert max(map(len, tested)) < 40


def test_without_copies_nothing_changes():
    X = np.arange(240.0).reshape(120, 2)
    whole = problem(X=X)
    assert whole.n_copies == 0
    assert all(fold.train.groups is None for fold in whole.folds)


def test_the_result_says_how_many_copies_there_are():
    X, y, _ = table()
    rules = {"losses": ["ce"], "folds": 2, "seeds": 1, "settings": TINY}
    found = compare(X, y, **rules, notes=["From a shop."])
    assert found.data.n_copies == 40
    assert found.data.notes == (
        "From a shop.",
        "40 rows have the same inputs as an earlier row; such rows stay in the same "
        "fold.",
    )
    assert Comparison.from_json(found.to_json()).data == found.data
    timed = compare(X, y, **rules, time=np.arange(120))
    assert "does not keep such rows together" in timed.data.notes[0]


@pytest.mark.parametrize("n_different", [1, 3, 9])
def test_too_few_different_rows_are_cut_at_random_and_it_is_said(n_different):
    X = np.arange(120.0)[:, None] % n_different
    whole = problem(X=X)
    assert not whole.keeps_copies_together
    assert [len(fold.test.y) for fold in whole.folds] == [24] * 5
    rules = {"losses": ["ce"], "folds": 5, "seeds": 1, "settings": TINY}
    found = compare(X, table()[1], **rules, references=False)
    assert "too few rows differ" in found.data.notes[0]


class Stopped(Exception):
    """Nothing is trained: the test has seen which rows would be."""


def sides_of(monkeypatch, model, X, y, **given) -> list[tuple[np.ndarray, np.ndarray]]:
    """The training and validation rows of each bag of an estimator."""
    seen = []

    def networks(_, runs, *rest, **settings):
        seen.extend((run.train.numpy(), run.validation.numpy()) for run in runs)
        raise Stopped

    def forests(_, rows, held, *rest):
        for each in held:
            left = rows.weights - each
            seen.append(tuple(np.flatnonzero(w[rows.code]) for w in (left, each)))
        raise Stopped

    monkeypatch.setattr("offby.tabular._base.train", networks)
    monkeypatch.setattr("offby.tabular.boosted._base.grow_bags", forests)
    with pytest.raises(Stopped):
        model.fit(X, y, **given)
    return seen


@pytest.mark.parametrize("n_bags", [1, 2, 5])
@pytest.mark.parametrize(
    "estimator",
    [OrdinalClassifier, BinnedRegressor, BoostedOrdinalClassifier,
     BoostedBinnedRegressor],
)  # fmt: skip
def test_no_estimator_learns_from_copies_of_its_validation_rows(
    monkeypatch, estimator, n_bags
):
    X, _, number = table()
    y = number / 7.0 if "Binned" in estimator.__name__ else number % 3
    model = estimator(n_bags=n_bags, random_state=0)
    sides = sides_of(monkeypatch, model, X, y)
    assert len(sides) == n_bags
    for learned, validated in sides:
        assert not set(number[learned]) & set(number[validated])
        assert sorted([*learned, *validated]) == list(range(120))
        assert len(validated) == pytest.approx(
            120 / n_bags if n_bags > 1 else 18, abs=3
        )
    if n_bags > 1:
        validated = np.concatenate([each for _, each in sides])
        assert sorted(validated) == list(range(120))


@pytest.mark.parametrize("n_bags", [1, "auto"])
@pytest.mark.parametrize("with_copies", [False, True])
@pytest.mark.parametrize(
    "estimator",
    [OrdinalClassifier, BinnedRegressor, BoostedOrdinalClassifier,
     BoostedBinnedRegressor],
)  # fmt: skip
def test_the_rows_of_a_group_are_on_one_side(
    monkeypatch, estimator, with_copies, n_bags
):
    X, _, number = table()
    if not with_copies:
        X = np.random.default_rng(1).normal(size=X.shape)
    y = number / 7.0 if "Binned" in estimator.__name__ else number % 3
    weights = np.ones(120)
    weights[::9] = 0
    groups = pd.Series([["a", "b", "c", None][row % 4] for row in range(120)])
    model = estimator(n_bags=n_bags, random_state=0)
    given = {"groups": groups, "sample_weight": weights}
    sides = sides_of(monkeypatch, model, X, y, **given)
    # Each bag holds out a group of its own.
    assert len(sides) == (4 if n_bags == "auto" else 1)
    names = groups.astype(str).to_numpy()[weights > 0]
    for learned, validated in sides:
        assert len(set(names[validated])) == 1
        assert not set(names[learned]) & set(names[validated])


@pytest.mark.parametrize(
    ("groups", "n_bags", "message"),
    [
        ([1, 2, 3], 1, "a group for each of the 120 rows, got 3"),
        (["x"] * 120, 1, "at least two groups.*got 1"),
        ([1, 2, 3] * 40, 5, "at most the number of groups, 3, got 5"),
    ],
)
def test_groups_that_cannot_be_held_out_are_refused(groups, n_bags, message):
    X, y, _ = table()
    with pytest.raises(ValueError, match=message):
        OrdinalClassifier(n_bags=n_bags).fit(X, y, groups=groups)


@pytest.mark.parametrize("estimator", [OrdinalClassifier, BoostedOrdinalClassifier])
def test_where_few_rows_differ_any_row_may_validate(monkeypatch, estimator):
    # New rows will have these inputs, too.
    X, y = np.arange(120.0)[:, None] % 6, np.arange(120) % 5 // 2
    sides = sides_of(monkeypatch, estimator(random_state=0), X, y)
    assert any(set(X[a, 0]) & set(X[b, 0]) for a, b in sides)


@pytest.mark.parametrize("estimator", [OrdinalClassifier, BoostedOrdinalClassifier])
def test_where_the_same_inputs_have_other_targets_any_row_may_validate(
    monkeypatch, estimator
):
    X, y, _ = table()
    sides = sides_of(monkeypatch, estimator(random_state=0), X, y)
    assert any(set(X[a, 0]) & set(X[b, 0]) for a, b in sides)


@given(st.lists(st.tuples(st.integers(0, 4), st.integers(0, 2), st.integers(1, 3)),
                min_size=1, max_size=30))  # fmt: skip
@example([(i, i % 3, 2) for i in range(18)] + [(i, j, 1) for i in (18, 19)
                                              for j in (0, 1)])  # fmt: skip
# One pair of twenty differs: fewer than a tenth, if a row is no pair with itself only.
@example([(i, (i + (i == j == 0)) % 3, 1) for i in range(20) for j in (0, 1)])
def test_rows_of_a_weight_are_copies_as_rows_that_come_again_are(rows):
    inputs, target, weight = np.array(rows).T
    again = np.repeat(inputs, weight), np.repeat(target, weight)
    once = are_copies(inputs, target, weight.astype(float))
    assert once == are_copies(*again, np.ones(len(again[0])))
    # By the definition: two rows of the same inputs, and any two, one after the other.
    same, y = (each[:, None] == each for each in again)
    pairs = max(1, same.sum() - len(same))
    margin = 0.1 * (~y).mean() - (same & ~y).sum() / pairs
    assume(not 0 < abs(margin) < 1e-12)
    assert once == (margin >= 0)


def test_rows_of_few_groups_are_in_as_even_parts_as_can_be():
    sizes = np.array([7, 1, 1, 5, 2, 2])
    for seed in range(10):
        order = np.random.default_rng(seed).permutation(6)
        part = even_parts(sizes, 3, order)
        assert sorted(np.bincount(part, sizes)) == [5, 6, 7]
