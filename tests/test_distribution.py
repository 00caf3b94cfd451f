import tracemalloc
from typing import Any, get_args

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import integrate

from offby import decode, losses, targets
from offby.bins import Bins, Tails
from offby.distribution import BinnedDistribution
from offby.distribution._intervals import _shortest_plain
from offby.distribution._rows import below_edges
from offby.kernels.cpp import _library
from offby.kernels.masses import shortest

BINS = Bins(torch.tensor([-3.0, -1.0, 0.0, 0.5, 4.0, 10.0]))
RNG = np.random.default_rng(0)
PROBS = RNG.dirichlet(np.ones(5), size=(2, 3))
DIST = BinnedDistribution(PROBS, BINS)
GRID = np.linspace(-3, 10, 260_001)
TAILS: tuple[Any, ...] = get_args(Tails)


def integral(values: np.ndarray) -> np.ndarray:
    return integrate.trapezoid(values, GRID, axis=0)


def density() -> np.ndarray:
    return DIST.pdf(GRID[:, None, None])


def test_density_integrates_to_one() -> None:
    np.testing.assert_allclose(integral(density()), 1, atol=1e-3)


def test_moments_are_those_of_the_density() -> None:
    x = GRID[:, None, None]
    np.testing.assert_allclose(DIST.mean(), integral(x * density()), atol=1e-3)
    spread = integral((x - DIST.mean()) ** 2 * density())
    np.testing.assert_allclose(DIST.var(), spread, atol=1e-2)
    np.testing.assert_allclose(DIST.std() ** 2, DIST.var())


def test_crps_is_its_integral() -> None:
    x = GRID[:, None, None]
    for y in (-2.2, 0.0, 3.3):
        numeric = integral((DIST.cdf(x) - (x >= y)) ** 2)
        np.testing.assert_allclose(DIST.crps(y), numeric, atol=1e-4)


def test_scores_agree_with_the_losses() -> None:
    y = RNG.uniform(-3, 10, size=(2, 3))
    logits, value = torch.tensor(PROBS).log(), torch.tensor(y)
    crps = losses.histogram_crps(logits, value, BINS).numpy()
    nll = losses.histogram_nll(logits, value, BINS).numpy()
    np.testing.assert_allclose(DIST.crps(y), crps, rtol=1e-12)
    np.testing.assert_allclose(-DIST.log_pdf(y), nll, rtol=1e-12)


def test_crps_grows_with_the_distance_outside() -> None:
    np.testing.assert_allclose(DIST.crps(12.0), DIST.crps(10.0) + 2)


@settings(derandomize=True, deadline=None)
@given(st.floats(-3, 10))
def test_quantile_undoes_the_distribution_function(y: float) -> None:
    np.testing.assert_allclose(DIST.ppf(DIST.cdf(y)), y, rtol=1e-9, atol=1e-12)


@settings(derandomize=True, deadline=None)
@given(st.floats(0, 1))
def test_distribution_function_undoes_the_quantile(q: float) -> None:
    np.testing.assert_allclose(DIST.cdf(DIST.ppf(q)), q, atol=1e-14)


def test_quantiles_skip_what_has_no_mass() -> None:
    dist = BinnedDistribution(np.array([0, 0.5, 0, 0.5, 0]), BINS)
    np.testing.assert_array_equal(dist.ppf([0, 0.5, 1]), [-1, 0, 4])
    # Ten tenths miss 1 by rounding: the empty bin at the end must still stay out.
    tenths = BinnedDistribution(np.array([0.1] * 10 + [0]), Bins.uniform(0, 11, 11))
    assert tenths.ppf(1) == 10


def test_interval_holds_its_coverage() -> None:
    low, high = DIST.interval(0.8)
    np.testing.assert_allclose(DIST.cdf(high) - DIST.cdf(low), 0.8)
    np.testing.assert_allclose(DIST.cdf(low), 0.1)


def test_numbers_broadcast_against_the_batch() -> None:
    y = np.array([[0.1], [2.0]])
    row = BinnedDistribution(PROBS[0], BINS)
    for method in ("cdf", "pdf", "log_pdf", "crps", "pit"):
        wide = getattr(row, method)(y)
        assert wide.shape == (2, 3)
        single = getattr(BinnedDistribution(PROBS[0, 2], BINS), method)(2.0)
        np.testing.assert_allclose(wide[1, 2], single)
    assert row.ppf([[0.1], [0.9]]).shape == (2, 3)


def test_nan_stays_nan_and_outside_has_no_density() -> None:
    for method in ("cdf", "pdf", "log_pdf", "crps", "ppf"):
        assert np.isnan(getattr(DIST, method)(np.nan)).all()
    assert (DIST.pdf(10.5) == 0).all()
    assert np.isneginf(DIST.log_pdf(-3.5)).all()
    assert (DIST.cdf(-3.5) == 0).all()
    assert (DIST.cdf(11) == 1).all()


def test_from_logits_is_softmax() -> None:
    logits = torch.tensor(PROBS).log().requires_grad_()
    made = BinnedDistribution.from_logits(logits, BINS)
    np.testing.assert_allclose(made.probs, PROBS)


@pytest.mark.parametrize(
    ("probs", "message"),
    [
        ([0.5, 0.5], "5 bins on their last axis"),
        ([0.5, 0.6, -0.1, 0, 0], r"probs\[2\] = -0.1"),
        ([0.5, np.nan, 0.5, 0, 0], r"probs\[1\] = nan"),
        ([0.5, 0.4, 0, 0, 0], "sums to 0.9"),
        ([np.inf, 0, 0, 0, 0], "sums to inf"),
    ],
)
def test_refuses_what_is_no_distribution(probs: list[float], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        BinnedDistribution(np.array(probs), BINS)


def test_refuses_levels_that_are_no_probabilities() -> None:
    with pytest.raises(ValueError, match="between 0 and 1"):
        DIST.ppf(1.2)
    with pytest.raises(ValueError, match="between 0 and 1"):
        DIST.interval(1.2)


def test_nearly_normalized_rows_are_normalized() -> None:
    row = np.array([0.2, 0.2, 0.2, 0.2, 0.2005])
    assert BinnedDistribution(row, BINS).probs.sum() == pytest.approx(1, abs=1e-15)
    assert row[-1] == 0.2005


def test_shortest_interval_is_the_shortest_on_a_fine_grid_of_starts():
    rng = np.random.default_rng(0)
    grid = Bins(np.cumsum(rng.uniform(0.1, 2, 9)))
    forecast = BinnedDistribution(rng.dirichlet(np.ones(8), 20), grid)
    for coverage in (0.3, 0.8):
        low, high = forecast.interval(coverage, kind="shortest")
        np.testing.assert_allclose(forecast.prob(low, high), coverage, atol=1e-12)
        starts = np.linspace(0, 1 - coverage, 4001)[:, None]
        others = forecast.ppf(starts + coverage) - forecast.ppf(starts)
        assert (high - low <= others.min(0) + 1e-9).all()
        assert (high - low >= others.min(0) - 0.01).all()


def test_quantile_loss_integrates_to_half_the_crps():
    forecast = BinnedDistribution([0.2, 0.5, 0.3], Bins([0, 1, 4, 5]))
    levels = (np.arange(20_000) + 0.5) / 20_000
    for y in (-1.0, 2.0, 7.0):
        half = np.mean(forecast.quantile_loss(y, levels))
        assert half == pytest.approx(float(forecast.crps(y)) / 2, rel=1e-4)


@pytest.mark.parametrize("at", [0, 1, 2])
def test_the_variance_of_a_narrow_forecast_keeps_its_digits(at):
    """Of masses far from the middle of a wide grid, as of a single bin."""
    bins = Bins([-1e6, -1e6 + 1e-3, 1e6, 1e6 + 1e-3])
    sure = np.eye(3)[at]
    width = float(bins.widths[at])
    found = BinnedDistribution(np.array([sure, [0.25, 0.5, 0.25]]), bins).var()
    np.testing.assert_allclose(found[0], width**2 / 12, rtol=1e-12)
    np.testing.assert_allclose(found[1], 1e12 / 2 + 4e12 / 24, rtol=1e-8)


METHODS = {
    **{name: name for name in ("mean", "median", "mode", "var", "entropy")},
    **{f"decide {name}": name for name in ("mape", "qwk", "within-1", "accuracy")},
}


@pytest.mark.parametrize("name", METHODS)
def test_needs_little_memory_beside_its_masses(name):
    bins = Bins.uniform(0, 8, 80)
    forecast = BinnedDistribution.from_logits(torch.zeros(40_000, 80), bins)
    method = METHODS[name]
    tracemalloc.start()
    try:
        forecast.decide(method) if "decide" in name else getattr(forecast, method)()
        most = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert most < forecast.probs.nbytes / 2


@pytest.mark.parametrize("tails", TAILS)
def test_entropy_is_the_mean_of_minus_the_log_density(tails):
    forecast = BinnedDistribution([0.2, 0.5, 0.3], Bins([0, 1, 4, 5], tails=tails))
    draws = forecast.sample(200_000, np.random.default_rng(0))
    mean = -forecast.log_pdf(draws).mean()
    assert float(forecast.entropy()) == pytest.approx(mean, abs=0.01)


def test_draws_come_from_the_distribution():
    forecast = BinnedDistribution([[0.2, 0.8], [0.9, 0.1]], Bins([0, 1, 4]))
    draws = forecast.sample(50_000, np.random.default_rng(1))
    assert draws.shape == (50_000, 2)
    np.testing.assert_allclose(draws.mean(0), forecast.mean(), rtol=0.02)
    np.testing.assert_allclose(draws.std(0), forecast.std(), rtol=0.02)


def test_a_mixture_has_the_mixed_distribution_function():
    rng = np.random.default_rng(0)
    parts = [
        BinnedDistribution(rng.dirichlet(np.ones(4), 3), Bins(edges))
        for edges in ([0, 1, 2, 3, 4], [0.5, 1, 2.5, 3, 9])
    ]
    mixed = BinnedDistribution.mixture(parts, [1, 3])
    for y in (0.7, 2.2, 3.7, 8.0):
        mean = 0.25 * parts[0].cdf(y) + 0.75 * parts[1].cdf(y)
        np.testing.assert_allclose(mixed.cdf(y), mean, atol=1e-12)
    with pytest.raises(ValueError, match="as many nonnegative weights"):
        BinnedDistribution.mixture(parts, [1, -1])


def test_plots_one_forecast_and_several():
    pyplot = pytest.importorskip("matplotlib.pyplot")
    pyplot.switch_backend("agg")
    for probs, n in (([0.2, 0.8], 2), ([[0.2, 0.8], [0.5, 0.5]], 4)):
        ax = BinnedDistribution(probs, Bins([0, 1, 4])).plot()
        assert len(ax.patches) == n
        pyplot.close(ax.figure)


@st.composite
def forecasts(draw):
    """One forecast, with tails or without, often with empty bins, and a coverage."""
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    n = draw(st.integers(3, 8))
    edges = rng.uniform(0.05, 5, n + 1).cumsum()
    probs = rng.dirichlet(np.full(n, 0.5))
    if draw(st.booleans()):
        probs[draw(st.integers(0, n - 1))] = 0
    tails = draw(st.sampled_from(TAILS))
    forecast = BinnedDistribution(probs / probs.sum(), Bins(edges, tails=tails))
    return forecast, draw(st.sampled_from([0.02, 0.3, 0.5, 0.9, 0.99]))


@settings(max_examples=100)
@given(forecasts())
def test_shortest_interval_has_its_mass_and_no_other_is_shorter(case) -> None:
    forecast, coverage = case
    low, high = forecast.interval(coverage, kind="shortest")
    assert forecast.prob(low, high) == pytest.approx(coverage, abs=1e-9)
    first, last = forecast.interval(coverage)
    assert high - low <= last - first + 1e-9
    start = np.linspace(0, 1 - coverage, 2001)
    others = forecast.ppf(start + coverage) - forecast.ppf(start)
    assert high - low <= np.nanmin(others) * (1 + 1e-9) + 1e-12


@pytest.mark.parametrize("n", [1, 2, 7, 33])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_shortest_intervals_in_one_pass_are_those_of_the_plain_form(n, dtype) -> None:
    if isinstance(_library.load(), str):
        pytest.skip("needs the C++ kernels")
    rng = np.random.default_rng(n)
    grid = Bins(rng.uniform(0.1, 2, n + 1).cumsum())
    masses = rng.dirichlet(np.full(n, 0.5), 60)
    masses[rng.random(masses.shape) < 0.3] = 0  # empty bins, also at the ends
    masses[masses.sum(-1) == 0] = 1
    masses = (masses / masses.sum(-1, keepdims=True)).astype(dtype)
    for coverage in (0.0, 0.02, 0.5, 0.9, 0.99, 1.0):
        asked = np.full(60, coverage)
        found = shortest(masses, asked, grid)
        assert found is not None
        low, high = found
        plain = _shortest_plain(below_edges(masses), asked, grid)
        np.testing.assert_allclose(high - low, plain[1] - plain[0], atol=1e-9)
        if coverage:  # no mass lies at many places
            np.testing.assert_allclose(low, plain[0], atol=1e-9)


@pytest.mark.parametrize("impl", ["auto", "torch"])
def test_shortest_intervals_of_nothing(impl, monkeypatch) -> None:
    """Of no mass beside an empty bin, of no rows, of two levels for each row."""
    monkeypatch.setenv("OFFBY_KERNELS", impl)
    grid = Bins([0, 1, 2, 3])
    gap = BinnedDistribution([0.5, 0, 0.5], grid)
    low, high = gap.interval([0.0, 0.5], kind="shortest")
    assert (low <= high).all()
    assert (low[1], high[1]) == (0, 1)
    none = BinnedDistribution(np.empty((0, 3)), grid)
    assert none.interval(0.5, kind="shortest")[0].shape == (0,)
    two = BinnedDistribution([[0.2, 0.7, 0.1], [0.1, 0.1, 0.8]], grid)
    low, high = two.interval(np.array([[0.5], [1.0]]) * np.ones(2), kind="shortest")
    np.testing.assert_allclose(high - low, [[0.5 / 0.7, 0.5 / 0.8], [3, 3]])


def test_shortest_interval_with_tails_ends_where_densities_are_equal() -> None:
    bins = Bins([0, 1, 2, 3], tails="half-normal")
    forecast = BinnedDistribution([0.3, 0.4, 0.3], bins)
    low, high = forecast.interval([0.0, 0.5, 0.9, 1.0], kind="shortest")
    np.testing.assert_allclose(low[1:3] + high[1:3], 3, atol=1e-9)  # symmetric
    assert forecast.pdf(low[2]) == pytest.approx(forecast.pdf(high[2]))
    assert (low[0], high[0]) == (1, 1)
    assert np.isneginf(low[3])
    assert np.isposinf(high[3])


@pytest.mark.parametrize("tails", TAILS)
def test_a_mixture_on_one_grid_mixes_the_masses(tails: Any) -> None:
    bins = Bins([0, 1, 3], tails=tails)
    parts = [BinnedDistribution(p, bins) for p in ([[0.2, 0.8]], [[0.6, 0.4]])]
    mixed = BinnedDistribution.mixture(parts, [1, 3])
    np.testing.assert_allclose(mixed.probs, [[0.5, 0.5]])
    assert mixed.bins == bins


def test_a_mixture_of_one_is_that_one() -> None:
    part = BinnedDistribution([[0.2, 0.8]], Bins([0, 1, 3]))
    mixed = BinnedDistribution.mixture([part])
    np.testing.assert_array_equal(mixed.probs, part.probs)
    assert mixed.bins == part.bins


def test_a_mixture_of_different_grids_with_tails_is_refused() -> None:
    parts = [
        BinnedDistribution([0.5, 0.5], Bins([0, 1, end], tails="half-normal"))
        for end in (2, 3)
    ]
    with pytest.raises(ValueError, match="needs the same grid in all parts"):
        BinnedDistribution.mixture(parts)


CIRCLE = Bins([-1, 0.5, 1, 3, 4.5], wraps=True)
LAPS = BinnedDistribution(RNG.dirichlet(np.ones(4), 3), CIRCLE)


def test_the_mean_on_a_circle_is_the_direction_of_the_mean_point() -> None:
    at = np.linspace(-1, 4.5, 200_001)[:-1] + 5.5 / 400_000
    points = np.exp(2j * np.pi * (at + 1) / 5.5)
    right = np.angle((LAPS.pdf(at[:, None]) * points[:, None]).sum(0)) * 5.5 / 2 / np.pi
    np.testing.assert_allclose(LAPS.mean(), right % 5.5 - 1, atol=1e-4)
    logits = torch.tensor(LAPS.probs).log()
    np.testing.assert_allclose(decode.mean(logits, CIRCLE), LAPS.mean(), rtol=1e-12)
    np.testing.assert_allclose(
        decode.circular_mean(logits, CIRCLE), LAPS.mean(), rtol=1e-12
    )


@pytest.mark.parametrize("middle", [0.0, 1.0, 23.0, 12.5])
def test_the_mean_near_the_wrap_is_near_the_wrap(middle: float) -> None:
    hours = Bins.periodic(0, 24, 48)
    y = torch.tensor([middle], dtype=torch.float64)
    forecast = BinnedDistribution(targets.hl_gauss(y, hours, 2.0), hours)
    off = (forecast.mean() - middle + 12) % 24 - 12
    np.testing.assert_allclose(off, 0, atol=0.01)


def test_a_circle_has_no_first_number() -> None:
    for call in (
        LAPS.var,
        LAPS.std,
        LAPS.median,
        lambda: LAPS.cdf(1),
        lambda: LAPS.ppf(0.1),
        lambda: LAPS.pit(1),
        lambda: LAPS.interval(0.5),
        lambda: LAPS.interval(0.5, kind="shortest"),
        lambda: LAPS.quantile_loss(1, 0.5),
        lambda: BinnedDistribution.mixture(
            [LAPS, BinnedDistribution([1], Bins([0, 1]))]
        ),
        lambda: losses.histogram_crps(torch.zeros(4), torch.tensor(1.0), CIRCLE),
        lambda: losses.histogram_wasserstein(torch.zeros(4), torch.tensor(1.0), CIRCLE),
        lambda: decode.variance(torch.zeros(4), CIRCLE),
        lambda: decode.median(torch.zeros(4), CIRCLE),
        lambda: decode.chance_above(torch.zeros(4), CIRCLE, 1.0),
        lambda: decode.mean(torch.zeros(4), CIRCLE, transform=decode.symexp),
    ):
        with pytest.raises(ValueError, match="on a circle"):
            call()


def test_densities_and_masses_go_around_the_circle() -> None:
    y = RNG.uniform(-1, 4.5, (5, 1))
    for turn in (-5.5, 11.0):
        np.testing.assert_allclose(LAPS.log_pdf(y + turn), LAPS.log_pdf(y))
    np.testing.assert_allclose(LAPS.prob(3.0, 6.0) + LAPS.prob(0.5, 3.0), 1)
    np.testing.assert_allclose(
        LAPS.prob(3.0, 4.5) + LAPS.prob(-1, 0.5), LAPS.prob(3, 6)
    )
    np.testing.assert_array_equal(LAPS.prob(1, 9), 1)
    draws = LAPS.sample(50_000, np.random.default_rng(0))
    share = ((draws >= 3) | (draws < 0.5)).mean(0)
    np.testing.assert_allclose(share, LAPS.prob(3.0, 6.0), atol=0.01)
    value = torch.tensor(y[:3, 0])
    nll = losses.histogram_nll(torch.tensor(LAPS.probs).log(), value + 5.5, CIRCLE)
    np.testing.assert_allclose(nll, -LAPS.log_pdf(y[:3, 0]), rtol=1e-12)
    np.testing.assert_array_equal(
        decode.mode(torch.tensor(LAPS.probs).log(), CIRCLE), LAPS.mode()
    )


def test_rows_of_forecasts_are_forecasts() -> None:
    for rows in (0, (1, 2), slice(1), [1, 0], PROBS[..., 0] > 0.1):
        np.testing.assert_array_equal(DIST[rows].probs, DIST.probs[rows])
    np.testing.assert_array_equal(DIST[..., 1].probs, DIST.probs[:, 1])
    np.testing.assert_array_equal(DIST[torch.tensor([1])].mean(), DIST.mean()[[1]])
    assert len(DIST) == 2
    assert [row.mean().shape for row in DIST] == [(3,), (3,)]
    for rows in ((0, 1, 2), 7, (..., 0, 0, 0)):
        with pytest.raises(IndexError):
            DIST[rows]
    with pytest.raises(IndexError, match="no rows"):
        DIST[0, 0][0]


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16, torch.float32])
def test_tensors_are_welcome_in_any_precision(dtype: torch.dtype) -> None:
    logits = torch.tensor(PROBS).log().to(dtype).requires_grad_()
    right = BinnedDistribution.from_logits(logits.double(), BINS)
    y = torch.tensor([[0.5, 1.0, 2.0]], dtype=dtype, requires_grad=True)
    for found in (
        BinnedDistribution.from_logits(logits, BINS),
        BinnedDistribution(logits.float().softmax(-1), BINS),
    ):
        for name in ("mean", "mode", "var", "median", "entropy"):
            of, expected = getattr(found, name)(), getattr(right, name)()
            assert of.dtype == np.float64
            np.testing.assert_allclose(of, expected, rtol=1e-5, atol=1e-6)
        for name in ("cdf", "log_pdf", "crps", "pit"):
            of, expected = getattr(found, name)(y), getattr(right, name)(y.tolist())
            assert of.dtype == np.float64
            np.testing.assert_allclose(of, expected, rtol=1e-5, atol=1e-6)
        of, expected = found.ppf(y * 0.1), right.ppf((y * 0.1).tolist())
        np.testing.assert_allclose(of, expected, rtol=1e-5, atol=1e-6)


def test_logits_that_are_no_distribution_are_refused() -> None:
    bad = torch.zeros(2, 5)
    bad[1, 3] = torch.nan
    with pytest.raises(ValueError, match=r"those of row \[1\] have no softmax"):
        BinnedDistribution.from_logits(bad, BINS)
    with pytest.raises(ValueError, match="5 bins on their last axis"):
        BinnedDistribution.from_logits(torch.zeros(2, 4), BINS)


def test_many_rows_are_the_rows_one_by_one() -> None:
    rng = np.random.default_rng(0)
    many = BinnedDistribution(rng.dirichlet(np.ones(5), (3, 2000)), BINS)
    y = rng.uniform(-4, 11, (3, 2000))
    few = many[2, 1900:]
    for name in ("mean", "mode", "var", "median", "entropy"):
        np.testing.assert_array_equal(
            getattr(many, name)()[2, 1900:], getattr(few, name)()
        )
    for name in ("cdf", "crps", "log_pdf"):
        found = getattr(many, name)(y)[2, 1900:]
        np.testing.assert_array_equal(found, getattr(few, name)(y[2, 1900:]))
    np.testing.assert_array_equal(many.ppf(0.3)[2, 1900:], few.ppf(0.3))
    assert many.ppf([[[0.1]], [[0.9]]]).shape == (2, 3, 2000)
    none = BinnedDistribution(np.empty((0, 5)), BINS)
    assert none.mean().shape == none.median().shape == (0,)
