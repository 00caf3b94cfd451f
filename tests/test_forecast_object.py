"""What people do with a forecast in hand: columns, frames, levels, rows."""

from typing import Any

import numpy as np
import pandas as pd
import polars as pl
import pytest
import torch
from scipy import stats

from offby import BinnedDistribution, BinnedRegressor, Bins, OrdinalClassifier
from offby.distribution import ClassDistribution

RNG = np.random.default_rng(0)
BINS = Bins([0, 1, 3, 4, 8])
PROBS = RNG.dirichlet(np.ones(4), 5)
FORECAST: Any = BinnedDistribution(PROBS, BINS)
Y = RNG.uniform(-1, 9, 5)
INDEX = pd.Index(list("abcde"))
OF_NUMBERS = ("cdf", "sf", "pdf", "log_pdf", "crps", "pit")
CLASSES = ClassDistribution(PROBS, ["xs", "s", "m", "l"])


@pytest.mark.parametrize("name", OF_NUMBERS)
def test_a_column_of_an_array_is_refused_and_one_of_a_frame_is_taken(name):
    method = getattr(FORECAST, name)
    with pytest.raises(ValueError, match=r"use y.reshape\(-1\), or forecast\[:, None"):
        method(Y[:, None])
    with pytest.raises(ValueError, match="one for each of 5 forecasts"):
        method(Y[:4])
    for library in (pd, pl):
        found: Any = method(library.DataFrame({"y": Y}))
        assert isinstance(found, library.Series)
        assert found.name == name
        np.testing.assert_array_equal(found.to_numpy(), method(Y))
    with pytest.raises(ValueError, match="a frame of 2 columns"):
        method(pd.DataFrame({"y": Y, "z": Y}))
    # All pairs, if asked for.
    pairs = getattr(FORECAST[:, None], name)(Y)
    assert pairs.shape == (5, 5)
    np.testing.assert_allclose(np.diag(pairs), method(Y))


def test_a_column_of_truths_is_refused_for_quantile_losses_and_classes():
    with pytest.raises(ValueError, match="of a single column"):
        FORECAST.quantile_loss(Y[:, None], 0.5)
    labels = np.array(["s", "m", "m", "l", "xs"])
    for score in (CLASSES.rps, CLASSES.log_score):
        with pytest.raises(ValueError, match="of a single column"):
            score(labels[:, None])
        found: Any = score(pd.Series(labels, INDEX))
        assert found.index.equals(INDEX)
        np.testing.assert_array_equal(found, score(labels))


def test_a_list_of_levels_is_one_for_each_forecast_however_many():
    levels = [0.05, 0.35, 0.5, 0.8, 0.95]
    each = [FORECAST[row].ppf(level) for row, level in enumerate(levels)]
    np.testing.assert_array_equal(FORECAST.ppf(levels), each)
    with pytest.raises(ValueError, match=r"forecast.quantiles\(levels\)"):
        FORECAST.ppf(levels[:4])
    for n in (1, 4, 5):
        found = FORECAST.quantiles(levels[:n])
        assert found.shape == (5, n)
        for at, level in enumerate(levels[:n]):
            np.testing.assert_array_equal(found[:, at], FORECAST.ppf(level))
    assert FORECAST[0].quantiles(levels).shape == (5,)
    with pytest.raises(ValueError, match="one axis of numbers"):
        FORECAST.quantiles([levels])


def test_the_other_side_is_the_other_side():
    np.testing.assert_allclose(FORECAST.sf(Y), 1 - FORECAST.cdf(Y))
    np.testing.assert_allclose(FORECAST.isf(0.3), FORECAST.ppf(0.7))
    frozen = stats.rv_histogram((PROBS[0], BINS.edges.numpy()), density=False)
    for name in ("cdf", "sf", "pdf", "ppf", "isf"):
        at = RNG.uniform(0, 1, 7)
        theirs, ours = getattr(frozen, name)(at), getattr(FORECAST[0], name)(at)
        np.testing.assert_allclose(ours, theirs, atol=1e-14)


def test_draws_have_the_shape_that_scipy_gives():
    assert FORECAST.rvs(random_state=0).shape == (5,)
    assert FORECAST[0].rvs(3, random_state=0).shape == (3,)
    draws = FORECAST.rvs((9, 5), random_state=1)
    np.testing.assert_array_equal(draws, FORECAST.sample(9, 1))
    with pytest.raises(ValueError, match="must end in the shape of the batch"):
        FORECAST.rvs(9)


def test_a_forecast_equals_another_with_the_same_masses():
    for forecast, other_grid in (
        (FORECAST, BinnedDistribution(PROBS, Bins([0, 1, 3, 4, 9]))),
        (CLASSES, ClassDistribution(PROBS, ["a", "b", "c", "d"])),
    ):
        rows = list(forecast)
        assert len(rows) == len(forecast) == 5
        assert rows[2] == forecast[2]
        assert rows[2] != forecast[3]
        assert forecast != other_grid
        assert forecast != forecast.probs.tolist()
        assert hash(rows[2]) == hash(forecast[2])
    assert FORECAST[0] != CLASSES[0]
    with pytest.raises(TypeError, match="no length"):
        len(CLASSES[0])


def test_estimators_keep_the_index_of_a_frame():
    X = pd.DataFrame({"a": np.linspace(0, 1, 5)}, INDEX)
    quick: Any = {"max_iter": 1, "n_members": 2, "random_state": 0, "n_bags": 1}
    forecast: Any = BinnedRegressor(n_bins=3, **quick).fit(X, Y).predict_dist(X)
    table = forecast.to_frame([0.5])
    assert table.index.equals(INDEX)
    assert table.columns.tolist() == ["mean", "quantile_0.5"]
    assert forecast[1:3].to_frame().index.tolist() == ["b", "c"]
    assert forecast.crps(pd.Series(Y, INDEX)).index.equals(INDEX)
    assert BinnedDistribution.mixture([forecast, forecast]).row_index.equals(INDEX)
    with pytest.raises(ValueError, match=r"y.loc\[forecast.row_index\]"):
        forecast.crps(pd.Series(Y, INDEX[::-1]))
    assert forecast.to_frame(backend="polars").shape == (5, 6)

    labels = np.array(["s", "m", "m", "l", "s"])
    model = OrdinalClassifier(categories=["s", "m", "l"], **quick).fit(X, labels)
    of_classes = model.predict_dist(X)
    assert of_classes.to_frame().index.equals(INDEX)
    assert of_classes[[4]].row_index.tolist() == ["e"]
    with pytest.raises(ValueError, match="another one"):
        of_classes.rps(pd.Series(labels, INDEX[::-1]))
    with pytest.raises(ValueError, match="row_index must name each of 5"):
        BinnedDistribution(PROBS, BINS, row_index=INDEX[:2])


@pytest.mark.parametrize("forecast", [FORECAST, CLASSES], ids=["numbers", "classes"])
def test_a_frame_of_a_library_that_has_no_rows_at_hand_is_refused(forecast):
    with pytest.raises(ValueError, match=r"backend must be one of 'pandas', .* 'dask'"):
        forecast.to_frame(backend="dask")


def test_axes_have_names():
    pyplot = pytest.importorskip("matplotlib.pyplot")
    pyplot.switch_backend("agg")
    for draw, names in (
        (FORECAST[0].plot, ("target", "density")),
        (lambda: FORECAST.plot(label="price"), ("price", "density of each forecast")),
        (CLASSES[0].plot, ("class", "probability")),
    ):
        ax = draw()
        assert (ax.get_xlabel(), ax.get_ylabel()) == names
        pyplot.close(ax.figure)


def test_a_single_forecast_takes_a_new_axis_and_tensors_index():
    np.testing.assert_array_equal(FORECAST[0][..., None].cdf([1, 2]).shape, (2,))
    assert FORECAST[torch.tensor([1, 2])] == FORECAST[1:3]
