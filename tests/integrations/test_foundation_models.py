"""Forecasts of TabPFN and TabICL as BinnedDistribution.

The formulas of a bar distribution with half-normal tails are written out here with
SciPy; where the package tabpfn is installed, its own class is compared too.
"""

from functools import partial
from itertools import pairwise
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from scipy import integrate, stats

from offby import BinnedDistribution, Bins, nn
from offby.integrations.tabicl import from_quantiles
from offby.integrations.tabpfn import bins_of, from_tabpfn

# Those of TabPFN and of the parts of PyTorch that it loads.
pytestmark = pytest.mark.filterwarnings("ignore")
BORDERS = torch.tensor([-4.0, -1.5, -0.5, -0.25, 0.0, 0.5, 1.0, 3.0]).double()
LOGITS = torch.randn(5, 7, generator=torch.Generator().manual_seed(0)).double()
NUMBERS = np.array([-7.0, -1.4, 0.1, 2.9, 9.0])


def bar_parts() -> list[Any]:
    """Müller et al. 2022: half-normals that have half their mass in the end bars."""
    edges = BORDERS.numpy()
    unit = stats.halfnorm.median()
    first: Any = stats.halfnorm(scale=(edges[1] - edges[0]) / unit)
    last: Any = stats.halfnorm(edges[-2], (edges[-1] - edges[-2]) / unit)
    inner = [stats.uniform(a, b - a) for a, b in pairwise(edges[1:-1])]
    mirrored = SimpleNamespace(
        pdf=lambda y: first.pdf(edges[1] - y),
        cdf=lambda y: first.sf(edges[1] - y),
        mean=lambda: edges[1] - first.mean(),
    )
    return [mirrored, *inner, last]


def mixed(name: str, y: np.ndarray) -> np.ndarray:
    """What the mixture of the bars has at numbers: rows x numbers."""
    values = np.stack([getattr(part, name)(y) for part in bar_parts()])
    return LOGITS.softmax(-1).numpy() @ values


def test_the_formulas_of_a_bar_distribution():
    forecast = from_tabpfn(LOGITS, BORDERS)
    np.testing.assert_allclose(
        forecast.pdf(NUMBERS), mixed("pdf", NUMBERS).diagonal(), rtol=1e-12
    )
    np.testing.assert_allclose(
        forecast.cdf(NUMBERS), mixed("cdf", NUMBERS).diagonal(), rtol=1e-12
    )
    means = LOGITS.softmax(-1).numpy() @ [part.mean() for part in bar_parts()]
    np.testing.assert_allclose(forecast.mean(), means, rtol=1e-12)
    levels = forecast.cdf(NUMBERS)
    np.testing.assert_allclose(forecast.ppf(levels), NUMBERS, rtol=1e-10)


def test_crps_is_the_integral_of_squares():
    forecast = from_tabpfn(LOGITS, BORDERS)
    exact = np.zeros(5)
    for row, y in enumerate(NUMBERS):
        ends = [-40.0, *sorted([*BORDERS.tolist()[1:-1], y]), 40.0]
        for low, high in pairwise(ends):

            def squared(x: np.ndarray, row: int = row, y: float = y) -> np.ndarray:
                return (mixed("cdf", x)[row] - (x > y)) ** 2

            exact[row] += integrate.fixed_quad(squared, low, high, n=80)[0]
    np.testing.assert_allclose(forecast.crps(NUMBERS), exact, rtol=1e-8)


def test_the_class_of_tabpfn():
    module = pytest.importorskip("tabpfn.architectures.shared.bar_distribution")
    # Borders are quantiles of numbers, 5,000 bars in float64 as in its checkpoints.
    generator = torch.Generator().manual_seed(1)
    ys = torch.randn(20_000, generator=generator, dtype=torch.float64)
    criterion = module.FullSupportBarDistribution(
        module.get_bucket_limits(5000, ys=3 * ys + 50)
    )
    logits = torch.randn(3, 5000, generator=generator, dtype=torch.float64)
    y = torch.tensor([51.1, 20.0, 90.0], dtype=torch.float64)
    ours = from_tabpfn({"logits": logits, "criterion": criterion})
    same = partial(np.testing.assert_allclose, rtol=1e-10, atol=1e-12)
    same(ours.log_pdf(y), -criterion(logits, y))
    same(ours.mean(), criterion.mean(logits))
    np.testing.assert_allclose(ours.var(), criterion.variance(logits), rtol=1e-9)
    same(ours.cdf(y), criterion.cdf(logits, y[:, None])[:, 0])
    for level in (0.0005, 0.1, 0.5, 0.99995):
        np.testing.assert_allclose(
            ours.ppf(level), criterion.icdf(logits, level), rtol=1e-9
        )
    loss = nn.HistogramNLLLoss(bins_of(criterion), dim=-1, reduction="none")
    same(loss(logits, y), criterion(logits, y))
    inner = module.BarDistribution(criterion.borders)
    assert bins_of(inner).tails == "none"


@pytest.mark.parametrize(
    "criterion",
    [
        nn.HistogramCRPSLoss(bins_of(BORDERS), dim=-1),
        nn.HistogramNLLLoss(bins_of(BORDERS), dim=-1),
    ],
    ids=["crps", "nll"],
)
def test_a_criterion_trains_logits_of_tabpfns_shape(criterion):
    """batch x rows x bars; its least value is at the forecast that is right."""
    logits = torch.zeros(2, 3, 7, requires_grad=True)
    y = torch.full((2, 3), 0.3)
    step = torch.optim.Adam([logits], lr=0.2)
    for _ in range(60):
        step.zero_grad()
        loss = criterion(logits, y)
        loss.backward()
        step.step()
    assert (logits.argmax(-1) == 4).all()  # 0.3 lies between 0 and 0.5


def test_bars_without_width():
    flat = torch.tensor([0.0, 1.0, 1.0, 1.0, 2.0, 2.0, 3.0])
    with pytest.raises(ValueError, match="3 of 6 have none"):
        bins_of(flat)
    forecast = from_tabpfn(torch.zeros(2, 6), flat, tails=False)
    np.testing.assert_allclose(forecast.bins.edges, [0, 1, 2, 3])
    np.testing.assert_allclose(forecast.probs, [[1 / 2, 1 / 3, 1 / 6]] * 2, rtol=1e-6)
    # A first bar without one joins the bar above.
    first = from_tabpfn(torch.zeros(4), torch.tensor([0.0, 0.0, 1.0, 2.0, 4.0]))
    np.testing.assert_allclose(first.probs, [1 / 2, 1 / 4, 1 / 4], rtol=1e-6)


WRONG: Any = [0.0]


def test_what_is_no_bar_distribution():
    with pytest.raises(TypeError, match="without borders"):
        from_tabpfn(LOGITS)
    with pytest.raises(TypeError, match="got a list"):
        from_tabpfn(WRONG, BORDERS)
    with pytest.raises(ValueError, match="must have 7 bars"):
        from_tabpfn(LOGITS[:, :4], BORDERS)
    with pytest.raises(ValueError, match="in increasing order"):
        bins_of(BORDERS.flip(0))


def test_quantiles_of_tabicl():
    """999 quantiles of normal distributions: their CRPS has a formula."""
    levels = np.arange(1, 1000) / 1000
    means, scales = np.array([0.0, 1.0, -0.5]), np.array([1.0, 0.5, 2.0])
    q = stats.norm.ppf(levels) * scales[:, None] + means[:, None]
    forecast = from_quantiles(q)
    y = np.array([0.3, 1.0, 4.0])
    z = (y - means) / scales
    exact = scales * (
        z * (2 * stats.norm.cdf(z) - 1) + 2 * stats.norm.pdf(z) - 1 / np.sqrt(np.pi)
    )
    np.testing.assert_allclose(forecast.crps(y), exact, rtol=2e-3)
    np.testing.assert_allclose(forecast.cdf(y), stats.norm.cdf(z), atol=1e-3)
    np.testing.assert_allclose(forecast.ppf(0.9), q[:, 899], rtol=0, atol=5e-3)
    crossed = from_quantiles(q[:, ::-1])
    np.testing.assert_array_equal(crossed.probs, forecast.probs)


def test_given_levels_and_grids():
    forecast = from_quantiles([[1.0, 3.0]], [0.25, 0.75], Bins([0, 1, 2, 3, 4]))
    assert isinstance(forecast, BinnedDistribution)
    np.testing.assert_allclose(forecast.probs, [[0.25] * 4])
    # Mass beyond the grid goes to the bins at its ends.
    inside = from_quantiles([[1.0, 3.0]], [0.25, 0.75], Bins([1, 2, 3]))
    np.testing.assert_allclose(inside.probs, [[0.5, 0.5]])
    with pytest.raises(ValueError, match="one level for each of 2"):
        from_quantiles([[1.0, 3.0]], [0.5])
    with pytest.raises(ValueError, match="levels must increase"):
        from_quantiles([[1.0, 3.0]], [0.75, 0.25])
    with pytest.raises(ValueError, match="finite numbers"):
        from_quantiles([[1.0, np.nan]])
