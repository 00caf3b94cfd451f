"""The histogram of torch.distributions is `BinnedDistribution` with gradients."""

import math
from typing import Any

import numpy as np
import pytest
import torch
from torch.distributions import Categorical as Weights
from torch.distributions import Independent, MixtureSameFamily, kl_divergence

from offby import BinnedDistribution, Bins
from offby.integrations.torch_distributions import Histogram, to_torch

EDGES = [-2.0, -1.0, 0.0, 0.5, 1.0, 3.0]
TAILS = ["none", "half-normal", "lower-half-normal", "upper-half-normal"]
RNG = np.random.default_rng(0)
P = RNG.dirichlet(np.ones(5), 4)
P[1] = [0.0, 0.5, 0.0, 0.5, 0.0]
P[2] = [0.0, 0.0, 1.0, 0.0, 0.0]
NUMBERS = torch.tensor([-2.0, -1.3, -1.0, 0.2, 0.5, 2.9, 3.0], dtype=torch.float64)
LEVELS = torch.tensor([0.0, 1e-9, 0.3, 0.5, 0.999, 1.0], dtype=torch.float64)
WRONG: Any = "a string"


def pair(tails: Any) -> tuple[BinnedDistribution, Histogram]:
    ours = BinnedDistribution(P, Bins(EDGES, tails=tails))
    return ours, to_torch(ours)


def close(found: torch.Tensor, wanted: Any) -> None:
    assert found.dtype == torch.float64
    np.testing.assert_allclose(found.numpy(), wanted, rtol=1e-10, atol=1e-13)


@pytest.mark.parametrize("tails", TAILS)
def test_it_is_the_distribution_of_numpy(tails):
    ours, theirs = pair(tails)
    assert theirs.batch_shape == (4,)
    assert theirs.event_shape == ()
    for name, wanted in {
        "mean": ours.mean(),
        "mode": ours.mode(),
        "variance": ours.var(),
        "stddev": ours.std(),
    }.items():
        close(getattr(theirs, name), wanted)
    close(theirs.entropy(), ours.entropy())
    for y in NUMBERS:
        close(theirs.cdf(y), ours.cdf(y))
        close(theirs.log_prob(y), ours.log_pdf(y))
    for q in LEVELS:
        close(theirs.icdf(q), ours.ppf(q))
    # Numbers of their own for each row, and all pairs.
    close(theirs.cdf(NUMBERS[:4]), ours.cdf(NUMBERS[:4]))
    pairs = torch.stack([ours_at for ours_at in map(theirs.cdf, NUMBERS)])
    close(theirs.cdf(NUMBERS[:, None]), pairs.numpy())
    close(theirs.icdf(LEVELS[:, None]), ours.quantiles(LEVELS).T)


@pytest.mark.parametrize("tails", ["half-normal", "upper-half-normal"])
def test_far_in_a_tail(tails):
    ours, theirs = pair(tails)
    y = torch.tensor(9.0, dtype=torch.float64)
    close(theirs.log_prob(y), ours.log_pdf(9.0))
    close(theirs.cdf(y), ours.cdf(9.0))


@pytest.mark.parametrize("tails", TAILS)
@pytest.mark.parametrize("method", ["log_prob", "cdf", "icdf"])
def test_gradients_by_the_logits_are_those_of_differences(method, tails):
    logits = torch.randn(3, 5, generator=torch.Generator().manual_seed(0)).double()
    at = torch.tensor([[0.1], [0.7]], dtype=torch.float64)

    def function(x):
        return getattr(Histogram(Bins(EDGES, tails=tails), logits=x), method)(at)

    assert torch.autograd.gradcheck(function, logits.requires_grad_())


@pytest.mark.parametrize("given", ["probs", "logits"])
def test_gradients_are_finite_where_there_is_no_mass(given):
    masses = torch.tensor([0.5, 0.0, 0.25, 0.25, 0.0])
    leaf = (masses if given == "probs" else masses.log()).requires_grad_()
    settings: dict[str, Any] = {given: leaf}
    histogram = Histogram(Bins(EDGES), **settings)
    y = torch.tensor(0.2)
    parts = histogram.log_prob(y), histogram.cdf(y), histogram.entropy()
    (sum(parts) + histogram.mean + histogram.icdf(y)).backward()
    assert leaf.grad is not None
    assert leaf.grad.isfinite().all()
    assert leaf.grad.abs().sum() > 0


@pytest.mark.parametrize("tails", TAILS)
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_draws_follow_the_distribution_and_lie_in_its_support(tails, dtype):
    torch.manual_seed(0)
    bins = Bins([0.1, 0.3, 0.7, 0.9], tails=tails)
    histogram = Histogram(bins, probs=torch.tensor([[0.2, 0.5, 0.3]], dtype=dtype))
    draws = histogram.sample((20_000,))
    assert draws.shape == (20_000, 1)
    assert draws.dtype == dtype
    assert not draws.requires_grad
    assert histogram.log_prob(draws).isfinite().all()
    # Dvoretzky-Kiefer-Wolfowitz: beyond this once in 10^6 at the most.
    level = histogram.cdf(draws)[:, 0].sort().values
    even = torch.linspace(0, 1, len(level), dtype=dtype)
    assert (level - even).abs().max() < math.sqrt(math.log(2e6) / 2 / 20_000) + 1e-4


def test_rounding_to_float32_draws_no_number_beyond_the_support():
    # Both outer edges are rounded outward, and half of the draws are next to them.
    bins = Bins([0.7, 0.7 + 1e-8, 0.8 - 1e-8, 0.8])
    assert torch.tensor(0.7).item() < 0.7
    assert torch.tensor(0.8).item() > 0.8
    torch.manual_seed(0)
    histogram = Histogram(bins, probs=torch.tensor([0.25, 0.5, 0.25]))
    draws = histogram.sample((200,)).double()
    assert draws.min() >= 0.7
    assert draws.max() <= 0.8
    assert histogram.log_prob(draws.float()).isfinite().all()


def test_the_ends_in_float32_lie_in_the_support_of_float64():
    histogram = Histogram(Bins([0.1, 0.3, 0.9]), probs=torch.tensor([0.5, 0.5]))
    low, high = histogram.support.lower_bound, histogram.support.upper_bound
    assert 0.1 <= float(low) < 0.1 + 1e-7
    assert 0.9 - 1e-7 < float(high) <= 0.9
    assert histogram.log_prob(torch.stack([low, high])).isfinite().all()


def test_half_precision_is_computed_in_float32():
    logits = torch.zeros(5, dtype=torch.bfloat16)
    assert Histogram(Bins(EDGES), logits=logits).mean.dtype == torch.float32


@pytest.mark.parametrize("given", ["probs", "logits"])
def test_expanded_it_is_the_same(given):
    _, row = pair("half-normal")
    row = Histogram(row.bins, **{given: getattr(row, given)}).expand((3, 4))
    assert row.batch_shape == (3, 4)
    close(row.mean, np.broadcast_to(pair("half-normal")[0].mean(), (3, 4)))
    close(
        row.cdf(NUMBERS[:4]),
        np.tile(pair("half-normal")[0].cdf(NUMBERS[:4]), 3).reshape(3, 4),
    )
    assert row.sample((2,)).shape == (2, 3, 4)


def test_it_goes_into_the_distributions_of_pytorch():
    ours, theirs = pair("none")
    joint = Independent(theirs, 1)
    y = torch.tensor([0.2, 0.7, 0.2, 0.2], dtype=torch.float64)
    close(joint.log_prob(y), ours.log_pdf(y).sum())
    weights = torch.full((4,), 0.25, dtype=torch.float64)
    mixture = MixtureSameFamily(Weights(weights), theirs)
    close(mixture.cdf(y[0]), ours.cdf(0.2).mean())
    close(mixture.mean, ours.mean().mean())


def test_divergence():
    _, p = pair("half-normal")
    assert kl_divergence(p, p).abs().max() < 1e-15
    even = Histogram(p.bins, logits=torch.zeros(5, dtype=torch.float64))
    y = torch.linspace(-40, 40, 800_001, dtype=torch.float64)[:, None]
    ratio = p.log_prob(y).exp() * (p.log_prob(y) - even.log_prob(y)).nan_to_num()
    torch.testing.assert_close(
        kl_divergence(p, even),
        torch.trapezoid(ratio.nan_to_num(), y, dim=0),
        rtol=1e-3,
        atol=1e-4,
    )
    assert kl_divergence(even, p)[1] == math.inf
    with pytest.raises(NotImplementedError, match="same bins"):
        kl_divergence(p, pair("none")[1])


def test_numbers_beyond_the_support():
    ours = BinnedDistribution(P, Bins(EDGES))
    # Said outright: other libraries, as Lightning, change PyTorch's default.
    checked = to_torch(ours, validate_args=True)
    free = to_torch(ours, validate_args=False)
    for y in (-5.0, 3.5):
        number = torch.tensor(y, dtype=torch.float64)
        assert (free.log_prob(number) == -math.inf).all()
        close(free.cdf(number), ours.cdf(y))
        with pytest.raises(ValueError, match="within the support"):
            checked.log_prob(number)
    assert free.log_prob(torch.tensor(math.nan)).isnan().all()
    with pytest.raises(ValueError, match="between 0 and 1"):
        checked.icdf(torch.tensor(1.5))


def test_refusals():
    with pytest.raises(ValueError, match="got neither"):
        Histogram(Bins(EDGES))
    with pytest.raises(ValueError, match="got both"):
        Histogram(Bins(EDGES), torch.ones(5), torch.ones(5))
    with pytest.raises(ValueError, match=r"probs must have 5 bins.*\(4,\)"):
        Histogram(Bins(EDGES), torch.ones(4))
    with pytest.raises(ValueError, match="bins on a line"):
        Histogram(Bins.periodic(0, 24, 5), torch.ones(5))
    with pytest.raises(TypeError, match="got a str"):
        to_torch(WRONG)
    with pytest.raises(NotImplementedError):
        pair("none")[1].rsample()


def test_a_histogram_may_lie_on_the_meta_device():
    logits = torch.zeros(4, 2, device="meta")
    forecast = Histogram(Bins([0, 1, 3]), logits=logits, validate_args=False)
    assert forecast.bins.edges.device == logits.device
    assert forecast.mean.shape == (4,)
