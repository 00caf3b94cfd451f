"""The container and the wrapper of ScoringBench, whose own tests pass on it as well.

git clone of jonaslandsgesell/ScoringBench, on PYTHONPATH; it is no package.
"""

import numpy as np
import pytest
import torch

pytest.importorskip("scoringbench")

from scoringbench.metrics import (  # pyright: ignore[reportMissingImports]
    compute_metrics,
)

from offby import BinnedDistribution, BinnedRegressor, Bins
from offby.integrations.scoringbench import OffbyWrapper, to_prediction

PROBS = torch.randn(4, 30, generator=torch.Generator().manual_seed(0)).softmax(-1)
EDGES = np.linspace(-3, 3, 31)


@pytest.mark.parametrize("tails", ["none", "half-normal", "upper-half-normal"])
def test_the_container_holds_the_forecast(tails):
    forecast = BinnedDistribution(PROBS, Bins(EDGES, tails=tails))
    held = to_prediction(forecast)
    np.testing.assert_allclose(held.probas.sum(1), 1)
    inner = np.isin(held.bin_edges, EDGES[1:-1])
    assert inner.sum() == 29
    below = np.cumsum(held.probas, axis=1)
    for place in np.flatnonzero(inner):
        np.testing.assert_allclose(
            below[:, place - 1], forecast.cdf(held.bin_edges[place]), rtol=1e-6
        )
    means = (held.probas * held.bin_midpoints).sum(1)
    np.testing.assert_allclose(means, forecast.mean(), atol=2e-3)
    np.testing.assert_allclose(held.mean, forecast.mean())


def test_its_crps_comes_near_to_the_exact_one():
    forecast = BinnedDistribution(PROBS, Bins(EDGES, tails="half-normal"))
    y = np.array([0.3, -2.0, 1.1, 0.0])
    found = compute_metrics(to_prediction(forecast), y)
    assert found["crps"] == pytest.approx(forecast.crps(y).mean(), rel=0.01)


def test_a_regressor_is_fitted():
    X = np.linspace(0, 1, 60)[:, None]
    small = BinnedRegressor(n_bins=5, max_iter=2, random_state=0)
    wrapper = OffbyWrapper(small).fit(X, X[:, 0])
    np.testing.assert_allclose(
        wrapper.predict_distribution(X).mean, wrapper.predict(X), rtol=1e-6
    )
    assert not hasattr(small, "n_features_in_")
    assert OffbyWrapper().estimator.get_params() == BinnedRegressor().get_params()


def test_what_it_does_not_hold():
    with pytest.raises(ValueError, match="got a batch of shape"):
        to_prediction(BinnedDistribution(PROBS[0], Bins(EDGES)))
    with pytest.raises(ValueError, match="circle"):
        to_prediction(BinnedDistribution(PROBS, Bins.periodic(0, 24, 30)))
