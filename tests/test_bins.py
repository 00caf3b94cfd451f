from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from sklearn.preprocessing import KBinsDiscretizer
from torch.testing import assert_close

from offby import Bins
from offby.grounds import as_ground
from offby.nn import HistogramNLLLoss
from tests.cases import grid

SEEDS = st.integers(0, 2**32 - 1)


@given(st.integers(1, 40), SEEDS)
def test_index_finds_the_bin_that_holds_the_value(n, seed):
    bins = Bins(np.sort(np.random.default_rng(seed).standard_normal(n + 1)))
    assert torch.equal(bins.index(bins.centers), torch.arange(n))
    assert torch.equal(bins.index(bins.edges[:-1]), torch.arange(n))
    assert bins.index(bins.edges[-1]) == n - 1


def test_index_sends_values_beyond_the_edges_to_the_end_bins():
    values = torch.tensor([-torch.inf, -9, 9, torch.inf, torch.nan])
    assert Bins.uniform(0, 3, 3).index(values).tolist() == [0, 0, 2, 2, -100]


def test_index_takes_any_shape_and_layout():
    bins, values = Bins.uniform(0, 1, 7), torch.rand(4, 5)
    assert torch.equal(bins.index(values.T), bins.index(values).T)
    assert bins.index(values[0, 0]).shape == ()
    assert bins.index(values[:0]).shape == (0, 5)


def test_uniform_bins_have_one_width():
    bins = Bins.uniform(-1, 2, 6)
    assert bins.n_bins == 6
    assert_close(bins.widths, torch.full((6,), 0.5, dtype=torch.float64))
    assert bins.edges[[0, -1]].tolist() == [-1, 2]


def test_log_bins_grow_by_one_factor():
    edges = Bins.log(0.1, 1000, 8).edges
    assert_close(edges[1:] / edges[:-1], torch.full((8,), 10**0.5).double())
    assert edges[[0, -1]].tolist() == [0.1, 1000]


@pytest.mark.parametrize(("low", "high"), [(0, 1), (-1, 1), (2, 1), (1, 1)])
def test_log_bins_refuse_what_has_no_logarithm(low, high):
    with pytest.raises(ValueError, match="shift"):
        Bins.log(low, high, 3)


@given(st.integers(1, 30), SEEDS)
def test_quantile_bins_hold_equally_many(n, seed):
    values = np.random.default_rng(seed).standard_normal(300)
    bins = Bins.quantile(values, n)
    held = torch.bincount(bins.index(torch.from_numpy(values)), minlength=n)
    assert bins.n_bins == n
    assert held.sum() == 300
    assert (held - 300 / n).abs().max() <= 1


def test_quantile_bins_merge_where_values_repeat():
    values = np.repeat([0.0, 1.0, 2.0], [90, 5, 5])
    bins = Bins.quantile(values, 10)
    assert bins.n_bins < 10
    assert bins.edges[[0, -1]].tolist() == [0, 2]


@pytest.mark.parametrize("values", [[], [1.0, np.nan], [1.0, np.inf], [3.0, 3.0]])
def test_bins_by_the_data_refuse_values_they_cannot_split(values):
    with pytest.raises(ValueError, match="quantile bins need"):
        Bins.quantile(values, 4)
    with pytest.raises(ValueError, match="k-means bins need"):
        Bins.kmeans(values, 4)


def squares_within(bins, values):
    """Squared distances of the values from the mean of their bin."""
    index = bins.index(torch.from_numpy(values)).numpy()
    return sum(values[index == k].var() * (index == k).sum() for k in np.unique(index))


@pytest.mark.parametrize("unit", [1e-12, 1.0, 1e12])
@pytest.mark.parametrize("draw", ["normal", "lognormal"])
def test_kmeans_bins_hold_the_values_nearest_to_their_mean(draw, unit):
    values = unit * getattr(np.random.default_rng(0), draw)(size=2000)
    bins = Bins.kmeans(values, 20)
    index = bins.index(torch.from_numpy(values)).numpy()
    means = np.array([values[index == k].mean() for k in range(bins.n_bins)])
    nearest = np.abs(values[:, None] - means).argmin(1)
    np.testing.assert_array_equal(nearest, index)
    # At least as good as scikit-learn's, which starts from equal widths.
    other = KBinsDiscretizer(20, strategy="kmeans", encode="ordinal", subsample=10**6)
    edges: Any = other.fit(values[:, None] / unit).bin_edges_[0]
    ours = squares_within(bins, values) / unit**2
    assert ours <= 1.02 * squares_within(Bins(edges), values / unit)


def test_kmeans_bins_of_few_values_are_these_values():
    values = np.repeat([1.0, 2.0, 4.0], [90, 5, 5])
    assert Bins.kmeans(values, 10).edges.tolist() == [1, 1.5, 3, 4]


@pytest.mark.parametrize(
    "edges", [[], [1.0], [1.0, 1.0], [2.0, 1.0], [0.0, np.nan], [[0.0, 1.0]]]
)
def test_refuses_edges_that_bound_no_bin(edges):
    with pytest.raises(ValueError, match="edges must"):
        Bins(edges)


@given(st.floats(0, 0.5), SEEDS)
def test_jitter_moves_inner_edges_within_their_share(scale, seed):
    bins = grid(9)
    moved = bins.jitter(scale, torch.Generator().manual_seed(seed)).edges
    room = scale * torch.minimum(bins.widths[:-1], bins.widths[1:])
    assert torch.equal(moved[[0, -1]], bins.edges[[0, -1]])
    assert ((moved - bins.edges)[1:-1].abs() <= room + 1e-15).all()
    again = bins.jitter(scale, torch.Generator().manual_seed(seed)).edges
    assert torch.equal(moved, again)


@pytest.mark.parametrize("scale", [-0.1, 0.6, np.nan])
def test_jitter_refuses_a_scale_that_could_cross_edges(scale):
    with pytest.raises(ValueError, match="cross"):
        grid(3).jitter(scale, torch.Generator())


def test_line_puts_each_class_at_the_center_of_its_bin():
    bins = grid(5)
    assert torch.equal(bins.line().positions, bins.centers)
    assert_close(bins.centers, (bins.edges[1:] + bins.edges[:-1]) / 2)


def test_values_that_fill_a_bin_get_one_of_their_own():
    rng = np.random.default_rng(0)
    rain = np.r_[np.zeros(300), rng.exponential(size=700)]
    bins = Bins.around(rain, 20)
    index = bins.index(torch.from_numpy(rain))
    assert len(set(index[:300].tolist())) == 1
    assert int((index == index[0]).sum()) == 300
    assert bins.widths[int(index[0])] < 0.1
    assert 15 <= bins.n_bins <= 20


@pytest.mark.parametrize("strategy", ["quantile", "kmeans", "blend"])
def test_heavy_values_stay_apart_and_bins_stay_few(strategy):
    rng = np.random.default_rng(0)
    # Every other value is heavy, so that light ones between them would need bins too.
    values = np.concatenate([np.arange(0, 60, 2).repeat(9), np.arange(1, 60, 2)])
    assert Bins.around(values, 40, strategy).n_bins <= 40
    heaped = np.concatenate([rng.lognormal(2, 1, 500), np.full(100, 5.0)])
    bins = Bins.around(heaped, 30, strategy)
    assert bins.n_bins <= 30
    index = bins.index(torch.from_numpy(heaped))
    assert int((index == index[-1]).sum()) == 100


def test_kmeans_bins_hold_far_values_tighter_than_quantiles():
    """The largest hundredth of skewed numbers shares one quantile, but not one mean."""
    values = np.random.default_rng(0).lognormal(0, 1.5, 3000)
    top = np.quantile(values, 0.99)
    grids = {
        strategy: Bins.around(values, 100, strategy)
        for strategy in ("quantile", "kmeans", "blend")
    }
    inside = {name: int((bins.edges > top).sum()) for name, bins in grids.items()}
    assert inside["quantile"] <= 2
    assert inside["kmeans"] >= 10
    # Of the bins of a blend, the mean of the shares of both.
    share = {name: inside[name] / bins.n_bins for name, bins in grids.items()}
    halfway = (share["quantile"] + share["kmeans"]) / 2
    assert share["blend"] == pytest.approx(halfway, abs=0.02)


def test_whole_numbers_become_classes():
    stars = np.random.default_rng(0).integers(1, 6, 500)
    assert Bins.around(stars, 100).edges.tolist() == [0.5, 1.5, 2.5, 3.5, 4.5, 5.5]


@pytest.mark.parametrize("strategy", ["quantile", "uniform", "log", "kmeans", "blend"])
def test_every_strategy_holds_all_values_inside_its_margin(strategy):
    values = np.random.default_rng(0).lognormal(size=200)
    bins = Bins.around(values, 10, strategy)
    assert bins.edges[0] < values.min()
    assert bins.edges[-1] > values.max()
    if strategy == "log":
        assert bins.edges[0] > 0


def test_a_value_with_just_the_share_of_one_bin_gets_a_bin_of_its_own():
    """Four of 40 rows in at most ten bins: exactly a tenth."""
    others = np.linspace(1, 2, 36)
    bins = Bins.around([*others, *[5.0] * 4], 10)
    assert bins.edges[-2:].tolist() == [3.5, 6.5]
    # One row fewer is less than a bin holds.
    fewer = Bins.around([*np.linspace(1, 2, 37), *[5.0] * 3], 10)
    assert fewer.edges[-2] != 3.5


@given(st.integers(2, 60), st.floats(0.1, 1e6), st.floats(0.1, 1e6))
def test_symlog_bins_are_even_in_symlog(n, below, above):
    bins = Bins.symlog(-below, above, n)
    assert (bins.n_bins, bins.edges[0], bins.edges[-1]) == (n, -below, above)
    even = bins.edges.sign() * bins.edges.abs().log1p()
    assert_close(even.diff(), even.diff().mean().expand(n), rtol=1e-9, atol=1e-12)


@given(st.integers(2, 60), st.floats(-100, 100), st.floats(0.01, 10))
def test_bins_from_even_centers_have_these_centers(n, first, step):
    centers = first + step * torch.arange(n, dtype=torch.float64)
    bins = Bins.from_centers(centers)
    assert_close(bins.centers, centers, rtol=1e-12, atol=1e-12)
    assert torch.equal(bins.index(centers), torch.arange(n))


def test_bins_from_uneven_centers_hold_them():
    centers = torch.tensor([0.0, 1.0, 5.0, 100.0])
    assert Bins.from_centers(centers).index(centers).tolist() == [0, 1, 2, 3]
    with pytest.raises(ValueError, match="must increase"):
        Bins.from_centers([1, 1, 2])


def test_log_bins_have_a_margin_of_one_ratio_on_either_side() -> None:
    edges = Bins.around([1.0, 3.0, 20.0, 100.0], 4, "log").edges
    ratio = 100**0.25
    expected = [1 / ratio, ratio, ratio**2, ratio**3, 100 * ratio]
    assert_close(edges, torch.tensor(expected, dtype=torch.float64))


HOURS = Bins.periodic(0, 24, 12)
UNEVEN = Bins([-1, 0.5, 1, 3, 4.5], wraps=True)
on_circles = pytest.mark.parametrize("bins", [HOURS, UNEVEN], ids=["even", "uneven"])


@on_circles
@given(turns=st.integers(-3, 3), seed=SEEDS)
def test_a_number_on_another_turn_is_in_the_same_bin(bins, turns, seed):
    low, high = bins.edges[[0, -1]].tolist()
    y = torch.from_numpy(np.random.default_rng(seed).uniform(low, high, 20))
    assert torch.equal(bins.index(y + turns * (high - low)), bins.index(y))
    assert torch.equal(bins.index(y), Bins(bins.edges).index(y))
    assert bins.index(torch.tensor([torch.nan, torch.inf])).tolist() == [-100, -100]


@on_circles
def test_bins_on_a_circle_are_classes_on_a_circle(bins):
    on = bins.circle("chord")
    assert torch.equal(on.positions, bins.centers)
    assert on.period == bins.edges[-1] - bins.edges[0]
    assert on.distance == "chord"
    assert as_ground(bins) == bins.circle()
    with pytest.raises(ValueError, match=r"use `bins.circle\(\)`"):
        bins.line()
    with pytest.raises(ValueError, match=r"use `bins.line\(\)`"):
        Bins(bins.edges).circle()
    with pytest.raises(ValueError, match="have no ends"):
        Bins(bins.edges, wraps=True, tails="half-normal")


@on_circles
def test_bins_on_a_circle_stay_there(bins):
    assert Bins.from_dict(bins.to_dict()) == bins
    assert bins != Bins(bins.edges)
    assert bins.jitter(0.1, torch.Generator()).wraps
    assert HistogramNLLLoss(bins).bins == bins
    assert "on a circle" in repr(bins)


@pytest.mark.parametrize(
    ("edges", "even"),
    [
        (torch.linspace(-7, 9, 52).double(), False),  # rounded to float32
        (torch.linspace(-7, 9, 52, dtype=torch.float64), True),
        ([0, 1, 3], False),
        ([2, 5], True),
    ],
)
def test_even_bins_are_known(edges, even):
    assert Bins(edges).even is even
