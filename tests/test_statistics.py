from dataclasses import replace
from types import SimpleNamespace
from typing import Any, Literal

import numpy as np
import pytest
from scipy import stats
from sklearn.dummy import DummyClassifier
from sklearn.linear_model import LinearRegression, LogisticRegression

from offby.comparison import compare, judge
from offby.comparison.config import CompareConfig
from offby.comparison.contenders import without_boosting
from offby.comparison.differences import Plan, going_on, paired
from offby.comparison.futility import FUTILE, chance_to_settle
from offby.comparison.inference import (
    LEVEL,
    PRIOR_RATIO,
    PRIOR_RATIO_OF_GUESSES,
    FoldScores,
    Interval,
    Moments,
    bounded,
    critical,
    foreseen,
    interval,
    moments,
    rows_that_settle,
    seed_variance,
    seeds_that_settle,
    verdict,
)
from offby.comparison.looks import level_of_looks
from offby.comparison.networks import Settings
from offby.comparison.scoring import _kappa_rows, _root_rows
from offby.comparison.splits import cuts
from offby.comparison.verdicts import answers
from offby.metrics import quadratic_weighted_kappa
from offby.results import Method, Metric, Score, said

SHORT = Settings(max_iter=4, hidden_layer_sizes=(8,))
METRIC = Metric("rps", "RPS", True, "classes", "the whole distribution")


ANSWERS = [
    (0.035, 0.015, "worse"),
    (-0.035, 0.015, "better"),
    (0.0, 0.009, "practically equal"),
    (0.005, 0.004, "practically equal"),
    (0.002, 0.05, "not settled"),
    (0.012, 0.0125, "not settled"),
]


@pytest.mark.parametrize(("mean", "half", "says"), ANSWERS)
def test_the_interval_alone_gives_one_of_three_answers(mean, half, says):
    for scale in (1.0, 7.0):
        found = Interval(scale * mean, 0.0, scale * half)
        assert verdict(found, scale, rope=0.01) == says


def apart(n_folds=4, seeds=3, rows=50, *, seed=0, mean=0.0, by_seed=0.0, by_fold=0.0):
    """Differences of two methods with known sources of variance."""
    rng = np.random.default_rng(seed)
    return [
        FoldScores(
            mean
            + by_fold * rng.normal()
            + by_seed * rng.normal(size=(seeds, 1))
            + rng.normal(size=(1, rows))
            + rng.normal(size=(seeds, rows))
        )
        for _ in range(n_folds)
    ]


def test_the_variances_of_rows_seeds_and_folds_are_told_apart():
    found = [moments(apart(seed=seed, by_seed=0.3)) for seed in range(400)]
    means = {
        name: np.mean([getattr(each, name) for each in found])
        for name in ("one", "rows", "shared", "seeds_apart", "folds_apart")
    }
    assert means["one"] == pytest.approx(2 / 50, rel=0.03)
    assert means["rows"] == pytest.approx((1 + 1 / 3) / 50, rel=0.03)
    assert means["shared"] == pytest.approx(1 / 50, rel=0.05)
    assert means["seeds_apart"] == pytest.approx(0.3**2 + 1 / 50, rel=0.1)
    whole = 1 / 50 + (0.3**2 + 1 / 50) / 3
    assert means["folds_apart"] == pytest.approx(whole, rel=0.1)


@pytest.mark.parametrize("seeds", [1, 3])
def test_an_interval_of_two_methods_covers_the_truth_as_often_as_it_says(seeds):
    noise = {"seeds": seeds, "by_seed": 0.2, "rows": 50}
    inside = 0
    for seed in range(600):
        found = interval(moments(apart(seed=seed, mean=1.0, **noise)), 2)
        inside += found.low <= 1.0 <= found.high
    # As much from seeds as from rows: what the prior takes for granted.
    assert 0.94 <= inside / 600 <= 0.995


def test_guesses_that_change_in_few_rows_leave_less_to_the_seed():
    rng = np.random.default_rng(0)
    whole = [rng.normal(size=(1, 300)) for _ in range(3)]
    few = [np.where(rng.random((1, 300)) < 0.1, each, 0.0) for each in whole]
    ratios = []
    for values in (whole, few):
        found = moments([FoldScores(each) for each in values])
        # Nothing but the rows is known of one fold.
        alone = replace(found, folds=1, folds_apart=0.0)
        ratios.append(interval(alone, 2).error ** 2 / found.one)
    assert ratios == pytest.approx([PRIOR_RATIO, PRIOR_RATIO_OF_GUESSES])
    assert PRIOR_RATIO_OF_GUESSES < PRIOR_RATIO


def test_more_methods_and_more_looks_widen_the_interval():
    found = moments(apart())
    halves = [interval(found, n).half for n in (2, 3, 5, 9)]
    assert halves == sorted(halves)
    assert interval(found, 5, looks=3).half > interval(found, 5).half


@pytest.mark.parametrize("looks", [2, 3, 5])
def test_all_looks_together_err_as_often_as_one_may(looks):
    rng = np.random.default_rng(0)
    sums = rng.normal(size=(100_000, looks)).cumsum(1) / np.sqrt(1 + np.arange(looks))
    bound = stats.norm.isf(level_of_looks(0.05, looks) / 2)
    assert (np.abs(sums) > bound).any(1).mean() == pytest.approx(0.05, abs=0.002)


def heavy(*, sign=1.0, mean=0.3, rows=400):
    """Differences that are clear in most rows, and huge in a few of one fold."""
    rng = np.random.default_rng(3)
    folds = [rng.normal(mean, 0.5, (1, rows)) for _ in range(3)]
    folds[1][0, :8] += 60
    return [FoldScores(sign * each) for each in folds]


@pytest.mark.parametrize(("sign", "says"), [(1.0, "worse"), (-1.0, "better")])
def test_a_few_huge_differences_leave_no_doubt_about_the_sign(sign, says):
    folds = heavy(sign=sign)
    plain = interval(moments(folds), 5)
    assert verdict(plain, 1.0, 0.01) == "not settled"
    found = bounded(plain, folds, 5, 1)
    assert verdict(found, 1.0, 0.01) == says
    # What is said of the size does not change: the mean, and the far end.
    ends = [(plain.low, found.low), (plain.high, found.high)]
    (before, after), (near, bound) = ends[:: int(sign)]
    assert found.mean == plain.mean
    assert (bound, after > before if sign > 0 else after < before) == (near, True)


def test_differences_without_tails_stay_as_they_are():
    folds = apart()
    plain = interval(moments(folds), 5)
    assert bounded(plain, folds, 5, 1) is plain


def test_two_methods_need_no_correction_and_five_that_of_tukey():
    assert critical(0.05, 2, 12) == pytest.approx(stats.t.ppf(0.975, 12))
    from_tables = 4.23  # q(0.05; 5 means, 20 degrees of freedom)
    assert critical(0.05, 5, 20) * np.sqrt(2) == pytest.approx(from_tables, abs=0.005)


def test_rows_of_a_group_count_as_dependent():
    values = np.random.default_rng(0).normal(size=(1, 40))
    copied = np.repeat(values, 5, axis=1)
    groups = np.repeat(np.arange(40), 5)
    alone = moments([FoldScores(values)])
    grouped = moments([FoldScores(copied, groups=groups)])
    assert grouped.rows == pytest.approx(alone.rows)
    assert moments([FoldScores(copied)]).rows < alone.rows / 4


def test_a_fold_of_one_row_settles_nothing():
    found = moments([FoldScores(np.ones((2, 1))), FoldScores(np.ones((2, 9)))])
    assert interval(found, 3).half == np.inf


@pytest.mark.parametrize("by_seed", [0.5, 0.8])
def test_the_seeds_named_are_the_fewest_that_would_do(by_seed):
    found = moments(apart(rows=2000, by_seed=by_seed, mean=0.2))
    rules = (found, 2, 10.0, 0.001)
    assert verdict(interval(found, 2), 10.0, 0.001) == "not settled"
    needed = seeds_that_settle(*rules)
    assert needed is not None
    assert needed > 3
    for seeds in range(4, needed + 1):
        then = foreseen(found, 2, level_of_looks(LEVEL, seeds), seeds)
        assert (verdict(then, 10.0, 0.001) != "not settled") == (seeds == needed)
    assert seeds_that_settle(*rules, most=needed - 1) is None


def test_rows_that_settle_shrink_the_interval_to_the_mean_or_into_the_rope():
    assert rows_that_settle(Interval(0.2, 0.0, 0.4), 1000, 1.0, 0.01) == 4000
    assert rows_that_settle(Interval(0.0, 0.0, 0.02), 1000, 1.0, 0.01) == 4000
    assert rows_that_settle(Interval(0.0, 0.0, 0.02), 1000, 1.0, 0.0) is None
    assert rows_that_settle(Interval(1e-9, 0.0, 1.0), 1000, 1.0, 0.0) is None


# Answers from the scores of rows


LOSSES = ("a", "b", "c")


def made(means, noise=1e-3, seeds=3, folds=3, rows=40, metric=METRIC):
    """A score of each row for each method, fold and seed, and their means."""
    rng = np.random.default_rng(2)
    scored = {
        (name, fold, seed): {metric.key: mean + noise * rng.normal(size=rows)}
        for name, mean in means.items()
        for fold in range(folds)
        for seed in range(seeds)
    }
    return scored


def _finite_mean(rows):
    finite = rows[np.isfinite(rows)]
    return float(finite.mean()) if len(finite) else None


def compared(scored, metric=METRIC, rope=0.01, looks=1):
    places = sorted({fold for _, fold, _ in scored})
    n_rows = len(next(iter(scored.values()))[metric.key])
    side = SimpleNamespace(weight=None, groups=None, y=np.zeros(n_rows))
    folds: Any = [SimpleNamespace(number=f, test=side) for f in places]
    scores = [
        Score(
            name,
            fold,
            seed,
            metric.key,
            _finite_mean(rows[metric.key]),
            int((~np.isfinite(rows[metric.key])).sum()),
        )
        for (name, fold, seed), rows in scored.items()
    ]
    names = list(dict.fromkeys(name for name, *_ in scored))
    methods = [Method(name, name, name == "trees") for name in names]
    losses = [name for name in names if name != "trees"]
    of_losses = {key: rows for key, rows in scored.items() if key[0] in losses}
    pairs = paired(
        [metric], losses, losses, scores, of_losses, folds, Plan(rope, looks)
    )
    found = [pair.record(rope) for pair in pairs]
    (answer,) = answers([metric], found, methods, scores)
    return found, answer, pairs


def test_losses_are_compared_with_the_leader_only():
    found, answer, _ = compared(made({"a": 0.5, "b": 0.3, "c": 0.4}))
    assert [(d.method, d.other, d.verdict) for d in found] == [
        ("c", "b", "worse"),
        ("a", "b", "worse"),
    ]
    assert answer.best == "b"
    assert "b scores best of 3 losses." in answer.sentence
    assert "a is worse by 67 % (67 to 67 %)." in answer.sentence


def test_equal_losses_are_called_practically_equal():
    found, answer, _ = compared(made({"a": 0.5, "b": 0.5001}))
    assert found[0].verdict == "practically equal"
    assert answer.ties == (found[0].method,)
    assert "b is practically equal to it." in answer.sentence


def test_what_is_not_settled_says_its_range_and_what_would_settle_it():
    found, answer, _ = compared(made({"a": 0.5, "b": 0.5}, noise=0.1))
    (d,) = found
    assert d.verdict == "not settled"
    low, high = 100 * d.worse_by_low, 100 * d.worse_by_high
    assert low < 0 < high
    assert f"between {-low:.1f} % better and {high:.1f} % worse." in answer.sentence
    assert answer.unsure == (d.method,)
    needed = d.seeds_needed
    text = "seeds would settle" if needed else f"about {d.rows_needed:,} rows would"
    assert text in answer.sentence


def test_a_better_score_is_a_higher_one_where_the_metric_says_so():
    metric = replace(METRIC, lower_is_better=False)
    found, answer, _ = compared(made({"a": 0.5, "b": 0.3}), metric)
    assert answer.best == "a"
    assert (found[0].verdict, found[0].mean < 0) == ("worse", True)
    assert found[0].worse_by == pytest.approx(0.4, abs=0.01)


def test_a_difference_of_scores_near_zero_is_not_said_in_percent():
    metric = replace(METRIC, lower_is_better=False)
    _, answer, _ = compared(made({"a": 0.001, "b": -0.4}), metric)
    assert "b is worse by 0.401 (0.4" in answer.sentence


@pytest.mark.parametrize("unit_of_the_target", [0.0, 6.9, -1.3])
def test_the_unit_of_the_target_changes_no_answer_by_the_log_score(unit_of_the_target):
    # A price in cents has a log score larger by log 100, whatever the forecast.
    metric = replace(METRIC, key="log_score", unit="nats")
    means = {"a": 1.2, "b": 1.205, "c": 1.32}
    moved = {name: mean + unit_of_the_target for name, mean in means.items()}
    found, answer, _ = compared(made(moved, metric=metric), metric)
    assert [(d.method, d.verdict) for d in found] == [
        ("b", "practically equal"),
        ("c", "worse"),
    ]
    assert found[1].worse_by == pytest.approx(0.12, abs=0.001)
    assert "c is worse by 0.120 nats (0.1" in answer.sentence
    assert "nats (0.1" in said.answer(found[1])
    assert said.interval(found[1]).endswith(" nats")
    assert "%" not in answer.sentence


def test_an_infinite_score_is_worse_whatever_the_mean_of_the_rest():
    scored = made({"a": 0.5, "b": 0.4})
    scored["b", 1, 2]["rps"][:7] = np.inf
    found, answer, _ = compared(scored)
    assert answer.best == "a"
    assert (found[0].verdict, found[0].infinite_rows) == ("worse", 7)
    assert "b is worse: its score is infinite in 7 rows." in answer.sentence
    assert said.answer(found[0]) == "worse: infinite in 7 rows"


def test_a_loss_without_any_finite_score_is_worse():
    scored = made({"a": 0.5, "b": 0.4})
    for (name, *_), rows in scored.items():
        if name == "b":
            rows["rps"][:] = np.inf
    (found,), _, _ = compared(scored)
    assert (found.verdict, found.infinite_rows) == ("worse", 360)


def test_no_loss_is_best_where_all_scores_are_infinite():
    scored = made({"a": 0.5, "b": 0.4})
    for rows in scored.values():
        rows["rps"][:2] = np.inf
    found, answer, _ = compared(scored)
    assert not found
    assert answer.best == ""
    assert "no loss can be called best" in answer.sentence
    assert "infinite score in at least 18 rows" in answer.sentence


def test_a_reference_that_beats_all_is_named_and_never_best():
    scored = made({"a": 0.5, "b": 0.4, "trees": 0.2}, noise=1e-6)
    _, answer, _ = compared(scored)
    assert answer.best == "b"
    assert "trees scores better than all losses: 0.2 against 0.4." in answer.sentence
    scored["trees", 0, 0]["rps"][0] = np.inf
    _, answer, _ = compared(scored)
    assert "trees" not in answer.sentence


def test_a_loss_with_fewer_seeds_is_compared_on_those_and_never_leads():
    scored = made({"a": 0.5, "b": 0.3, "c": 0.5002})
    scored = {key: rows for key, rows in scored.items() if key[0] != "b" or not key[2]}
    found, answer, _ = compared(scored)
    assert answer.best == "a"
    by_method = {d.method: d for d in found}
    assert by_method["b"].verdict == "better"
    assert by_method["b"].pairs == 3
    assert by_method["c"].pairs == 9


def test_a_run_goes_on_with_what_is_not_settled_only():
    noisy = made({"a": 0.5, "b": 0.9}, seeds=1, rows=400)
    rng = np.random.default_rng(3)
    for fold in range(3):
        # As far from the leader as a second seed would settle, but not the first.
        shift = 0.012 * rng.normal(size=400) + 0.0013
        noisy["c", fold, 0] = {"rps": noisy["a", fold, 0]["rps"] + shift}
    plan = Plan(0.0, 20)
    found, _, pairs = compared(noisy, rope=0.0, looks=20)
    says = {d.method: d.verdict for d in found}
    assert says == {"b": "worse", "c": "not settled"}
    assert going_on(pairs, LOSSES, plan) == ("a", "c")
    # Where too little is to be expected of the planned seeds, nothing goes on.
    for fold in range(3):
        shift = 0.012 * rng.normal(size=400) + 0.0003
        noisy["c", fold, 0] = {"rps": noisy["a", fold, 0]["rps"] + shift}
    _, _, pairs = compared(noisy, rope=0.0, looks=20)
    short = Plan(0.0, 2)
    assert 0 < max(pair.chance(short) for pair in pairs) <= FUTILE
    assert going_on(pairs, LOSSES, short) == ()
    _, _, pairs = compared(made({"a": 0.5, "b": 0.9}, seeds=1))
    assert going_on(pairs, ("a", "b"), plan) == ()


@pytest.mark.parametrize("mean", [0.0, 0.4, 1.0])
@pytest.mark.parametrize("rope", [0.0, 0.9])
def test_the_chance_of_a_verdict_is_its_share_among_runs_that_go_on(mean, rope):
    folds, seeds, between = 3, 2, 0.9
    found = Moments(mean, 0.02, 0.02, 0.01, between, 0.0, folds, 1, 900)
    # With one seed, the variance between seeds is what is expected of it.
    expected = seed_variance(found)
    half = foreseen(found, 4, level_of_looks(LEVEL, seeds), seeds).half
    rng = np.random.default_rng(0)
    # A flat prior: the true mean is around the one that was seen.
    error = np.sqrt(expected / folds)
    true = mean + error * rng.normal(size=200_000)
    then = (mean + true + error * rng.normal(size=len(true))) / 2
    settled = (abs(then) > half) | (abs(then) + half <= rope)
    chance = chance_to_settle(found, 4, 1.0, rope, seeds)
    assert chance == pytest.approx(settled.mean(), abs=0.005)
    if mean == 1.0:
        assert chance > 0.05


@pytest.mark.parametrize("weighted", [False, True])
def test_rows_of_kappa_and_root_mean_to_the_score_and_vary_as_it_does(weighted):
    rng = np.random.default_rng(0)
    y = rng.integers(0, 5, 300)
    guess = np.clip(y + rng.integers(-1, 2, 300), 0, 4)
    weight = rng.integers(1, 4, 300).astype(float) if weighted else None
    weights = np.ones(300) if weight is None else weight
    test = SimpleNamespace(y=y, weight=weight, row_weights=lambda: weights)
    fold: Any = SimpleNamespace(test=test)

    def kappa(w):
        return quadratic_weighted_kappa(y, guess, sample_weight=w)

    def root(w):
        return np.sqrt(np.average(np.square(guess - y), weights=w))

    squares = np.square(guess - y).astype(float)
    for score, rows in (
        (kappa, _kappa_rows(fold, guess)),
        (root, _root_rows(squares, weight)),
    ):
        whole = score(weights)
        assert np.average(rows, weights=weights) == pytest.approx(whole)
        for place in (0, 7, 100):
            # What a row adds is the slope of the score as the row counts for more.
            more = weights.copy()
            more[place] += 1e-5 * weights.sum()
            slope = (score(more) - whole) / 1e-5
            assert rows[place] - whole == pytest.approx(slope, abs=1e-3)


# Any table of scores


def table(rows=400, seeds=None):
    rng = np.random.default_rng(0)
    shape = rows if seeds is None else (rows, seeds)
    easy = rng.gamma(2.0, size=rows) if seeds is None else rng.gamma(2.0, size=shape)
    return {
        "one": easy,
        "same": easy + 0.01 * rng.normal(size=shape),
        "bad": 1.2 * easy + 0.1 * rng.normal(size=shape),
    }


def test_judge_gives_the_three_answers_and_prints_a_table():
    found = judge(table(), folds=np.arange(400) % 4)
    answer = {d.method: d.verdict for d in found.differences}
    assert set(answer.values()) == {"practically equal", "worse"}
    assert answer["bad"] == "worse"
    lines = str(found).splitlines()
    assert lines[0].startswith("method")
    assert lines[1].endswith("best")
    assert "bad" in lines[3]
    assert "worse by 2" in lines[3]


def test_judge_reads_frames_seeds_and_scores_of_which_more_is_better():
    pandas = pytest.importorskip("pandas")
    polars = pytest.importorskip("polars")
    folds = np.arange(400) % 4
    plain = judge(table(), folds=folds)
    assert judge(pandas.DataFrame(table()), folds=folds) == plain
    assert judge(polars.DataFrame(table()), folds=folds) == plain
    turned = {name: -values for name, values in table().items()}
    other = judge(turned, folds=folds, lower_is_better=False)
    assert [d.verdict for d in other.differences] == [
        d.verdict for d in plain.differences
    ]
    assert [d.worse_by for d in other.differences] == pytest.approx(
        [d.worse_by for d in plain.differences]
    )
    assert judge(table(seeds=3)).differences[-1].pairs == 3


@pytest.mark.parametrize("per", ["row", "fold"])
def test_judge_measures_scores_without_a_zero_in_their_own_unit(per):
    rng = np.random.default_rng(3)
    good = rng.normal(size=300)
    scores = {
        "good": good,
        "same": good + 0.001 * rng.normal(size=300),
        "bad": good + 0.25 + 0.01 * rng.normal(size=300),
    }
    moved = {name: values - good.mean() + 1e-9 for name, values in scores.items()}
    here, there = (judge(each, per=per, relative=False) for each in (scores, moved))
    assert [d.verdict for d in here.differences] == ["practically equal", "worse"]
    assert [d.verdict for d in there.differences] == ["practically equal", "worse"]
    (_, here_bad), (_, there_bad) = here.differences, there.differences
    assert here_bad.worse_by == pytest.approx(there_bad.worse_by)
    assert "worse by 0.25 (0.2" in str(here)
    assert "%" not in str(here)
    # A difference of 0.25 is nothing to who allows for 1, which no share could be.
    wide = judge(scores, per=per, relative=False, rope=1.0)
    assert [d.verdict for d in wide.differences] == ["practically equal"] * 2


def test_judge_of_folds_is_the_corrected_t_test():
    scores = {"a": [0.1, 0.2, 0.3, 0.2], "b": [0.0, 0.0, 0.0, 0.0]}
    (found,) = judge(scores, per="fold").differences
    values = np.array(scores["a"])
    half = stats.t.ppf(0.975, 3) * np.sqrt(values.var(ddof=1) * (1 / 4 + 1 / 3))
    assert found.high - found.mean == pytest.approx(half)
    assert found.verdict == ("worse" if values.mean() > half else "not settled")


@pytest.mark.parametrize(
    ("scores", "rules", "says"),
    [
        ({"a": np.ones(9)}, {}, "two methods or more, got 1"),
        ({"a": np.ones(9), "b": np.ones(8)}, {}, r"got shape \(9, 1\) for a"),
        ({"a": np.ones(9), "b": np.full(9, np.inf)}, {}, "got 9 that are not for b"),
        ({"a": np.ones(9), "b": np.ones(9)}, {"folds": [1, 2]}, "each of 9 rows"),
        ({"a": np.ones(9), "b": np.ones(9)}, {"folds": range(9)}, "a single row"),
        ({"a": np.ones(9), "b": np.ones(9)}, {"per": "cell"}, '"row" or "fold"'),
        ({"a": np.ones(9), "b": np.ones(9)}, {"rope": 2}, "from 0 to below 1"),
        (
            {"a": np.ones(9), "b": np.ones(9)},
            {"rope": -1, "relative": False},
            "finite number of 0 or more",
        ),
        ({"a": np.ones(9), "b": np.ones(9)}, {"weights": np.zeros(9)}, "above 0"),
        (
            {"a": np.ones(9), "b": np.ones(9)},
            {"per": "fold", "groups": np.ones(9)},
            "groups must be left out",
        ),
    ],
)
def test_judge_refuses_with_a_sentence(scores, rules, says):
    with pytest.raises(ValueError, match=says):
        judge(scores, **rules)


# How rows are cut


@pytest.mark.parametrize("kind", ["classes", "number"])
def test_no_group_is_on_both_sides_of_a_cut(kind):
    rng = np.random.default_rng(0)
    groups = rng.integers(17, size=200)
    y = rng.integers(3, size=200)
    held_out = []
    for learned, tested in cuts(y, kind, n_folds=4, seed=0, groups=groups):
        assert not set(groups[learned]) & set(groups[tested])
        held_out.extend(tested)
    assert sorted(held_out) == list(range(200))


def test_time_cuts_learn_from_earlier_rows_only():
    rng = np.random.default_rng(0)
    time = rng.integers(40, size=200)
    made = cuts(rng.integers(3, size=200), "classes", n_folds=4, seed=0, time=time)
    held_out = np.concatenate([tested for _, tested in made])
    for learned, tested in made:
        assert time[learned].max() < time[tested].min()
        assert set(learned) == set(np.flatnonzero(time < time[tested].min()))
    assert len(set(held_out)) == len(held_out)
    assert min(len(tested) for _, tested in made) > 20
    assert set(made[0][0]) | set(held_out) == set(range(200))


def test_time_with_groups_tests_later_rows_of_all_groups_or_of_unseen_ones():
    rng = np.random.default_rng(0)
    y, time, groups = (rng.integers(n, size=400) for n in (3, 40, 12))
    rules = {"n_folds": 3, "seed": 0, "time": time, "groups": groups}
    for train, test in cuts(y, "classes", **rules):
        assert time[train].max() < time[test].min()
        assert set(groups[test]) == set(range(12))
    made = cuts(y, "classes", **rules, unseen_groups=True)
    for train, test in made:
        assert time[train].max() < time[test].min()
        assert not set(groups[train]) & set(groups[test])
    tested = np.concatenate([test for _, test in made])
    assert len(set(tested)) == len(tested)


@pytest.mark.parametrize(
    ("rules", "says"),
    [
        ({"groups": np.arange(60) % 3}, "at least 5 groups, got 3"),
        ({"time": np.arange(60) // 20}, "got 3 different times"),
        (
            {"groups": np.zeros(60), "time": np.arange(60), "unseen_groups": True},
            "at least 5 groups, got 1",
        ),
    ],
)
def test_groups_and_times_that_cannot_be_cut_are_refused(rules, says):
    with pytest.raises(ValueError, match=says):
        cuts(np.arange(60) % 2, "classes", n_folds=5, seed=0, **rules)


# What compare accepts


def data(kind="classes"):
    rng = np.random.default_rng(0)
    X = rng.normal(size=(90, 3))
    number = X[:, 0] + 0.3 * rng.normal(size=90)
    if kind == "number":
        return X, number
    return X, (number > -0.5).astype(int) + (number > 0.5)


def run(kind: Literal["classes", "number"] = "classes", **rules):
    X, y = data(kind)
    # The trees have tests of their own.
    rules = {"models": ["network"], "losses": ["ce", "emd2"], "folds": 3, "seeds": 1,
             "bins": 6} | rules  # fmt: skip
    return compare(X, y, kind=kind, settings=SHORT, **rules)


@pytest.mark.parametrize("here", [True, False])
@pytest.mark.parametrize("models", ["auto", ["network"]])
def test_it_is_said_that_trees_were_left_out_where_lightgbm_is_missing(
    here, models, monkeypatch
):
    monkeypatch.setattr("offby.comparison.contenders.boosting_is_here", lambda: here)
    asked = CompareConfig(models=models)
    left_out = not here and models == "auto"
    assert bool(without_boosting(asked)) == left_out
    # Nothing is missed where nobody asked for references.
    assert not without_boosting(replace(asked, references=False))
    if left_out:
        found = run(models=models, losses=["ce"], folds=2)
        assert not [method for method in found.methods if method.model == "boosting"]
        assert any("LightGBM is missing" in note for note in found.data.notes)


@pytest.mark.parametrize(
    ("rules", "error", "says"),
    [
        ({"metric": "crps"}, ValueError, "one of rps, log_score, mae"),
        ({"weights": np.zeros(90)}, ValueError, "positive in some row, got 0 to 0"),
        ({"weights": np.ones(3)}, ValueError, r"each of 90 rows, got shape \(3,\)"),
        ({"groups": [None, *range(89)]}, ValueError, "no gaps, got 1 rows"),
        ({"time": [np.nan, *range(89)]}, ValueError, "no gaps, got 1 rows"),
        ({"losses": []}, ValueError, "needs a loss"),
        ({"losses": ["ce", "ce"]}, ValueError, "named once, got ce 2 times"),
        ({"extra": {"ce": DummyClassifier()}}, ValueError, "a name of its own"),
        ({"extra": {"mine": 3}}, TypeError, "must have fit and predict, got 'mine'"),
        ({"predictions": "rows.txt"}, ValueError, "a file of csv or parquet"),
    ],
)
def test_misuse_is_refused_with_a_sentence(rules, error, says):
    with pytest.raises(error, match=says):
        run(**rules)


def test_an_estimator_that_takes_no_weights_is_refused_beside_weights():
    from sklearn.neighbors import KNeighborsClassifier

    with pytest.raises(ValueError, match="must take sample_weight"):
        run(weights=np.arange(1, 91), extra={"near": KNeighborsClassifier()})


def test_an_estimator_that_fails_is_named(tmp_path):
    class Broken(LogisticRegression):
        def fit(self, X, y, sample_weight=None):
            raise ZeroDivisionError("by hand")

    with pytest.raises(RuntimeError, match=r"'mine' must fit .*ZeroDivisionError"):
        run(extra={"mine": Broken()})
    with pytest.raises(ValueError, match="can be pickled, got 'mine'"):
        run(extra={"mine": Broken()}, run_dir=tmp_path)


def test_ones_own_classifier_is_judged_as_it_judges_itself():
    X, y = data()
    found = run(extra={"mine": LogisticRegression()})
    expected = [
        LogisticRegression().fit(X[learned], y[learned]).score(X[tested], y[tested])
        for learned, tested in cuts(y, "classes", n_folds=3, seed=0)
    ]
    assert found.mean("mine", "accuracy") == pytest.approx(np.mean(expected))
    (method,) = [m for m in found.methods if m.key == "mine"]
    assert method.reference


def test_a_bare_number_has_its_error_for_a_crps_and_no_density():
    found = run("number", extra={"line": LinearRegression()})
    assert found.mean("line", "crps") == found.mean("line", "mae")
    assert found.mean("line", "log_score") is None


def test_the_metric_that_matters_comes_first_and_has_an_answer():
    found = run(metric="accuracy")
    assert found.metrics[0].key == "accuracy"
    assert found.verdicts[0].metric == "accuracy"
    assert {answer.metric for answer in run().verdicts} == {
        "rps",
        "log_score",
        "mae",
        "qwk",
    }


@pytest.mark.parametrize("kind", ["classes", "number"])
def test_equal_weights_change_nothing_and_a_weight_counts_in_the_score(kind):
    plain = run(kind)
    equal = run(kind, weights=np.full(90, 7.0))
    # Boosting takes weighted quantiles by another rule, even if the weights are equal.
    for method in ("ce", "emd2", "frequencies"):
        mine = [score for score in equal.scores if score.method == method]
        assert mine == [score for score in plain.scores if score.method == method]
    weights = np.where(np.arange(90) < 45, 1e-9, 1.0)
    _, y = data(kind)
    found = run(kind, weights=weights, extra={"most": DummyClassifier()})
    if kind == "classes":
        late = [
            np.bincount(y[learned][learned >= 45]).argmax() == y[tested][tested >= 45]
            for learned, tested in cuts(y, kind, n_folds=3, seed=0)
        ]
        frequent = [np.mean(part) for part in late]
        assert found.mean("most", "accuracy") == pytest.approx(
            np.mean(frequent), abs=1e-6
        )
    assert found.scores != plain.scores


def test_predictions_are_written_for_every_fit_and_row(tmp_path):
    polars = pytest.importorskip("polars")
    for suffix, read in (("csv", polars.read_csv), ("parquet", polars.read_parquet)):
        file = tmp_path / f"rows.{suffix}"
        found = run(predictions=file, labels=["low", "mid", "high"])
        rows = read(file)
        assert rows.height == len(found.methods) * 90
        ce = rows.filter(polars.col("method") == "ce").sort("row")
        assert ce["row"].to_list() == list(range(90))
        names = ["low", "mid", "high"]
        assert ce["true"].to_list() == [names[code] for code in data()[1]]
        probs = ce.select("p_low", "p_mid", "p_high").to_numpy()
        assert np.allclose(probs.sum(-1), 1)
        hits = (probs.argmax(-1) == data()[1]).mean()
        assert hits == pytest.approx(found.mean("ce", "accuracy"))


def test_predictions_of_a_number_have_edges_or_quantiles(tmp_path):
    polars = pytest.importorskip("polars")
    run("number", predictions=tmp_path / "rows.parquet")
    rows = polars.read_parquet(tmp_path / "rows.parquet")
    assert {"p0", "edge0", "q05", "q95"} <= set(rows.columns)
