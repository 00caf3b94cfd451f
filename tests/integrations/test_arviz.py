"""Draws of forecasts for ArviZ."""

import numpy as np
import pytest
import torch

pytest.importorskip("arviz")

from offby import BinnedDistribution, Bins
from offby.integrations.arviz import to_inference_data

pytestmark = pytest.mark.filterwarnings("ignore")  # those of ArviZ
PROBS = torch.randn(4, 5, generator=torch.Generator().manual_seed(0)).softmax(-1)
FORECAST = BinnedDistribution(PROBS, Bins([0, 1, 2, 4, 8, 16]))


def test_draws_and_what_came_true():
    y = torch.tensor([0.5, 3, 7, 1])
    found = to_inference_data(FORECAST, y, name="rain", draws=4000, random_state=0)
    drawn = found.posterior_predictive["rain"]
    assert drawn.dims == ("chain", "draw", "rain_row")
    assert drawn.shape == (1, 4000, 4)
    wide = FORECAST.std() / np.sqrt(4000)
    assert (
        abs(drawn.mean(("chain", "draw")).values - FORECAST.mean()) < 4 * wide
    ).all()
    np.testing.assert_array_equal(found.observed_data["rain"], y)
    again = to_inference_data(FORECAST, random_state=0)
    assert "observed_data" not in again.groups()


def test_what_does_not_fit():
    with pytest.raises(ValueError, match="one number for each of 4 forecasts"):
        to_inference_data(FORECAST, [1.0])
    with pytest.raises(ValueError, match="rows of forecasts"):
        to_inference_data(FORECAST[0])
