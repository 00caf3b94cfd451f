import inspect
from typing import Any

import numpy as np
import pytest
import scoringrules
from hypothesis import given
from hypothesis import strategies as st
from sklearn import metrics as sk
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import cross_val_score

from offby import Bins, metrics
from offby.metrics import rows
from tests import reference
from tests.cases import grid

CLASS_SCORES = (
    metrics.ranked_probability_score,
    metrics.log_score,
    metrics.brier_score,
)
GUESS_SCORES = (
    metrics.mean_absolute_error,
    metrics.average_mean_absolute_error,
    metrics.maximum_mean_absolute_error,
    metrics.quadratic_weighted_kappa,
    metrics.accuracy_within,
    metrics.far_error_rate,
)


@st.composite
def forecasts(draw, least_classes=2):
    """Classes, probabilities, guesses and weights."""
    n, k = draw(st.integers(1, 30)), draw(st.integers(least_classes, 9))
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    p = rng.dirichlet(np.ones(k), n)
    y, guess = rng.integers(0, k, (2, n))
    return y, p, guess, rng.integers(0, 4, n) + (np.arange(n) == 0)


@given(forecasts())
def test_agrees_with_scikit_learn(drawn):
    y, p, guess, w = drawn
    k = p.shape[-1]
    every: dict[str, Any] = {"labels": range(k), "sample_weight": w}
    whole: dict[str, Any] = {"scale_by_half": False}
    brier = sk.brier_score_loss(y, p, **every, **whole)
    np.testing.assert_allclose(metrics.brier_score(y, p, sample_weight=w), brier)
    np.testing.assert_allclose(
        metrics.log_score(y, p, sample_weight=w), sk.log_loss(y, p, **every)
    )
    np.testing.assert_allclose(
        metrics.mean_absolute_error(y, guess, sample_weight=w),
        sk.mean_absolute_error(y, guess, sample_weight=w),
    )


@given(forecasts())
def test_kappa_is_that_of_scikit_learn(drawn):
    y, p, guess, w = drawn
    if len(np.unique(np.concatenate([y[w > 0], guess[w > 0]]))) < 2:
        assert np.isnan(metrics.quadratic_weighted_kappa(y, guess, sample_weight=w))
        return
    expected = sk.cohen_kappa_score(
        y, guess, weights="quadratic", labels=range(p.shape[-1]), sample_weight=w
    )
    found = metrics.quadratic_weighted_kappa(y, guess, sample_weight=w)
    np.testing.assert_allclose(found, expected, atol=1e-12)


@given(forecasts())
def test_rps_is_that_of_scoringrules(drawn):
    y, p, _, _ = drawn
    expected = scoringrules.rps_score(y + 1, p)  # its classes begin with 1
    np.testing.assert_allclose(rows.ranked_probability_score(y, p), expected)


@given(forecasts())
def test_rps_is_the_squared_emd_of_the_maths(drawn):
    y, p, _, _ = drawn
    at = np.cumsum(np.arange(1, p.shape[-1] + 1) ** 1.5)
    expected = [
        reference.squared_emd_on_a_line(np.log(row), int(k), np.diff(at))
        for k, row in zip(y, p, strict=True)
    ]
    found = rows.ranked_probability_score(at[y], p, labels=at)
    np.testing.assert_allclose(found, expected, rtol=1e-9)


@pytest.mark.parametrize("inside", [True, False])
def test_crps_of_one_bin_is_that_of_a_uniform_distribution(inside):
    y = np.linspace(-1, 2, 7) if inside else np.array([-9.0, 30.0])
    expected = scoringrules.crps_uniform(y, -1.0, 2.0)
    # scoringrules gives no mass beyond the ends and so the distance from them.
    found = rows.histogram_crps(y, np.ones((len(y), 1)), Bins([-1, 2]))
    np.testing.assert_allclose(found, expected)


@pytest.mark.parametrize("y", [-4.0, 0.3, 2.0, 5.9, 11.0])
def test_crps_on_uneven_bins_is_that_of_its_quantiles(y):
    # D10: others multiply everything by the first width.
    bins, p = grid(6), np.array([0.1, 0.25, 0.05, 0.3, 0.2, 0.1])
    from offby import BinnedDistribution

    levels = (np.arange(20_000) + 0.5) / 20_000
    quantiles = BinnedDistribution(p, bins).ppf(levels)
    expected = scoringrules.crps_quantile(y, quantiles, levels)
    found = metrics.histogram_crps([y], [p], bins)
    np.testing.assert_allclose(found, expected, rtol=1e-4)


@given(forecasts())
def test_scores_of_intervals_are_those_of_scoringrules(drawn):
    y, _, guess, _ = drawn
    low, high = (
        np.minimum(guess, y[::-1]) - 0.5,
        np.maximum(guess, y[::-1]).astype(float),
    )
    expected = np.mean(scoringrules.interval_score(y, low, high, 0.2))
    np.testing.assert_allclose(
        metrics.interval_score(y, low, high, coverage=0.8), expected
    )


# Weights, labels, shapes: laws of every metric


@pytest.mark.parametrize("score", CLASS_SCORES + GUESS_SCORES, ids=lambda f: f.__name__)
@given(forecasts())
def test_a_weight_is_a_number_of_copies(score, drawn):
    y, p, guess, w = drawn
    given_ = p if score in CLASS_SCORES else guess
    again = np.repeat(np.arange(len(y)), w)
    np.testing.assert_allclose(
        score(y, given_, sample_weight=w), score(y[again], given_[again]), atol=1e-12
    )


@pytest.mark.parametrize("score", CLASS_SCORES + GUESS_SCORES, ids=lambda f: f.__name__)
@given(forecasts(least_classes=4))
def test_classes_that_never_occur_change_nothing(score, drawn):
    # D6, D9, D18: others work with the places of classes among those present.
    y, p, guess, _ = drawn
    k = p.shape[-1]
    y, guess = np.minimum(y, k - 3), np.minimum(guess, k - 3)
    names = [f"class {i}" for i in range(k)][::-1]  # not their alphabetical order
    if score in CLASS_SCORES:
        of_codes = score(y, p)
        of_names = score([names[i] for i in y], p, labels=names)
        shifted = score(y + 1, p, labels=range(1, k + 1))
    else:
        of_codes = score(y, guess)
        of_names = score([names[i] for i in y], [names[i] for i in guess], labels=names)
        shifted = score(y + 1, guess + 1, labels=range(1, k + 1))
    np.testing.assert_allclose([of_names, shifted], of_codes, rtol=1e-12, atol=1e-14)


def test_values_of_classes_count_not_their_places():
    # D6, with its numbers: dlordinal gives 1.0, 1.0 and 1.0.
    assert metrics.average_mean_absolute_error([0, 4], [4, 0]) == 4
    assert metrics.maximum_mean_absolute_error([0, 4], [4, 0]) == 4
    assert metrics.accuracy_within([0, 4], [4, 0]) == 0
    assert metrics.accuracy_within([0, 4, 4], [2, 4, 4]) == pytest.approx(2 / 3)
    assert metrics.far_error_rate([0, 4, 4], [2, 4, 4]) == pytest.approx(1 / 3)
    # D3: ordboost gives 0.25.
    even = [[0.5, 0.5]]
    assert metrics.ranked_probability_score([0], even, labels=[0, 100]) == 25


def test_kappa_knows_uneven_distances():
    y, guess, labels = [0, 1, 10, 10], [1, 0, 10, 10], [0, 1, 10]
    near = metrics.quadratic_weighted_kappa(y, guess, labels=labels)
    places = metrics.quadratic_weighted_kappa([0, 1, 2, 2], [1, 0, 2, 2])
    assert near > 0.97 > 0.8 > places


def test_normalized_rps_lies_between_0_and_1():
    wrong = [[0.0, 0.0, 0.0, 1.0]]
    for labels in (None, [0, 1, 5, 20]):
        y = [0]
        score = metrics.ranked_probability_score
        assert score(y, wrong, labels=labels, normalized=True) == 1
        assert score([20 if labels else 3], wrong, labels=labels) == 0
    assert metrics.ranked_probability_score([0], [[1.0]], normalized=True) == 0


def test_certainty_scores_best_and_worst():
    # D6: others cast probabilities to integers and score perfection 0.5.
    perfect = np.eye(3)
    for score in CLASS_SCORES:
        assert score([0, 1, 2], perfect) == 0
    assert metrics.brier_score([0], [[0.0, 1.0, 0.0]]) == 2
    assert metrics.log_score([0], [[0.0, 1.0, 0.0]]) == np.inf


def test_no_weight_no_say_not_even_for_infinity():
    p = [[0.5, 0.5], [0.0, 1.0]]
    score = metrics.log_score([0, 0], p, sample_weight=[1, 0])
    assert score == pytest.approx(np.log(2))


@given(forecasts(), st.sampled_from([np.float16, np.float32]))
def test_rounded_probabilities_are_welcome(drawn, dtype):
    # D27: skordinal refuses the rounding errors of float16.
    y, p, _, _ = drawn
    found = metrics.ranked_probability_score(y, p.astype(dtype))
    assert found == pytest.approx(metrics.ranked_probability_score(y, p), abs=2e-3)


@pytest.mark.parametrize("bad", [-1, 3, 4, 0.5])
def test_what_is_no_class_is_refused(bad):
    # D11: scoringrules scores categories that do not exist.
    p = [[0.7, 0.2, 0.1]]
    for score in CLASS_SCORES:
        with pytest.raises(ValueError, match=r"y_true must hold classes 0 to .*, got"):
            score([bad], p)
        with pytest.raises(ValueError, match="y_true must hold classes among labels"):
            score([bad], p, labels=[5, 6, 7])


@pytest.mark.parametrize(
    ("y", "p", "settings", "words"),
    [
        ([0], [[0.5, 0.6]], {}, "must sum to 1"),
        ([0], [[1.5, -0.5]], {}, "nonnegative"),
        ([0], [[np.nan, 1.0]], {}, "nonnegative"),
        ([0, 1], [[0.5, 0.5]], {}, "one row for each of 2 values"),
        ([0], [0.5, 0.5], {}, "one row for each"),
        ([], np.zeros((0, 2)), {}, "at least one value"),
        ([[0]], [[0.5, 0.5]], {}, "one axis"),
        (["low"], [[0.5, 0.5]], {}, "name the classes in their order"),
        ([0], [[0.5, 0.5]], {"labels": [0]}, "each of the 2 classes"),
        ([0], [[0.5, 0.5]], {"labels": [1, 0]}, "must increase"),
        (["a"], [[0.5, 0.5]], {"labels": ["a", "a"]}, "must not repeat a class"),
        ([0], [[0.5, 0.5]], {"sample_weight": [1, 1]}, "one number for each of 1"),
        ([0], [[0.5, 0.5]], {"sample_weight": [0]}, "not all zero"),
        ([0], [[0.5, 0.5]], {"sample_weight": [-1]}, "nonnegative"),
    ],
)
def test_probabilities_that_do_not_fit_are_refused(y, p, settings, words):
    for score in CLASS_SCORES:
        with pytest.raises(ValueError, match=words):
            score(y, p, **settings)


@pytest.mark.parametrize(
    ("y", "guess", "settings", "words"),
    [
        ([0, 1], [0], {}, "one value for each of y_true"),
        ([0], [np.nan], {}, "y_pred must be finite"),
        (["low"], ["high"], {}, "name the classes in their order"),
        ([0], [2], {"labels": [0, 1]}, "y_pred must hold classes among labels"),
        ([], [], {}, "at least one value"),
    ],
)
def test_guesses_that_do_not_fit_are_refused(y, guess, settings, words):
    for score in GUESS_SCORES:
        with pytest.raises(ValueError, match=words):
            score(y, guess, **settings)


def test_intervals_that_do_not_fit_are_refused():
    with pytest.raises(ValueError, match="must not lie above y_upper, but in row 1"):
        metrics.interval_width([0.0, 2.0], [1.0, 1.0])
    with pytest.raises(ValueError, match="one end for each row"):
        metrics.interval_coverage([0.0], [0.0, 2.0], [1.0, 3.0])
    with pytest.raises(ValueError, match="coverage must be at least 0 and less than 1"):
        metrics.interval_score([0.0], [0.0], [1.0], coverage=1)


@pytest.mark.parametrize("name", rows.__all__)
def test_rows_take_the_same_arguments(name):
    of_rows = inspect.signature(getattr(rows, name)).parameters
    of_mean = inspect.signature(getattr(metrics, name)).parameters
    assert of_mean["sample_weight"].default is None
    without = {k: v for k, v in of_mean.items() if k != "sample_weight"}
    assert list(of_rows.values()) == list(without.values())


@pytest.mark.parametrize(
    ("score", "answer"),
    [
        (metrics.ranked_probability_score, "predict_proba"),
        (metrics.quadratic_weighted_kappa, "predict"),
    ],
)
def test_scikit_learn_makes_scorers_of_them(score, answer):
    X = np.random.default_rng(0).normal(size=(90, 1))
    y = np.array([1, 2, 10])[np.digitize(X[:, 0], [-0.5, 0.5])]
    scorer = sk.make_scorer(score, response_method=answer, labels=[1, 2, 10])
    found = cross_val_score(LogisticRegression(), X, y, scoring=scorer, cv=3)
    if answer == "predict":
        assert found.min() > 0.9
    else:
        assert found.max() < 0.5  # The same forecast for all rows has about 1.9.


# Calibration


@pytest.fixture(scope="module")
def drawn_from_the_forecasts():
    rng = np.random.default_rng(0)
    p = rng.dirichlet(np.ones(4), 4000)
    y = (rng.random((4000, 1)) > p.cumsum(-1)[:, :-1]).sum(-1)
    return y, p


def test_pit_of_right_forecasts_is_uniform(drawn_from_the_forecasts):
    y, p = drawn_from_the_forecasts
    levels = np.linspace(0, 1, 11)
    # Three standard errors of a share of 4000 rows are 0.024; a class smooths it.
    np.testing.assert_allclose(metrics.pit_cdf(y, p, levels), levels, atol=0.024)
    bins = grid(4)
    low, width = bins.edges.numpy()[y], bins.widths.numpy()[y]
    numbers = low + width * np.random.default_rng(1).random(4000)
    found = metrics.histogram_pit_cdf(numbers, p, bins, levels)
    np.testing.assert_allclose(found, levels, atol=0.024)


def test_pit_of_too_narrow_forecasts_is_steep_at_the_ends(drawn_from_the_forecasts):
    y, p = drawn_from_the_forecasts
    narrow = p**4 / (p**4).sum(-1, keepdims=True)
    at = metrics.pit_cdf(y, narrow, [0.1, 0.9])
    assert at[0] > 0.15
    assert at[1] < 0.85


def test_pit_levels_are_probabilities():
    with pytest.raises(ValueError, match="levels must be probabilities"):
        metrics.pit_cdf([0], [[1.0]], [1.5])


@pytest.mark.parametrize("score", ["rps", "brier"])
@pytest.mark.parametrize("labels", [None, [0, 1, 4, 20]])
def test_corp_parts_add_up_to_the_score(drawn_from_the_forecasts, score, labels):
    y, p = drawn_from_the_forecasts
    w = np.random.default_rng(2).integers(0, 3, len(y))
    y = y if labels is None else np.array(labels)[y]
    found = metrics.corp_decomposition(
        y, p, score=score, labels=labels, sample_weight=w
    )
    mean = {"rps": metrics.ranked_probability_score, "brier": metrics.brier_score}
    expected = mean[score](y, p, labels=labels, sample_weight=w)
    assert found.score == pytest.approx(expected)
    assert found.miscalibration >= 0
    assert found.discrimination >= 0
    # The same forecast for all rows: its score is the uncertainty.
    share = np.bincount(np.unique(y, return_inverse=True)[1], weights=w) / w.sum()
    base = mean[score](y, np.tile(share, (len(y), 1)), labels=labels, sample_weight=w)
    assert found.uncertainty == pytest.approx(base)


def test_corp_tells_miscalibration_from_ignorance(drawn_from_the_forecasts):
    y, p = drawn_from_the_forecasts
    right = metrics.corp_decomposition(y, p)
    narrow = metrics.corp_decomposition(y, p**4 / (p**4).sum(-1, keepdims=True))
    blind = metrics.corp_decomposition(y, np.full_like(p, 0.25))
    assert right.miscalibration < 0.03 * right.uncertainty
    assert narrow.miscalibration > 3 * right.miscalibration
    # Sharpening keeps most of the order, and so of the discrimination.
    assert narrow.discrimination == pytest.approx(right.discrimination, rel=0.2)
    assert blind.discrimination == pytest.approx(0, abs=1e-12)
    assert right.uncertainty == narrow.uncertainty == blind.uncertainty


def test_corp_of_classes_that_never_occur():
    p = np.random.default_rng(3).dirichlet(np.ones(5), 20)
    y = np.random.default_rng(4).integers(1, 3, 20)
    found = metrics.corp_decomposition(y, p)
    assert found.score == pytest.approx(metrics.ranked_probability_score(y, p))


def test_corp_of_forecasts_that_differ_in_the_last_bit():
    # A network that is sure sums to 1 in one row and to the float below it in another.
    below = np.array([0.5, 0.6, np.nextafter(1, 0), 1.0])
    found = metrics.corp_decomposition([0, 1, 1, 0], np.stack([below, 1 - below], -1))
    # Recalibrated to (1/3, 1/3, 1/3, 1); all the same, to 1/2.
    assert found.miscalibration == pytest.approx((0.5**2 + 0.6**2 + 1) / 4 - 1 / 6)
    assert found.discrimination == pytest.approx(1 / 4 - 1 / 6)
    assert found.uncertainty == 1 / 4


@pytest.mark.parametrize("weigh", [False, True])
def test_corp_agrees_with_model_diagnostics(weigh):
    from model_diagnostics.scoring import SquaredError, decompose

    rng = np.random.default_rng(6)
    p = rng.dirichlet(np.ones(2), 300).round(2)
    y = rng.integers(0, 2, 300)
    w = rng.uniform(0.1, 3, 300) if weigh else np.ones(300)
    found = metrics.corp_decomposition(y, p, sample_weight=w)
    expected = decompose(1 - y, p[:, 0], w, scoring_function=SquaredError()).row(0)
    parts = found.miscalibration, found.discrimination, found.uncertainty
    assert parts == pytest.approx(expected[:3])


def test_corp_needs_a_score_it_knows():
    with pytest.raises(ValueError, match='score must be "rps" or "brier"'):
        metrics.corp_decomposition([0, 1], [[0.5, 0.5]] * 2, score="log")  # pyright: ignore[reportArgumentType]


def test_coverage_of_right_intervals_is_what_was_asked():
    from offby import BinnedDistribution

    rng = np.random.default_rng(5)
    bins, p = grid(6), rng.dirichlet(np.ones(6), 4000)
    y = BinnedDistribution(p, bins).ppf(rng.random(4000))
    low, high = BinnedDistribution(p, bins).interval(0.8)
    assert metrics.interval_coverage(y, low, high) == pytest.approx(0.8, abs=0.02)
    assert metrics.interval_width(low, high) == pytest.approx(np.mean(high - low))
    wide = metrics.interval_score(y, low - 1, high + 1, coverage=0.8)
    assert metrics.interval_score(y, low, high, coverage=0.8) < wide


def test_the_median_class_of_equal_masses_is_the_lower_middle_one():
    """Twenty masses of 0.05 sum to a little less than a half at the tenth."""
    for n in range(2, 60, 2):
        assert metrics.median_class([[1 / n] * n]) == [n // 2 - 1]
    assert metrics.median_class([[0.05] * 20]) == [9]


ON_NUMBERS = Bins([0, 1, 2, 4])
GIVEN: dict[str, Any] = {
    "y_true": [0, 2, 1, 2, 0, 1],
    "y_pred": [1, 2, 0, 2, 0, 2],
    "y_proba": [[0.25, 0.5, 0.25], [0.5, 0.25, 0.25]] * 3,
    "y_lower": [0, 1, 0, 0.5, 0.25, 0],
    "y_upper": [1, 2, 2, 1.5, 1.25, 3],
    "sample_weight": [1, 3, 1, 0.5, 2, 1],
    "bins": ON_NUMBERS,
    "levels": [0.25, 0.5],
    "coverage": 0.5,
}
ALL_SCORES = [
    *(getattr(metrics, name) for name in metrics.__all__ if name[0].islower()),
    *(getattr(rows, name) for name in rows.__all__),
]
ALL_SCORES = [score for score in ALL_SCORES if inspect.isfunction(score)]
every_score = pytest.mark.parametrize(
    "score", ALL_SCORES, ids=lambda f: f"{f.__module__.split('.')[-1]}.{f.__name__}"
)


def asked(score) -> dict[str, Any]:
    """What a metric takes, by the names of its arguments."""
    return {
        name: GIVEN[name] for name in inspect.signature(score).parameters.keys() & GIVEN
    }


def numbers_in(found) -> list[Any]:
    return [found] if not hasattr(found, "score") else list(vars(found).values())


@every_score
@pytest.mark.parametrize("dtype", ["bfloat16", "float16", "float32", "float64"])
def test_tensors_of_any_precision_are_scored(score, dtype):
    """Numbers that every precision has exactly, with gradients on top."""
    torch = pytest.importorskip("torch")
    given = asked(score)
    tensors = {
        name: torch.tensor(each, dtype=getattr(torch, dtype), requires_grad=True)
        if isinstance(each, list)
        else each
        for name, each in given.items()
    }
    for found, expected in zip(
        numbers_in(score(**tensors)), numbers_in(score(**given)), strict=True
    ):
        np.testing.assert_array_equal(found, expected)


@every_score
def test_sequences_are_scored_or_refused_with_the_way_to_score_them(score):
    """(batch, time, classes) and (batch, time)."""
    given = asked(score)
    sequences = {
        name: np.array(each).reshape(2, 3, *np.shape(each)[1:])
        if isinstance(each, list) and name != "levels"
        else each
        for name, each in given.items()
    }
    if score is metrics.median_class:
        found = metrics.median_class(**sequences)
        assert found.reshape(-1).tolist() == metrics.median_class(**given).tolist()
    else:
        with pytest.raises(ValueError, match=r"reshape\(-1"):
            score(**sequences)


def test_sequences_are_refused_with_the_way_to_score_them():
    p, y = np.full((2, 5, 3), 1 / 3), np.zeros((2, 5), dtype=int)
    with pytest.raises(ValueError, match=r"y.reshape\(-1\)"):
        metrics.log_score(y, p)
    with pytest.raises(ValueError, match=r"y_proba.reshape\(-1, n_classes\)"):
        metrics.log_score(y[:, 0], p)
    one_by_one = metrics.log_score(y.reshape(-1), p.reshape(-1, 3))
    assert one_by_one == pytest.approx(np.log(3))
