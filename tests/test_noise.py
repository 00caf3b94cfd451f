from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from offby.bins import Bins
from offby.comparison import Comparison, compare, rounds
from offby.comparison.config import CompareConfig
from offby.comparison.fits import Fit, fit_loss
from offby.comparison.networks import Design, Settings
from offby.comparison.noise import estimate, perturb
from offby.comparison.noise.curves import wasserstein_rows
from offby.comparison.noise.takeovers import takeovers
from offby.comparison.problem import Problem
from offby.losses.registry import parse
from offby.results import Metric, Noise

SHORT = Settings(max_iter=40, hidden_layer_sizes=(16,))
RPS = Metric("rps", "RPS", True, "classes", "the whole distribution")


def data(kind, rows=240, spread=0.5):
    rng = np.random.default_rng(0)
    X = rng.normal(size=(rows, 2))
    value = 2 * X[:, 0] + spread * rng.normal(size=rows)
    if kind == "number":
        return X, value
    return X, np.clip(np.rint(value), -2, 2).astype(int) + 2


@pytest.fixture(scope="module", params=["classes", "number"])
def found(request):
    X, y = data(request.param)
    rules: Any = {"losses": ["ce", "emd2"], "folds": 2, "seeds": 1, "bins": 8}
    rules["rope"] = 0.9  # else emd2 may be settled as worse, and have no curve
    return compare(
        X, y, kind=request.param, settings=SHORT, noise=True, references=False, **rules
    )


def problem(kind):
    X, y = data(kind)
    places = tuple(map(float, range(5))) if kind == "classes" else ()
    return Problem(X, y, kind, places, 8, "quantile", 2, 0)


def test_every_kind_of_noise_has_a_curve_per_loss(found):
    kinds = {"inputs", "neighbor", "random"}
    if found.data.kind == "number":
        kinds |= {"edges", "counts", "strategy"}
    assert {(n.kind, n.method) for n in found.noise} == {
        (kind, loss) for kind in kinds for loss in ("ce", "emd2")
    }
    assert len(found.takeovers) == len(kinds)
    assert Comparison.from_json(found.to_json()) == found
    for curve in found.noise:
        still = curve.levels.index(1.0 if curve.kind == "counts" else 0.0)
        assert curve.moved[still] == 0
        assert all(m > 0 for i, m in enumerate(curve.moved) if i != still)


def test_losses_that_are_settled_as_worse_are_not_trained_under_noise(monkeypatch):
    made = problem("classes")
    losses = [parse("ce"), parse("emd2")]
    changed = perturb.perturbations(made)
    refits = perturb.jobs(changed, losses, Design(), "score", keyed=False)
    pairs = [SimpleNamespace(metric=RPS, method="emd2", verdict="worse")]
    monkeypatch.setattr(rounds, "leaders_and_rivals", lambda *_: pairs)
    contenders: Any = SimpleNamespace(losses=losses, perturbations=changed)
    left = rounds._of_contenders(
        refits, None, CompareConfig(), contenders, (RPS,), made
    )
    assert {job.method.split()[0] for job in left} == {"ce"}
    assert 2 * len(left) == len(refits)


def test_forecasts_have_the_parts_of_their_score(found):
    score, far = ("rps", 1e-9) if found.data.kind == "classes" else ("crps", 2e-3)
    for item in found.forecasts:
        assert [guess.rule for guess in item.guesses] == ["mode", "median", "mean"]
        median = item.guesses[1].mae
        assert median == pytest.approx(found.mean(item.method, "mae"), rel=1e-6)
        miscalibration, discrimination, uncertainty = item.corp
        assert min(item.corp) > 0
        whole = miscalibration - discrimination + uncertainty
        assert whole == pytest.approx(found.mean(item.method, score), rel=far)


def test_refits_stand_in_no_table_of_scores(found):
    assert {method.key for method in found.methods} == {"ce", "emd2"}
    assert {score.method for score in found.scores} == {"ce", "emd2"}
    assert set(found.timing.fits) == {"ce", "emd2"}


def test_more_noise_in_the_inputs_moves_forecasts_further(found):
    for curve in found.noise:
        if curve.kind == "inputs":
            assert np.all(np.diff(curve.moved) > 0)
            key = "rps" if found.data.kind == "classes" else "crps"
            assert curve.scores[key][-1] > curve.scores[key][0]


@pytest.mark.parametrize("kind", ["classes", "number"])
@pytest.mark.parametrize("level", [0.1, 0.3])
def test_the_share_of_labels_asked_for_moves_to_a_neighbor(kind, level):
    fold = problem(kind).folds[0]
    moved = perturb.moved_to_neighbor(fold, level)
    before, after = (f.labels(f.train).index.numpy() for f in (fold, moved))
    step = np.abs(after - before)
    assert set(step) <= {0, 1}
    assert step.mean() == pytest.approx(level, abs=0.1)
    assert (moved.test.y == fold.test.y).all()


def test_the_noise_of_the_inputs_has_the_size_asked_for():
    X, y = data("number", rows=2000)
    X = np.column_stack([X, X[:, 0] > 0])
    whole = Problem(X, y, "number", (), 8, "quantile", 2, 0, encoding="plain")
    fold = whole.folds[0]
    moved = perturb.noisy_inputs(fold, 0.5) - fold.inputs(fold.test)
    assert moved[:, :2].std(0) == pytest.approx([0.5, 0.5], rel=0.1)
    assert (moved[:, 2] == 0).all()  # a switch is no quantity
    assert (perturb.noisy_inputs(fold, 0.0) == fold.inputs(fold.test)).all()


def test_the_distance_of_forecasts_is_that_of_their_means_where_one_is_shifted():
    fold = problem("number").folds[0]
    here = replace(fold, bins=Bins([0, 1, 2, 4]))
    there = replace(fold, bins=Bins([3, 4, 5, 7]))
    probs = np.random.default_rng(0).dirichlet(np.ones(3), 5)
    assert wasserstein_rows(here, probs, there, probs) == pytest.approx([3.0] * 5)


def test_the_distance_of_forecasts_counts_where_their_distributions_cross():
    fold = problem("number").folds[0]
    one = replace(fold, bins=Bins([0.0, 2.0]))
    two = replace(fold, bins=Bins([0.5, 1.5]))
    certain = np.ones((1, 1))
    # Quantiles 2u and 0.5 + u: the integral of |u - 1/2| is 1/4.
    assert wasserstein_rows(one, certain, two, certain) == pytest.approx([0.25])


@pytest.mark.parametrize("network", ["ensemble", "perceptron"])
@pytest.mark.parametrize("spread", [0.5, 1.0])
def test_known_noise_is_found_again(spread, network):
    X, y = data("number", rows=600, spread=spread)
    design = Design(network, Settings(max_iter=40, hidden_layer_sizes=(32,)))
    encoding = "plain" if network == "perceptron" else "table"
    whole = Problem(X, y, "number", (), 12, "quantile", 2, 0, encoding=encoding)
    fits = fit_loss(
        [(fold, 0) for fold in whole.folds],
        loss=parse("emd2"),
        design=design,
        stop_on="score",
    )
    told = estimate.noise_share(whole, fits, design)
    true = estimate.noise_share(whole, fits, design, given=spread)
    assert told.source == "neighbors"
    assert true.spread == spread
    assert told.spread == pytest.approx(spread, rel=0.2)
    assert told.share == pytest.approx(true.share, rel=0.2)


def test_no_noise_moves_no_row():
    whole = problem("classes")
    assert estimate.noise_share(whole, [], Design(), given=0.0).share == 0


def test_the_share_of_classes_is_that_of_a_simulation():
    X, y = data("classes", rows=4000)
    whole = Problem(X, y, "classes", tuple(map(float, range(5))), 0, "quantile", 2, 0)
    told = estimate.noise_share(whole, [], Design(), given=0.3).share
    rng = np.random.default_rng(1)
    latent = y + rng.uniform(-0.5, 0.5, len(y))
    again = np.clip(np.rint(latent + 0.3 * rng.normal(size=len(y))), 0, 4)
    assert told == pytest.approx((again != y).mean(), abs=0.02)


def curve(method, kind, scores, levels=(0.0, 0.1, 0.3)):
    return Noise(kind, method, levels, (0.0,) * 3, {"rps": scores}, (0.0,) * 3)


def test_the_first_level_at_which_another_loss_wins_is_named():
    noises = [
        curve("a", "neighbor", (0.30, 0.32, 0.40)),
        curve("b", "neighbor", (0.31, 0.32, 0.35)),
        curve("a", "counts", (0.33, 0.30, 0.31), (0.5, 1.0, 2.0)),
        curve("b", "counts", (0.32, 0.31, None), (0.5, 1.0, 2.0)),
    ]
    first, second = takeovers(noises, RPS, 0.01)
    assert first == (
        "By RPS, b takes the place of a with training labels moved to a neighbor "
        "(30 % of them): 0.35 against 0.4."
    )
    assert "b takes the place of a with another number of bins (50 % of it)" in second
    (none,) = takeovers(noises[:2], RPS, 0.2)
    assert "a stays best, or within 20%, with" in none


def test_noise_that_is_no_spread_is_refused():
    X, y = data("classes")
    with pytest.raises(ValueError, match="0 or more, got -1"):
        compare(X, y, target_noise=-1)


@pytest.mark.parametrize("level", [0.1, 0.3])
def test_labels_of_two_classes_move_as_often_as_asked_for(level):
    X, y = data("classes", rows=4000)
    whole = Problem(X, (y > 2).astype(int), "classes", (0.0, 1.0), 0, "quantile", 2, 0)
    fold = whole.folds[0]
    moved = perturb.moved_to_neighbor(fold, level)
    assert (moved.train.y != fold.train.y).mean() == pytest.approx(level, abs=0.03)


def test_the_rounding_to_classes_is_no_noise(monkeypatch):
    monkeypatch.setattr(estimate, "_variance", lambda fold, fit, design: 1 / 12 + 0.09)
    whole = problem("classes")
    fits = [Fit(0, 0, "points", np.zeros(1), 0.0)]
    assert estimate.noise_share(whole, fits, Design()).spread == pytest.approx(0.3)
