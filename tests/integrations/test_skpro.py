"""skpro's methods and metrics of our forecasts have the numbers of the forecasts."""

from typing import Any

import numpy as np
import pytest

pytest.importorskip("skpro")
pytest.importorskip("pandas")

import pandas as pd
from sklearn.linear_model import LinearRegression
from skpro.metrics import CRPS, LogLoss, PinballLoss

from offby import BinnedDistribution, BinnedRegressor, Bins
from offby.integrations.skpro import BinnedForecast, BinnedProbaRegressor

pytestmark = pytest.mark.filterwarnings("ignore")  # those of skpro and pandas
EDGES = [-2.0, -1.0, 0.0, 0.5, 1.0, 3.0]
P = np.random.default_rng(0).dirichlet(np.ones(5), 3)
Y = np.array([[-1.5], [0.2], [2.0]])
ROWS: dict[str, Any] = {"index": ["a", "b", "c"], "columns": ["mm"]}
WRONG: Any = P


def pair(tails: Any) -> tuple[BinnedDistribution, Any]:
    ours = BinnedDistribution(P, Bins(EDGES, tails=tails))
    return ours, BinnedForecast(ours, **ROWS)


@pytest.mark.parametrize("tails", ["none", "half-normal"])
def test_numbers(tails):
    ours, theirs = pair(tails)
    y = pd.DataFrame(Y, **ROWS)
    for found, wanted in [
        (theirs.mean(), ours.mean()),
        (theirs.var(), ours.var()),
        (theirs.pdf(y), ours.pdf(Y[:, 0])),
        (theirs.log_pdf(y), ours.log_pdf(Y[:, 0])),
        (theirs.cdf(y), ours.cdf(Y[:, 0])),
        (theirs.ppf(0.3), ours.ppf(0.3)),
    ]:
        assert list(found.index) == ROWS["index"]
        assert list(found.columns) == ROWS["columns"]
        np.testing.assert_allclose(found.to_numpy()[:, 0], wanted, rtol=1e-12)
    levels = theirs.quantile([0.1, 0.9]).to_numpy()
    np.testing.assert_allclose(levels, ours.quantiles([0.1, 0.9]), rtol=1e-12)


@pytest.mark.parametrize("tails", ["none", "half-normal"])
def test_energy_and_metrics(tails):
    ours, theirs = pair(tails)
    # Between all pairs of evenly spaced quantiles.
    levels = (np.arange(4000) + 0.5) / 4000
    drawn = ours.quantiles(levels)
    rank = 2 * np.arange(4000) - 3999
    apart = 2 * drawn @ rank / 4000**2
    np.testing.assert_allclose(theirs.energy().to_numpy()[:, 0], apart, rtol=1e-3)
    from_y = np.abs(drawn - Y).mean(1)
    np.testing.assert_allclose(
        theirs.energy(pd.DataFrame(Y, **ROWS)).to_numpy()[:, 0], from_y, rtol=1e-3
    )
    y = pd.DataFrame(Y, **ROWS)
    assert CRPS()(y, theirs) == pytest.approx(ours.crps(Y[:, 0]).mean(), rel=1e-12)
    assert LogLoss()(y, theirs) == pytest.approx(-ours.log_pdf(Y[:, 0]).mean())


def test_parts_of_a_table():
    ours, theirs = pair("none")
    assert theirs.iloc[[2, 0]].forecast == ours[[2, 0]]
    assert list(theirs.loc[["c", "a"]].index) == ["c", "a"]
    assert theirs.iloc[1, 0].forecast == ours[1]
    assert theirs.iloc[1, 0].mean() == ours[1].mean()
    assert theirs.iloc[1, 0].cdf(0.2) == ours[1].cdf(0.2)
    assert theirs.sample(2).shape == (6, 1)


def test_a_regressor():
    rng = np.random.default_rng(0)
    X = pd.DataFrame({"x": rng.uniform(size=80)}, index=range(5, 85))
    y = pd.DataFrame({"mm": X["x"] + rng.normal(size=80) / 10})
    network = BinnedRegressor(n_bins=8, max_iter=5, random_state=0)
    model = BinnedProbaRegressor(network).fit(X, y)
    ours = network.fit(X, y["mm"].to_numpy()).predict_dist(X[:6])
    found = model.predict_proba(X[:6])
    assert found.forecast == ours
    assert list(found.index) == list(X.index[:6])
    predicted = model.predict(X[:6])
    assert list(predicted.columns) == ["mm"]
    np.testing.assert_allclose(predicted["mm"], ours.mean())
    ends = model.predict_interval(X[:6], coverage=0.8).to_numpy()
    np.testing.assert_allclose(ends, np.stack(ours.interval(0.8), -1))
    pinball = PinballLoss(alpha=[0.5])(y[:6], model.predict_quantiles(X[:6], [0.5]))
    off = np.abs(y["mm"][:6] - ours.median()).mean() / 2
    assert pinball == pytest.approx(off)


def test_refusals():
    with pytest.raises(TypeError, match="got a ndarray"):
        BinnedForecast(WRONG)
    with pytest.raises(ValueError, match=r"batch of shape \(1, 3\)"):
        BinnedForecast(BinnedDistribution(P[None], Bins(EDGES)))
    with pytest.raises(ValueError, match="on a line"):
        BinnedForecast(BinnedDistribution(P, Bins.periodic(0, 24, 5)))
    X = pd.DataFrame({"x": [0.0, 1.0]})
    with pytest.raises(TypeError, match="got a LinearRegression"):
        BinnedProbaRegressor(LinearRegression()).fit(X, X)
