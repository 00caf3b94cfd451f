"""Numbers on a circle: their CRPS, their arcs, and the regressors that predict them."""

from typing import Any

import numpy as np
import pytest

from offby import BinnedDistribution, BinnedRegressor, Bins
from offby.distribution.around import crps_around, shortest_arcs
from offby.distribution.around_median import (
    medians_around,
    pit_around,
    quantiles_around,
)
from offby.losses import squared_emd
from offby.metrics import histogram_crps, interval_coverage
from offby.tabular import BinnedEnsemble, BoostedBinnedRegressor
from offby.tabular.circular import circular_r2

torch = pytest.importorskip("torch")

QUICK: dict[str, Any] = {
    "n_members": 2,
    "n_bags": 1,
    "hidden_layer_sizes": (16,),
    "max_iter": 40,
    "random_state": 0,
}
UNEVEN = Bins([0.0, 1, 2.5, 4, 7], wraps=True)


def arc(a, b, period=7.0):
    apart = np.mod(a - b, period)
    return np.minimum(apart, period - apart)


def test_the_crps_of_a_circle_is_the_mean_arc_less_half_that_of_two_draws():
    rng = np.random.default_rng(0)
    p, y = rng.dirichlet(np.ones(4), 5), rng.uniform(-9, 20, 5)
    # Points at the middles of many equal parts of each bin.
    share = (np.arange(400) + 0.5) / 400
    edges = UNEVEN.edges.numpy()
    at = (edges[:-1, None] + share * np.diff(edges)[:, None]).ravel()
    mass = np.repeat(p / 400, 400, axis=-1)
    between = (mass @ arc(at[:, None], at)) * mass
    wanted = (mass * arc(at, y[:, None])).sum(-1) - between.sum(-1) / 2
    np.testing.assert_allclose(crps_around(p, UNEVEN, y), wanted, atol=2e-5)
    np.testing.assert_allclose(BinnedDistribution(p, UNEVEN).crps(y), wanted, atol=2e-5)
    mean = histogram_crps(y, p, UNEVEN)
    assert mean == pytest.approx(wanted.mean(), abs=2e-5)


def test_of_narrow_bins_it_is_the_squared_emd_on_their_circle():
    bins = Bins.periodic(0, 24, 480)
    p = np.random.default_rng(1).dirichlet(np.ones(480), 3)
    k = np.array([0, 100, 479])
    y = bins.centers.numpy()[k]
    emd2 = squared_emd(torch.tensor(p).log(), torch.tensor(k), bins.circle()).numpy()
    np.testing.assert_allclose(crps_around(p, bins, y), emd2, atol=0.02)


def test_the_crps_of_a_circle_turns_with_it_and_is_least_at_the_truth():
    bins = Bins.periodic(0, 12, 6)
    rng = np.random.default_rng(2)
    p = rng.dirichlet(np.ones(6), 4)
    y = rng.uniform(0, 12, 4)
    turned = crps_around(np.roll(p, 1, axis=-1), bins, y + 2)
    np.testing.assert_allclose(turned, crps_around(p, bins, y), rtol=1e-12)
    truth = p[:1]
    mean = np.array(
        [
            np.average(
                crps_around(np.repeat(q[None], 6, 0), bins, bins.centers.numpy()),
                weights=truth[0],
            )
            for q in (truth[0], *rng.dirichlet(np.ones(6), 20))
        ]
    )
    assert mean.argmin() == 0


@pytest.mark.parametrize("coverage", [0.3, 0.9])
def test_no_arc_of_that_mass_is_shorter(coverage):
    p = np.random.default_rng(3).dirichlet(np.full(4, 0.7), 6)
    low, high = shortest_arcs(p, UNEVEN, coverage)
    edges = UNEVEN.edges.numpy()
    over = np.concatenate([edges, edges[1:] + 7])
    for row in range(6):
        below = np.concatenate([[0], p[row].cumsum()])
        twice = np.concatenate([below, 1 + below[1:]])
        starts = np.linspace(0, 7, 2000)
        reach = np.interp(starts, over, twice) + coverage
        shortest = (np.interp(reach, twice, over) - starts).min()
        width = np.mod(high[row] - low[row], 7)
        assert width <= shortest + 1e-9
        reached = np.interp(low[row] + width, over, twice)
        inside = reached - np.interp(low[row], over, twice)
        assert inside == pytest.approx(coverage)


def test_an_arc_of_all_mass_is_the_whole_turn():
    low, high = shortest_arcs(np.full((1, 4), 0.25), UNEVEN, 1.0)
    assert (low.item(), high.item()) == (0, 7)


def peaked(n_rows: int, bins: Bins, seed: int) -> np.ndarray:
    """Masses with one broad peak, all of it within half a turn."""
    rng = np.random.default_rng(seed)
    middle = rng.uniform(0, float(bins.period), (n_rows, 1))
    away = arc(bins.centers.numpy(), middle, float(bins.period))
    p = rng.uniform(0.2, 1, away.shape) * (away < float(bins.period) / 5)
    return p / p.sum(-1, keepdims=True)


@pytest.mark.parametrize("bins", [UNEVEN, Bins.periodic(0, 7, 25)], ids=["4", "25"])
def test_the_median_of_a_circle_has_the_least_mean_arc(bins):
    p = np.random.default_rng(4).dirichlet(np.ones(bins.n_bins), 5)
    edges = bins.edges.numpy()
    share = (np.arange(100) + 0.5) / 100
    at = (edges[:-1, None] + share * np.diff(edges)[:, None]).ravel()
    mass = np.repeat(p / 100, 100, axis=-1)
    tried = np.linspace(0, 7, 500)
    arcs = arc(at, tried[:, None]) @ mass.T
    found = (mass * arc(at, medians_around(p, bins)[:, None])).sum(-1)
    assert (found <= arcs.min(0) + 1e-4).all()


def test_from_its_antipode_the_circle_is_a_line():
    bins = Bins.periodic(0, 7, 35)
    p = peaked(40, bins, seed=5)
    levels = np.array([0.05, 0.5, 0.9])
    found = quantiles_around(p, bins, levels)
    # The same mass once more, with the seam turned away from it.
    places = np.rint(medians_around(p, bins) / 0.2).astype(int)
    flat = Bins.uniform(0, 7, 35)
    for row, place, of_circle in zip(p, places, found, strict=True):
        line = BinnedDistribution(np.roll(row, 17 - place)[None], flat)
        wanted = line.quantiles(levels)[0] + (place - 17) * 0.2
        np.testing.assert_allclose(arc(of_circle, wanted), 0, atol=1e-9)


def test_the_pit_is_the_level_of_the_quantile():
    p = np.random.default_rng(6).dirichlet(np.ones(4), 30)
    levels = np.linspace(0.02, 0.98, 7)
    for turn in (0, 7, -14):
        numbers = quantiles_around(p, UNEVEN, levels) + turn
        for level, y in zip(levels, numbers.T, strict=True):
            np.testing.assert_allclose(pit_around(p, UNEVEN, y), level, atol=1e-9)


def test_quantiles_turn_with_the_circle():
    bins = Bins.periodic(0, 12, 6)
    p = np.random.default_rng(7).dirichlet(np.ones(6), 8)
    levels = np.array([0.1, 0.5, 0.6])
    turned = quantiles_around(np.roll(p, 1, -1), bins, levels)
    there = quantiles_around(p, bins, levels) + 2
    np.testing.assert_allclose(arc(turned, there, 12), 0, atol=1e-9)


def directions(n=300, seed=0):
    """A wind direction from its noisy sine and cosine; many lie around north."""
    rng = np.random.default_rng(seed)
    angle = rng.normal(0, 40, n)
    seen = np.radians(angle + rng.normal(0, 8, n))
    return np.stack([np.sin(seen), np.cos(seen)], 1), np.mod(angle, 360)


@pytest.mark.parametrize("kind", ["network", "boosting", "both"])
def test_learns_directions_through_north(kind, tmp_path):
    X, y = directions()
    rules: dict[str, Any] = {"period": 360, "n_bins": 36}
    if kind != "network":
        pytest.importorskip("lightgbm")
    trees: Any = {"max_iter": 30, "n_bags": 1, "random_state": 0}
    network, boosted = BinnedRegressor(**QUICK), BoostedBinnedRegressor(**trees)
    model: Any = {
        "network": network,
        "boosting": boosted,
        "both": BinnedEnsemble([network, boosted]),
    }[kind].set_params(**rules)
    model.fit(X, y)
    new, truth = directions(200, seed=1)
    guess = model.predict(new)
    assert ((guess >= 0) & (guess < 360)).all()
    off = arc(guess, truth, 360)
    assert off.mean() < 15
    assert model.score(new, truth) > 0.8
    low, high = model.predict_interval(new, 0.9).T
    inside = np.mod(truth - low, 360) <= np.mod(high - low, 360)
    assert inside.mean() > 0.8
    assert np.mod(high - low, 360).mean() < 120
    assert (high < low).any()  # Some arcs pass north.
    if kind == "network":
        model.save(tmp_path / "m")
        again = BinnedRegressor.load(tmp_path / "m")
        np.testing.assert_array_equal(again.predict(new), guess)


@pytest.mark.parametrize("kind", [BinnedRegressor, BoostedBinnedRegressor])
def test_conformal_arcs_hold_the_share_they_promise(kind: Any):
    X, y = directions(400)
    rules: Any = QUICK
    if kind is BoostedBinnedRegressor:
        pytest.importorskip("lightgbm")
        rules = {"max_iter": 20, "n_bags": 1, "random_state": 0}
    # Few rounds: forecasts that are much too wide, and arcs that must be narrowed.
    settings: Any = rules | {"max_iter": 8, "validation_fraction": 0.5}
    model: Any = kind(period=360, n_bins=36, **settings).fit(X, y)
    new, truth = directions(2000, seed=1)
    for coverage in (0.5, 0.8, 0.95):
        low, high = model.predict_interval(new, coverage, conformal=True).T
        inside = interval_coverage(truth, low, high, period=360)
        # 200 validation rows: the coverage of new rows is within three of its spreads.
        spread = np.sqrt(coverage * (1 - coverage) / 200)
        assert abs(inside - coverage) < 3 * spread
        middle = model.predict_quantiles(new, [0.5])[:, 0]
        assert (np.mod(middle - low, 360) <= np.mod(high - low, 360)).all()
    assert (high < low).any()
    whole = model.predict_interval(new[:2], 1.0, conformal=True)
    assert whole.tolist() == [[0, 360], [0, 360]]


def test_the_turn_and_the_unit_of_the_numbers_do_not_matter():
    X, y = directions(120)
    one = BinnedRegressor(period=360, n_bins=12, **QUICK).fit(X, y)
    turns = y + 360 * np.arange(len(y)) % 3
    hours = BinnedRegressor(period=24, n_bins=12, **QUICK).fit(X, turns / 15)
    np.testing.assert_allclose(hours.predict(X) * 15, one.predict(X), rtol=1e-3)
    signed = BinnedRegressor(period=360, n_bins=12, **QUICK)
    guess = signed.fit(X, np.where(y > 180, y - 360, y)).predict(X)
    assert guess.min() < 0
    assert guess.max() < 180


def test_whole_hours_are_bins_of_their_own():
    X, y = directions(120)
    model = BinnedRegressor(period=24, **QUICK).fit(X, np.round(y / 15) % 24)
    assert model.bins_.centers.tolist() == list(range(24))
    assert model.bins_.edges[0] == -0.5
    assert ((model.predict(X) >= 0) & (model.predict(X) < 24)).all()


def test_the_score_is_1_of_the_truth_and_0_of_the_mean_direction():
    y = np.array([350.0, 10, 20, 355])
    mean = np.degrees(np.angle(np.exp(1j * np.radians(y)).mean())) % 360
    assert circular_r2(y, y + 360, 360, None) == pytest.approx(1)
    assert circular_r2(y, np.full(4, mean), 360, None) == pytest.approx(0)
    twice = circular_r2(y, np.full(4, 0.0), 360, [2, 1, 1, 1])
    longer = circular_r2(np.append(y, 350), np.full(5, 0.0), 360, None)
    assert twice == pytest.approx(longer)


@pytest.mark.parametrize(
    ("rules", "says"),
    [
        ({"loss": "crps"}, "'crps' is defined on a line"),
        ({"loss": "ce+cce"}, "'ce.cce' is defined on a line"),
        ({"target_transform": "log"}, "only None will do, got target_transform='log'"),
        ({"strategy": "quantile"}, "bins of equal width will do, got strategy"),
        ({"bounds": (0, 360)}, "a circle has no ends"),
        ({"n_bins": 2}, "at least 3 bins"),
        ({"calibration": "isotonic"}, "no bin is the lowest"),
        ({"n_bins": Bins.uniform(0, 360, 4)}, "must lie on a circle of period 360"),
        ({"n_bins": Bins.periodic(0, 24, 4)}, "must lie on a circle of period 360"),
        ({"period": -1}, "period"),
        ({"period": None, "n_bins": Bins.periodic(0, 360, 9)}, "give period=360"),
    ],
    ids=str,
)
def test_what_has_no_meaning_on_a_circle_is_refused(rules, says):
    X, y = directions(40)
    with pytest.raises(ValueError, match=says):
        BinnedRegressor(**{"period": 360, **QUICK, **rules}).fit(X, y)


def test_variance_needs_a_line():
    X, y = directions(60)
    model = BinnedRegressor(period=360, n_bins=12, **QUICK).fit(X, y)
    with pytest.raises(ValueError, match="bins on a line"):
        model.predict_var(X)
    with pytest.raises(ValueError, match=r"0 to 1, got \[1.5\]; 0.5 is the median"):
        model.predict_quantiles(X, [1.5])
