"""Each different row once, and units of weight that bags hold out."""

import numpy as np
import pytest
import torch

from offby.grounds import Line
from offby.tabular.boosted.rows import WeightedRows, held_out_weights
from offby.tabular.data import TrainingData


def rng():
    return np.random.default_rng(0)


def table(X, index, weights=None):
    weights = None if weights is None else torch.tensor(weights)
    X, index = torch.tensor(X), torch.tensor(index)
    return TrainingData(X, index, None, Line.regular(3), None, weights)


def test_copies_and_weights_are_the_same_rows():
    X, index = [[1.0], [np.nan], [1.0]], [0, 2, 1]
    weighted = WeightedRows.of(table(X, index, [2.0, 1.0, 3.0]))
    copies = np.repeat([0, 1, 2], [2, 1, 3])[::-1].copy()
    again = WeightedRows.of(table(np.array(X)[copies], np.array(index)[copies]))
    np.testing.assert_array_equal(weighted.weights, again.weights)
    np.testing.assert_array_equal(weighted.first, copies[again.first])
    np.testing.assert_array_equal(weighted.weights[weighted.code], [2, 1, 3])


@pytest.mark.parametrize("n_bags", [2, 5])
def test_every_unit_is_held_out_once(n_bags):
    weights = np.array([3.0, 1.0, 2.5, 0.5, 7.0])
    held = held_out_weights(weights, n_bags, 0.15, rng())
    assert held.shape == (n_bags, 5)
    np.testing.assert_allclose(held.sum(0), weights)
    assert (held >= 0).all()
    assert (held.sum(1) > 0).all()


def test_bags_hold_out_as_many_rows():
    held = held_out_weights(np.ones(103), 5, 0.15, rng())
    assert sorted(held.sum(1)) == [20, 20, 21, 21, 21]
    assert set(held.ravel()) == {0.0, 1.0}


def test_a_single_bag_holds_out_the_share_asked_for():
    held = held_out_weights(np.full(50, 2.0), 1, 0.15, rng())
    assert held.sum() == 15


@pytest.mark.parametrize("weights", [[1.0], [1.0, 2.0]])
def test_few_rows_validate_themselves(weights):
    held = held_out_weights(np.array(weights), 1, 0.15, rng())
    np.testing.assert_array_equal(held, [weights])


def test_heavy_rows_take_no_memory():
    weights = np.array([1e29, 3e29])
    held = held_out_weights(weights, 4, 0.15, rng())
    np.testing.assert_allclose(held.sum(0), weights)


def test_shares_that_are_fewer_units_than_bags_make_fewer_bags():
    weights = np.array([0.4, 0.9, 1.0])
    held = held_out_weights(weights, 5, 0.15, rng())
    assert len(held) == 3
    np.testing.assert_allclose(held.sum(0), weights)
