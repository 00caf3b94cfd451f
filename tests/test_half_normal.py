"""Bins with half-normal tails, against SciPy's half-normal and numeric integrals."""

from itertools import pairwise

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from scipy.integrate import quad
from scipy.stats import halfnorm
from torch.testing import assert_close

from offby import BinnedDistribution, Bins, losses, nn

EDGES = np.array([-3.0, -1.0, 0.0, 0.5, 4.0])
BINS = Bins(EDGES, tails="half-normal")
LOW, HIGH = 2 / halfnorm.ppf(0.5), 3.5 / halfnorm.ppf(0.5)
PLACES = [-50.0, -4.0, -3.0, -2.0, -1.0, -0.3, 0.2, 0.5, 1.0, 4.0, 9.0, 60.0]


def cdf(x, p):
    """The mixture, written down bin by bin."""
    parts = [
        halfnorm.sf(-1 - x, scale=LOW) if x < -1 else 1.0,
        np.clip((x + 1) / 1.0, 0, 1),
        np.clip(x / 0.5, 0, 1),
        halfnorm.cdf(x - 0.5, scale=HIGH),
    ]
    return float(np.dot(p, parts))


def integral(of, y):
    cuts = sorted({-80.0, *EDGES[1:-1], y, 80.0})
    return sum(quad(of, a, b, epsabs=1e-12, limit=200)[0] for a, b in pairwise(cuts))


def masses(seed: int) -> np.ndarray:
    return np.random.default_rng(seed).dirichlet(np.ones(4))


@pytest.mark.parametrize("y", PLACES)
def test_losses_are_their_integrals(y):
    p = masses(0)
    logits, value = torch.from_numpy(np.log(p)), torch.tensor(y, dtype=torch.float64)
    crps = integral(lambda x: (cdf(x, p) - (x >= y)) ** 2, y)
    distance = integral(lambda x: abs(cdf(x, p) - (x >= y)), y)
    got = losses.histogram_crps(logits, value, BINS).item()
    assert got == pytest.approx(crps, rel=1e-8)
    got = losses.histogram_wasserstein(logits, value, BINS).item()
    assert got == pytest.approx(distance, rel=1e-8)


@pytest.mark.parametrize("y", PLACES)
def test_log_density_is_that_of_the_half_normal(y):
    p = masses(1)
    k = int(np.clip(np.searchsorted(EDGES, y, side="right") - 1, 0, 3))
    own = {
        0: halfnorm.logpdf(-1 - y, scale=LOW),
        1: 0.0,
        2: np.log(2),
        3: halfnorm.logpdf(y - 0.5, scale=HIGH),
    }[k]
    logits, value = torch.from_numpy(np.log(p)), torch.tensor(y, dtype=torch.float64)
    got = losses.histogram_nll(logits, value, BINS).item()
    assert got == pytest.approx(-np.log(p[k]) - own, rel=1e-12)
    dist = BinnedDistribution(p, BINS)
    assert -dist.log_pdf(y) == pytest.approx(got, rel=1e-12)


def test_half_of_a_tail_lies_within_its_bin():
    dist = BinnedDistribution(np.array([0.4, 0.1, 0.3, 0.2]), BINS)
    np.testing.assert_allclose(dist.cdf([-3.0, -1.0, 0.5, 4.0]), [0.2, 0.4, 0.8, 0.9])


@given(st.integers(0, 1000))
def test_distribution_is_the_mixture(seed):
    p = masses(seed)
    dist = BinnedDistribution(p, BINS)
    for y in PLACES:
        assert dist.cdf(y) == pytest.approx(cdf(y, p), rel=1e-9, abs=1e-14)
    q = np.array([1e-12, 0.01, 0.2, 0.5, 0.77, 0.999])
    np.testing.assert_allclose(dist.cdf(dist.ppf(q)), q, rtol=1e-9)
    means = [-1 - LOW * halfnorm.mean(), -0.5, 0.25, 0.5 + HIGH * halfnorm.mean()]
    assert dist.mean() == pytest.approx(np.dot(p, means))
    variances = np.array([LOW**2 * halfnorm.var(), 1 / 12, 1 / 48, 0])
    variances[3] = HIGH**2 * halfnorm.var()
    second = np.dot(p, variances + np.square(means))
    assert dist.var() == pytest.approx(second - np.dot(p, means) ** 2)
    logits, y = torch.from_numpy(np.log(p)), torch.tensor(PLACES, dtype=torch.float64)
    expected = losses.histogram_crps(logits.expand(len(y), -1), y, BINS)
    np.testing.assert_allclose(dist.crps(PLACES), expected, rtol=1e-12)


@pytest.mark.parametrize("tails", ["lower-half-normal", "upper-half-normal"])
@pytest.mark.parametrize("y", PLACES)
def test_with_one_tail_the_other_end_is_where_the_mass_ends(tails, y):
    p = masses(3)
    bins = Bins(EDGES, tails=tails)
    dist = BinnedDistribution(p, bins)

    def below(x):
        own = [np.clip((x - a) / (b - a), 0, 1) for a, b in pairwise(EDGES)]
        if tails == "lower-half-normal":
            own[0] = halfnorm.sf(-1 - x, scale=LOW) if x < -1 else 1.0
        else:
            own[3] = halfnorm.cdf(x - 0.5, scale=HIGH)
        return float(np.dot(p, own))

    cuts = sorted({-80.0, *EDGES, y, 80.0})
    crps, distance = (
        sum(quad(of, a, b, epsabs=1e-12, limit=200)[0] for a, b in pairwise(cuts))
        for of in (
            lambda x: (below(x) - (x >= y)) ** 2,
            lambda x: abs(below(x) - (x >= y)),
        )
    )
    assert dist.cdf(y) == pytest.approx(below(y), rel=1e-9, abs=1e-14)
    assert dist.crps(y) == pytest.approx(crps, rel=1e-8)
    logits, value = torch.from_numpy(np.log(p)), torch.tensor(y, dtype=torch.float64)
    got = losses.histogram_wasserstein(logits, value, bins).item()
    assert got == pytest.approx(distance, rel=1e-8)
    # Density, where there is any, is the slope of the distribution function.
    if y not in EDGES:
        slope = (below(y + 1e-6) - below(y - 1e-6)) / 2e-6
        assert dist.pdf(y) == pytest.approx(slope, rel=1e-5, abs=1e-9)


def test_with_one_tail_the_mean_and_the_ends_are_those_of_its_parts():
    p = masses(4)
    lower = BinnedDistribution(p, Bins(EDGES, tails="lower-half-normal"))
    means = [-1 - LOW * halfnorm.mean(), -0.5, 0.25, 2.25]
    assert lower.mean() == pytest.approx(np.dot(p, means))
    variances = [LOW**2 * halfnorm.var(), 1 / 12, 1 / 48, 3.5**2 / 12]
    second = np.dot(p, variances + np.square(means))
    assert lower.var() == pytest.approx(second - np.dot(p, means) ** 2)
    assert (lower.ppf(0.0), lower.ppf(1.0)) == (-np.inf, 4.0)
    assert lower.log_pdf(4.1) == -np.inf
    upper = BinnedDistribution(p, Bins(EDGES, tails="upper-half-normal"))
    assert (upper.ppf(0.0), upper.ppf(1.0)) == (-3.0, np.inf)
    assert upper.log_pdf(-3.1) == -np.inf
    assert upper.sample(2000, np.random.default_rng(0)).min() >= -3


def test_ends_are_infinite_and_a_tail_is_densest_at_its_inner_edge():
    dist = BinnedDistribution(np.array([0.4, 0.1, 0.1, 0.4]), BINS)
    assert dist.ppf(0.0) == -np.inf
    assert dist.ppf(1.0) == np.inf
    assert BinnedDistribution(np.array([0.97, 0.01, 0.01, 0.01]), BINS).mode() == -1


@pytest.mark.parametrize("name", ["nll", "crps", "wasserstein"])
def test_gradients_match_finite_differences_and_stay_finite(name):
    loss = getattr(losses, f"histogram_{name}")
    y = torch.tensor(PLACES, dtype=torch.float64)
    torch.manual_seed(0)
    z = torch.randn(len(y), 4, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(lambda z: loss(z, y, BINS), z)
    for scale in (1e-3, 30.0, 1e4):
        big = (scale * z.detach()).float().requires_grad_()
        value = loss(big, y, BINS)
        value.sum().backward()
        assert value.isfinite().all()
        assert big.grad is not None
        assert big.grad.isfinite().all()
    assert loss(z[0], torch.tensor(torch.nan), BINS).isnan()


@pytest.mark.parametrize("name", ["nll", "crps"])
def test_truth_has_the_lowest_expected_loss(name):
    loss = getattr(losses, f"histogram_{name}")
    truth = masses(2)
    # Numbers that lie as the truth does: its quantiles at the middle of equal shares.
    levels = (np.arange(4000) + 0.5) / 4000
    y = torch.from_numpy(BinnedDistribution(truth, BINS).ppf(levels))

    def expected(p):
        return loss(p.log().expand(len(y), -1), y, BINS).mean().item()

    here = expected(torch.from_numpy(truth))
    torch.manual_seed(0)
    for noise in torch.randn(24, 4).double():
        other = (torch.from_numpy(truth).log() + 0.3 * noise).softmax(-1)
        assert expected(other) > here


def test_far_out_costs_the_distance():
    logits, far = torch.zeros(4), torch.tensor([1e5, 1e5 + 1])
    crps = losses.histogram_crps(logits.expand(2, -1).double(), far.double(), BINS)
    assert crps.diff().item() == pytest.approx(1)
    infinite = torch.tensor([torch.inf, -torch.inf])
    for loss in (losses.histogram_crps, losses.histogram_wasserstein):
        assert loss(logits.expand(2, -1), infinite, BINS).isposinf().all()


def test_criterion_and_grid_keep_their_tails():
    criterion = nn.HistogramNLLLoss(BINS)
    assert criterion.bins.tails == "half-normal"
    z, y = torch.zeros(2, 4), torch.tensor([-9.0, 9.0])
    assert_close(criterion(z, y), losses.histogram_nll(z, y, BINS).mean())
    moved = BINS.jitter(0.1, torch.Generator().manual_seed(0))
    assert moved.tails == "half-normal"
    for made in (
        Bins.uniform(0, 1, 4, tails="half-normal"),
        Bins.log(1, 16, 4, tails="half-normal"),
        Bins.quantile([0, 1, 2, 3, 4], 4, tails="half-normal"),
    ):
        assert repr(made).endswith("half-normal tails)")


def test_refuses_tails_it_does_not_know():
    with pytest.raises(ValueError, match='"none", "half-normal"'):
        Bins([0, 1, 2], tails="normal")  # pyright: ignore[reportArgumentType]
    with pytest.raises(ValueError, match="a bin on either side"):
        Bins([0, 1], tails="half-normal")
