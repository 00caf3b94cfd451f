"""A histogram as the output of GluonTS's networks."""

import numpy as np
import pytest
import torch

pytest.importorskip("gluonts.torch")

from gluonts.core import serde  # pyright: ignore[reportMissingImports]

from offby import BinnedDistribution, Bins, losses
from offby.integrations.gluonts import BinnedOutput
from offby.integrations.torch_distributions import Histogram

pytestmark = pytest.mark.filterwarnings("ignore")  # those of GluonTS and Lightning
EDGES = [-2.0, -0.5, 0.0, 1.0, 4.0]
LOGITS = torch.randn(3, 2, 4, generator=torch.Generator().manual_seed(0)).double()
SCALE = torch.tensor([[2.0], [10.0], [0.5]]).double()


@pytest.mark.parametrize("tails", ["half-normal", "none"])
def test_the_distribution_is_that_of_the_bins(tails):
    output = BinnedOutput(EDGES, tails=tails, location_scale=False)
    found = output.distribution(output.domain_map(LOGITS), scale=SCALE)
    forecast = BinnedDistribution.from_logits(LOGITS, Bins(EDGES, tails=tails))
    y = torch.full((3, 2), 0.3).double()
    log_density = forecast.log_pdf(y.numpy()) - np.log(SCALE.numpy())
    np.testing.assert_allclose(found.log_prob(y * SCALE), log_density, rtol=1e-10)
    np.testing.assert_allclose(found.mean, forecast.mean() * SCALE.numpy(), rtol=1e-10)
    torch.manual_seed(0)
    draws = found.sample((4000,))
    assert draws.shape == (4000, 3, 2)
    wide = forecast.std() * SCALE.numpy()
    assert (np.abs(draws.mean(0).numpy() - found.mean.numpy()) < 0.1 * wide).all()


def test_the_loss_is_that_of_the_distribution():
    y = torch.tensor([[0.3, -1.0], [2.0, 9.0], [0.0, 0.1]]).double()
    given = {"loc": torch.ones(3, 1).double(), "scale": SCALE}
    density = BinnedOutput(EDGES, criterion="nll", location_scale=False)
    wanted = -density.distribution((LOGITS,), **given).log_prob(y)
    torch.testing.assert_close(density.loss(y, (LOGITS,), **given), wanted)
    found = BinnedOutput(EDGES, location_scale=False).loss(y, (LOGITS,), **given)
    for row, scale in enumerate(SCALE[:, 0].tolist()):
        bins = Bins([scale * edge + 1 for edge in EDGES], tails="half-normal")
        torch.testing.assert_close(
            found[row], losses.histogram_crps(LOGITS[row], y[row], bins)
        )


def test_the_network_gives_location_and_scale():
    """The histogram moved and widened is one on edges that are moved and widened."""
    y = torch.tensor([[0.3, -1.0], [2.0, 9.0], [0.0, 0.1]]).double()
    loc, width = torch.tensor(0.7).double(), torch.tensor(-1.0).double()
    raw = loc.expand(3, 2, 1), width.expand(3, 2, 1)
    for criterion in ("crps", "nll"):
        output = BinnedOutput(EDGES, criterion=criterion)
        given = output.domain_map(LOGITS, *raw)
        found = output.loss(y, given, loc=torch.ones(3, 1).double(), scale=SCALE)
        for row, scale in enumerate(SCALE[:, 0].tolist()):
            wide = scale * torch.nn.functional.softplus(width).item()
            edges = [wide * edge + scale * 0.7 + 1 for edge in EDGES]
            bins = Bins(edges, tails="half-normal")
            score = (
                losses.histogram_crps if criterion == "crps" else losses.histogram_nll
            )
            torch.testing.assert_close(found[row], score(LOGITS[row], y[row], bins))
        log_density = output.distribution(
            given, loc=torch.ones(3, 1).double(), scale=SCALE
        ).log_prob(y)
        if criterion == "nll":
            torch.testing.assert_close(found, -log_density)


def test_it_is_written_and_read():
    output = BinnedOutput(EDGES, tails="none", criterion="nll", location_scale=False)
    again = serde.decode(serde.load_json(serde.dump_json(serde.encode(output))))
    assert again.bins == output.bins
    assert again.criterion == "nll"
    assert again.args_dim == {"logits": 4}
    assert BinnedOutput().args_dim == {"logits": 80, "loc": 1, "scale": 1}
    with pytest.raises(ValueError, match="criterion must be"):
        BinnedOutput(criterion="mse")


def test_a_network_is_trained_and_forecasts(tmp_path):
    from gluonts.dataset.common import (  # pyright: ignore[reportMissingImports]
        ListDataset,
    )
    from gluonts.torch import (  # pyright: ignore[reportMissingImports]
        SimpleFeedForwardEstimator,
    )

    series = np.sin(np.arange(200) / 3).astype(np.float32) + 2
    rows = ListDataset([{"start": "2020-01-01", "target": series}], freq="D")
    estimator = SimpleFeedForwardEstimator(
        prediction_length=3,
        context_length=6,
        distr_output=BinnedOutput(),
        num_batches_per_epoch=2,
        trainer_kwargs={
            "max_epochs": 1,
            "accelerator": "cpu",
            "logger": False,
            "enable_progress_bar": False,
            "enable_model_summary": False,
            "default_root_dir": tmp_path,
        },
    )
    (forecast,) = estimator.train(rows).predict(rows)
    assert forecast.quantile(0.5).shape == (3,)
    assert isinstance(forecast.distribution.base_dist, Histogram)
