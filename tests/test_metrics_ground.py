"""Metrics on a ground: circular error, distance in a tree, costs."""

import numpy as np
import pytest
import torch

from offby import Costs, Line, losses, metrics
from tests.cases import chord, circle, line, points, tree

RNG = np.random.default_rng(0)
Y, GUESS = RNG.integers(0, 5, 40), RNG.integers(0, 5, 40)
P = RNG.dirichlet(np.ones(5), 40)
every_ground = pytest.mark.parametrize("make", [line, circle, chord, tree, points])


@every_ground
def test_errors_are_distances_on_the_ground(make):
    ground = make(5)
    off = np.array([float(ground.cost[g, y]) for g, y in zip(GUESS, Y, strict=True)])
    weight = RNG.random(40)
    assert metrics.mean_absolute_error(
        Y, GUESS, ground=ground, sample_weight=weight
    ) == pytest.approx(np.average(off, weights=weight))
    by_class = [off[y == Y].mean() for y in range(5)]
    found = metrics.average_mean_absolute_error(Y, GUESS, ground=ground)
    assert found == pytest.approx(np.mean(by_class))
    found = metrics.maximum_mean_absolute_error(Y, GUESS, ground=ground)
    assert found == pytest.approx(max(by_class))
    reach = float(np.median(off))
    found = metrics.accuracy_within(Y, GUESS, reach, ground=ground)
    assert found == pytest.approx((off <= reach).mean())
    found = metrics.far_error_rate(Y, GUESS, reach, ground=ground)
    assert found == pytest.approx((off >= reach).mean())


@every_ground
def test_ranked_probability_score_is_the_squared_emd_on_the_ground(make):
    ground = make(5)
    right = losses.squared_emd(torch.tensor(P).log(), torch.tensor(Y), ground)
    found = metrics.rows.ranked_probability_score(Y, P, ground=ground)
    np.testing.assert_allclose(found, right.numpy(), rtol=1e-10)
    far = float(ground.cost.max())
    small = metrics.ranked_probability_score(Y, P, ground=ground, normalized=True)
    assert small == pytest.approx(float(right.mean()) / far)


def test_labels_say_which_class_of_the_ground_is_which():
    names = ["cat", "dog", "oak"]
    ground = Costs([[0, 1, 4], [1, 0, 4], [4, 4, 0]])
    true, guess = ["oak", "cat"], ["dog", "dog"]
    found = metrics.mean_absolute_error(true, guess, labels=names, ground=ground)
    assert found == 2.5
    other = Costs([[0, 4, 4], [4, 0, 1], [4, 1, 0]])
    turned = [names[2], names[0], names[1]]
    assert metrics.mean_absolute_error(true, guess, labels=turned, ground=other) == 2.5


def test_costs_of_the_guess_where_the_truth_is_another():
    """cost[i, j] is that of predicting i where j is true."""
    ground = Costs([[0, 1], [9, 0]], asymmetric=True)
    assert metrics.mean_absolute_error([0], [1], ground=ground) == 9
    assert metrics.mean_absolute_error([1], [0], ground=ground) == 1


def test_a_ground_that_does_not_fit_is_refused():
    with pytest.raises(ValueError, match="classes 0 to 2, got 4"):
        metrics.mean_absolute_error([0, 4], [0, 1], ground=Line.regular(3))
    with pytest.raises(ValueError, match="one value for each of y_true, got 1 for 2"):
        metrics.mean_absolute_error([0, 1], [0], ground=Line.regular(3))
    with pytest.raises(ValueError, match="the 5 classes of y_proba, got 3"):
        metrics.ranked_probability_score(Y, P, ground=Line.regular(3))
