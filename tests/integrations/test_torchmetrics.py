"""Metrics of torchmetrics are the functions of `offby.metrics` over all batches."""

from typing import Any

import numpy as np
import pytest
import torch

pytest.importorskip("torchmetrics")

from torchmetrics import MetricCollection

from offby import BinnedDistribution, Bins, Circle, Line, losses, metrics
from offby.integrations import torchmetrics as adapters

K = 5
WRONG: Any = [0, 1]
LINE = Line([0.0, 1.0, 3.0, 4.0, 9.0])
CIRCLE = Circle(range(K), K)
BINS = Bins([-2.0, -1.0, 0.0, 0.5, 1.0, 3.0])
RNG = np.random.default_rng(0)
P = RNG.dirichlet(np.ones(K), 60)
Y = RNG.integers(K, size=60)
NUMBERS = RNG.uniform(-1.9, 2.9, 60)
WEIGHT = RNG.integers(0, 3, 60).astype(float)
GUESS = metrics.median_class(P)


def covered(sample_weight=None) -> float:
    low, high = BinnedDistribution(P, BINS).interval(0.7)
    return metrics.interval_coverage(NUMBERS, low, high, sample_weight=sample_weight)


def distance(ground):
    def function(sample_weight=None):
        logits, target = torch.tensor(P).log(), torch.tensor(Y)
        rows = losses.wasserstein(logits, target, ground)
        return np.average(rows, weights=sample_weight)

    return function


def heights(cdf):
    def function(sample_weight=None):
        reached = cdf(np.arange(1, 5) / 4, sample_weight)
        return 4 * np.diff(reached, prepend=0)

    return function


def of(function, *given, **settings):
    def bound(sample_weight=None):
        return function(*given, sample_weight=sample_weight, **settings)

    return bound


CASES = {
    "rps": (
        adapters.RankedProbabilityScore(K),
        of(metrics.ranked_probability_score, Y, P),
    ),
    "rps on a ground": (
        adapters.RankedProbabilityScore(K, ground=CIRCLE, normalized=True),
        of(metrics.ranked_probability_score, Y, P, ground=CIRCLE, normalized=True),
    ),
    "log score": (adapters.LogScore(K), of(metrics.log_score, Y, P)),
    "brier": (adapters.BrierScore(K), of(metrics.brier_score, Y, P)),
    "emd": (adapters.EarthMoversDistance(K), distance(None)),
    "emd on a ground": (adapters.EarthMoversDistance(K, ground=LINE), distance(LINE)),
    "far": (adapters.FarErrorRate(K), of(metrics.far_error_rate, Y, GUESS)),
    "far on a ground": (
        adapters.FarErrorRate(K, 1.5, ground=CIRCLE),
        of(metrics.far_error_rate, Y, GUESS, 1.5, ground=CIRCLE),
    ),
    "far, mode": (
        adapters.FarErrorRate(K, decision="mode"),
        of(metrics.far_error_rate, Y, P.argmax(-1)),
    ),
    "kappa": (
        adapters.QuadraticWeightedKappa(K),
        of(metrics.quadratic_weighted_kappa, Y, GUESS),
    ),
    "kappa on a line": (
        adapters.QuadraticWeightedKappa(K, ground=LINE),
        of(
            metrics.quadratic_weighted_kappa,
            LINE.positions.numpy()[Y],
            LINE.positions.numpy()[GUESS],
        ),
    ),
    "pit": (
        adapters.PITHistogram(K, bars=4),
        heights(lambda q, w: metrics.pit_cdf(Y, P, q, sample_weight=w)),
    ),
}
OF_NUMBERS = {
    "crps": (
        adapters.HistogramCRPS(BINS),
        of(metrics.histogram_crps, NUMBERS, P, BINS),
    ),
    "log density": (
        adapters.HistogramLogScore(BINS),
        of(metrics.histogram_log_score, NUMBERS, P, BINS),
    ),
    "coverage": (adapters.IntervalCoverage(BINS, 0.7), covered),
    "pit of numbers": (
        adapters.PITHistogram(BINS, bars=4),
        heights(
            lambda q, w: metrics.histogram_pit_cdf(NUMBERS, P, BINS, q, sample_weight=w)
        ),
    ),
}
EVERY = {**CASES, **OF_NUMBERS}
RIGHT = {name: torch.tensor(Y if name in CASES else NUMBERS) for name in EVERY}


def accumulated(metric, preds, target, weight=None):
    """In batches of unlike sizes."""
    metric.reset()
    for rows in torch.arange(60).split([7, 30, 23]):
        part = None if weight is None else weight[rows]
        metric.update(preds[rows], target[rows], part)
    return metric.compute().numpy()


@pytest.mark.parametrize("name", EVERY)
def test_over_batches_it_is_the_function_over_all_rows(name):
    metric, function = EVERY[name]
    p, y, w = torch.tensor(P), RIGHT[name], torch.tensor(WEIGHT)
    np.testing.assert_allclose(accumulated(metric, p, y), function(), rtol=1e-12)
    np.testing.assert_allclose(
        accumulated(metric, p, y, w), function(sample_weight=WEIGHT), rtol=1e-12
    )
    # What torchmetrics does in metric(preds, target): the batch alone, and the whole.
    metric.reset()
    alone = metric(p[:20], y[:20])
    metric.update(p[20:], y[20:])
    np.testing.assert_allclose(metric.compute().numpy(), function(), rtol=1e-12)
    assert not np.allclose(alone.numpy(), function())


@pytest.mark.parametrize("name", EVERY)
def test_classes_on_axis_1_of_images(name):
    metric, function = EVERY[name]
    images = torch.tensor(P).reshape(5, 3, 4, K).movedim(-1, 1)
    metric.reset()
    metric.update(images, RIGHT[name].reshape(5, 3, 4))
    np.testing.assert_allclose(metric.compute().numpy(), function(), rtol=1e-12)


@pytest.mark.parametrize("name", EVERY)
def test_what_was_added_up_elsewhere_merges(name):
    """As the states of two processes do, and after a checkpoint."""
    metric, function = EVERY[name]
    p, y = torch.tensor(P), RIGHT[name]
    first, second = metric.clone(), metric.clone()
    first.reset()
    second.reset()
    first.update(p[:11], y[:11])
    second.update(p[11:], y[11:])
    first.merge_state(second)
    np.testing.assert_allclose(first.compute().numpy(), function(), rtol=1e-12)


def test_logits_ignored_rows_and_halves():
    score = adapters.RankedProbabilityScore(K, from_logits=True, ignore_index=-100)
    y = torch.tensor(Y).where(torch.arange(60) % 3 > 0, -100)
    logits = torch.tensor(P).log().half()
    kept = y != -100
    p = logits[kept].double().softmax(-1)
    wanted = metrics.ranked_probability_score(y[kept], p)
    assert float(score(logits, y)) == pytest.approx(wanted, rel=1e-12)
    score.update(logits, torch.full_like(y, -100))
    assert float(score.compute()) == pytest.approx(wanted, rel=1e-12)
    kappa = adapters.QuadraticWeightedKappa(K, ignore_index=-100)
    guess = torch.tensor(GUESS)
    wanted = metrics.quadratic_weighted_kappa(y[kept], guess[kept])
    assert float(kappa(guess, y)) == pytest.approx(wanted, rel=1e-12)


def test_they_make_a_collection_that_a_module_carries():
    both = MetricCollection(
        {"rps": adapters.RankedProbabilityScore(K), "log": adapters.LogScore(K)}
    )
    both.update(torch.tensor(P), torch.tensor(Y))
    found = {name: float(value) for name, value in both.compute().items()}
    assert found == pytest.approx(
        {
            "rps": metrics.ranked_probability_score(Y, P),
            "log": metrics.log_score(Y, P),
        }
    )
    both.reset()
    assert both["rps"].weight == 0


@pytest.mark.filterwarnings("ignore:The ``compute`` method")
def test_without_rows_they_are_nan():
    for metric in (adapters.LogScore(K), adapters.FarErrorRate(K)):
        assert bool(metric.compute().isnan())


@pytest.mark.parametrize("name", ["rps", "kappa", "coverage", "pit"])
def test_they_draw_themselves(name):
    pytest.importorskip("matplotlib").use("agg")
    from matplotlib import pyplot

    metric, _ = EVERY[name]
    accumulated(metric, torch.tensor(P), RIGHT[name])
    figure, axis = metric.plot()
    assert axis.get_ylabel() or axis.get_title() or axis.lines
    if name == "pit":
        assert [bar.get_height() for bar in axis.patches] == metric.compute().tolist()
    pyplot.close(figure)


@pytest.mark.parametrize(
    ("make", "text"),
    [
        (lambda: adapters.LogScore(1), "2 or more"),
        (lambda: adapters.HistogramCRPS(WRONG), "must be offby.Bins"),
        (lambda: adapters.IntervalCoverage(BINS, 90), "0.9 stands for 90"),
        (lambda: adapters.EarthMoversDistance(4, ground=LINE), "must have 4 classes"),
        (lambda: adapters.QuadraticWeightedKappa(4, ground=LINE), "a Line of 4"),
        (lambda: adapters.FarErrorRate(4, decision=WRONG), '"median" or "mode"'),
        (lambda: adapters.PITHistogram(4, bars=0), "at least 1"),
        (
            lambda: adapters.LogScore(K)(torch.tensor(P), torch.tensor(Y[:-1])),
            r"shape \(59, 5\)",
        ),
        (lambda: adapters.LogScore(K)(torch.tensor(P), torch.tensor(Y + 1)), "0 to 4"),
        (
            lambda: adapters.FarErrorRate(K)(torch.tensor(GUESS), torch.tensor(Y + 1)),
            "target must hold classes 0 to 4",
        ),
        (
            lambda: adapters.FarErrorRate(K)(torch.tensor(GUESS), torch.tensor(Y[:9])),
            "shape of the target",
        ),
        (
            lambda: adapters.LogScore(K).update(
                torch.tensor(P), torch.tensor(Y), torch.tensor([1.0])
            ),
            "one number for each target",
        ),
        (
            lambda: adapters.LogScore(K).update(
                torch.tensor(P), torch.tensor(Y), torch.full((60,), -1.0)
            ),
            "nonnegative",
        ),
    ],
)
def test_what_does_not_fit_is_refused(make, text):
    with pytest.raises((ValueError, TypeError), match=text):
        make()
