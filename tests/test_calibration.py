"""Laws of the corrections that are fitted to validation rows."""

import numpy as np
import pytest

from offby.tabular.calibration import Isotonic, Temperature, identity


def forecasts(n=40, k=4, seed=0):
    rng = np.random.default_rng(seed)
    return rng.dirichlet(np.ones(k), n), rng.integers(0, k, n), rng.integers(1, 5, n)


@pytest.mark.parametrize("kind", [Temperature, Isotonic])
def test_a_weight_is_a_repetition_to_the_last_bit(kind):
    probs, index, weights = forecasts()
    new = forecasts(seed=1)[0]
    weighted = kind.fit(probs, index, weights.astype(float))
    copies = kind.fit(probs.repeat(weights, 0), index.repeat(weights))
    np.testing.assert_array_equal(weighted(new), copies(new))


@pytest.mark.parametrize(("kind", "room"), [(Temperature, 1e-6), (Isotonic, 0.02)])
def test_rows_of_next_to_no_weight_change_next_to_nothing(kind, room):
    probs, index, _ = forecasts()
    junk, wrong, _ = forecasts(150, seed=2)
    weights = np.r_[np.ones(40), np.full(150, 1e-9)]
    found = kind.fit(np.r_[probs, junk], np.r_[index, wrong], weights)
    # Isotonic: between two rows the map is a line, to wherever the next row lies.
    change = np.abs(found(probs) - kind.fit(probs, index)(probs)).mean()
    assert change < room
    unweighted = kind.fit(np.r_[probs, junk], np.r_[index, wrong])
    assert change < np.abs(unweighted(probs) - kind.fit(probs, index)(probs)).mean()


def test_isotonic_gives_a_class_that_never_came_some_mass():
    # Class 1 has mass in every forecast and comes in no row: 1 / (n + 1) of it stays.
    probs = np.tile([0.4, 0.2, 0.4], (30, 1))
    index = np.repeat([0, 2], 15)
    found = Isotonic.fit(probs, index)(probs)
    np.testing.assert_allclose(found[0], [0.5 - 0.1 / 31, 0.2 / 31, 0.5 - 0.1 / 31])


@pytest.mark.parametrize("kind", [Temperature, Isotonic])
def test_what_comes_out_are_masses_of_the_same_shape(kind):
    correct = kind.fit(*forecasts()[:2])
    probs = forecasts(12, seed=1)[0]
    found = correct(probs.reshape(3, 4, 4))
    assert (found >= 0).all()
    np.testing.assert_allclose(found.sum(-1), 1)
    np.testing.assert_array_equal(found.reshape(12, 4), correct(probs))


@pytest.mark.parametrize("kind", [Temperature, Isotonic])
def test_what_is_certain_stays_certain(kind):
    # The lowest forecast that these rows show, 0.4, comes true half of the time.
    probs, index = np.tile([0.4, 0.2, 0.4], (30, 1)), np.repeat([0, 2], 15)
    certain = np.eye(3)
    found = kind.fit(probs, index)(certain)
    np.testing.assert_allclose(found, certain, atol=1e-12)


@pytest.mark.parametrize(("right", "bound"), [(True, -3), (False, 3)])
def test_a_temperature_has_bounds(right, bound):
    """Rows that are all right, or all wrong, would have it go to zero or infinity."""
    probs = np.tile([0.6, 0.4], (20, 1))
    found = Temperature.fit(probs, np.full(20, 0 if right else 1))
    assert np.log(found.temperature) == pytest.approx(bound, abs=1e-4)


def test_identity_changes_nothing():
    probs = forecasts()[0]
    assert identity(probs) is probs
