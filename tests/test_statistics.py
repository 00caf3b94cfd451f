from dataclasses import replace
from typing import Literal

import numpy as np
import pytest
from scipy import stats
from sklearn.dummy import DummyClassifier
from sklearn.linear_model import LinearRegression, LogisticRegression

from offby.comparison import compare
from offby.comparison.inference import (
    Interval,
    corrected_interval,
    differences,
    holm,
    seeds_needed,
    verdict,
)
from offby.comparison.judgment import overlap
from offby.comparison.networks import Settings
from offby.comparison.problem import Problem
from offby.comparison.splits import cuts
from offby.comparison.verdicts import answers
from offby.results import Method, Metric, Score

SHORT = Settings(max_iter=4, hidden_layer_sizes=(8,))
METRIC = Metric("rps", "RPS", True, "classes", "the whole distribution")


@pytest.mark.parametrize(
    ("mean", "half", "words"),
    [
        (-0.035, 0.015, "better"),
        (-0.005, 0.004, "slightly better"),
        (0.0, 0.009, "no clear difference"),
        (0.002, 0.05, "can't tell"),
        (0.01, 0.009, "slightly worse"),
        (0.035, 0.015, "worse"),
    ],
)
def test_verdict_uses_the_fixed_words(mean, half, words):
    found = Interval(mean, half / stats.t.ppf(0.975, 14), 14)
    assert found.half == pytest.approx(half)
    p = found.p_value(0.01), found.p_value()
    assert verdict(found, 0.01, *p) == words


def test_an_interval_leaves_out_zero_exactly_where_the_p_value_is_below_5_percent():
    for mean in np.linspace(-0.3, 0.3, 61):
        found = Interval(float(mean), 0.1, 4)
        assert (found.low > 0 or found.high < 0) == (found.p_value() < 0.05)
        outside = found.low > 0.02 or found.high < -0.02
        assert outside == (found.p_value(0.02) < 0.05)


def test_interval_is_wider_than_that_of_independent_runs():
    values = np.random.default_rng(0).normal(size=15)
    found = corrected_interval(values, overlap=1 / 4)
    plain = stats.t.ppf(0.975, 14) * values.std(ddof=1) / np.sqrt(15)
    assert found.half == pytest.approx(plain * np.sqrt(1 + 15 / 4))


def test_one_run_says_nothing_and_a_constant_difference_all():
    assert corrected_interval([0.3], overlap=1.0).p_value() == 1
    assert corrected_interval([0.3], overlap=1.0).high == np.inf
    assert corrected_interval([0.3, 0.3], overlap=1.0).p_value() == 0
    assert corrected_interval([0.0, 0.0], overlap=1.0).p_value() == 1


def test_holm_never_shrinks_and_keeps_the_order():
    p = np.random.default_rng(1).uniform(size=9) ** 3
    adjusted = np.array(holm(p.tolist()))
    assert (adjusted >= p).all()
    assert (np.diff(adjusted[np.argsort(p)]) >= 0).all()
    assert adjusted.min() == pytest.approx(min(1, 9 * p.min()))


def scores(means, noise=0.0, folds=5, seeds=3):
    rng = np.random.default_rng(2)
    return [
        Score(name, fold, seed, "rps", mean + noise * rng.normal(), 0)
        for name, mean in means.items()
        for fold in range(folds)
        for seed in range(seeds)
    ]


def compared(found, seeds=3, rope=0.01):
    names = dict.fromkeys(score.method for score in found)
    methods = [Method(name, name, name == "trees") for name in names]
    rules = {"overlap": 1 / 4, "seeds": seeds, "rope": rope}
    pairs = differences(methods, [METRIC], found, **rules)
    (answer,) = answers([METRIC], pairs, methods, found)
    return pairs, answer


def test_every_two_losses_are_compared_and_the_worse_is_named_first():
    pairs, answer = compared(scores({"a": 0.5, "b": 0.3, "c": 0.4}, 1e-4))
    assert {(d.method, d.other) for d in pairs} == {("c", "b"), ("a", "b"), ("a", "c")}
    assert all(d.mean > 0 and d.verdict == "worse" for d in pairs)
    assert answer.best == "b"
    assert "b scores best of 3 losses." in answer.sentence
    assert "a is worse, by 66.7 % (95 % interval 66." in answer.sentence
    assert "worse in 15 of 15 fits" in answer.sentence


def test_more_rivals_make_a_verdict_harder_to_reach():
    rng = np.random.default_rng(0)
    two = scores({"a": 0.4, "b": 0.4}, 0.0)
    gaps = 0.018 + 0.011 * rng.normal(size=15)
    bumped = [
        Score("b", s.fold, s.seed, "rps", 0.4 + gap, 0)
        for s, gap in zip(two[15:], gaps, strict=True)
    ]
    alone, _ = compared([*two[:15], *bumped])
    crowd = scores({f"c{i}": 0.4 for i in range(6)}, 0.02)
    among, _ = compared([*two[:15], *bumped, *crowd])
    mine = next(d for d in among if {d.method, d.other} == {"a", "b"})
    assert alone[0].low == mine.low
    assert alone[0].p_value is not None
    assert mine.p_value is not None
    assert alone[0].p_value < 0.05 < mine.p_value


def test_a_doubtful_difference_names_the_seeds_that_would_settle_it():
    gaps = np.random.default_rng(3).normal(size=15)
    gaps = 0.0055 * (gaps - gaps.mean()) / gaps.std(ddof=1) + 0.001
    found = scores({"a": 0.5, "b": 0.5})
    found[15:] = [
        Score("b", s.fold, s.seed, "rps", s.value + gap, 0)
        for s, gap in zip(found[15:], gaps, strict=True)
    ]
    (pair,), answer = compared(found)
    assert pair.verdict == "can't tell"
    assert pair.seeds_needed is not None
    assert pair.seeds_needed > 3
    assert f"About {pair.seeds_needed} seeds would decide this." in answer.sentence
    assert answer.unsure == (pair.method,)


def test_the_seeds_named_are_the_fewest_that_end_the_doubt():
    gaps = 0.0115 * np.random.default_rng(0).normal(size=15)
    needed = seeds_needed(gaps, seeds=3, overlap=0.02, rope=0.004)
    assert needed is not None
    variance = gaps.var(ddof=1)
    for seeds, settled in ((needed, True), (needed - 1, False)):
        error = np.sqrt(variance * (1 / (5 * seeds) + 0.02))
        found = Interval(gaps.mean(), error, 5 * seeds - 1)
        assert (found.low >= -0.004 or found.high <= 0.004) == settled


def test_folds_that_disagree_cannot_be_settled_by_seeds():
    pairs, answer = compared(scores({"a": 0.5, "b": 0.5}, 0.2))
    assert pairs[0].seeds_needed is None
    assert "More seeds will not decide this; more rows might." in answer.sentence


def test_a_reference_that_beats_all_is_named_and_never_best():
    _, answer = compared(scores({"a": 0.5, "b": 0.4, "trees": 0.2}, 1e-4))
    assert answer.best == "b"
    assert "trees scores better than all losses: 0.2 against 0.4." in answer.sentence


def test_an_infinite_score_is_worse_whatever_the_mean_of_the_rest():
    found = scores({"a": 0.5, "b": 0.4}, 1e-4)
    found[20] = Score("b", 1, 2, "rps", 0.3, 7)
    pairs, answer = compared(found)
    assert answer.best == "a"
    assert pairs[0].verdict == "worse"
    assert "b is worse: its score is infinite in 7 rows." in answer.sentence


def test_no_loss_is_best_where_all_scores_are_infinite():
    found = scores({"a": 0.5, "b": 0.4}, 1e-4)
    found = [replace(score, infinite_rows=2) for score in found]
    _, answer = compared(found)
    assert answer.best == ""
    assert "no loss can be called best" in answer.sentence
    assert "infinite score in at least 30 rows" in answer.sentence


def test_a_baseline_with_infinite_rows_never_beats_the_losses():
    found = scores({"a": 0.5, "b": 0.4, "trees": 0.2}, 1e-4)
    found = [
        replace(score, infinite_rows=1) if score.method == "trees" else score
        for score in found
    ]
    _, answer = compared(found)
    assert "trees" not in answer.sentence


def test_a_baseline_is_better_by_a_metric_of_which_more_is_better():
    metric = replace(METRIC, lower_is_better=False)
    found = scores({"a": 0.5, "b": 0.4, "trees": 0.2}, 1e-4)
    methods = [Method(name, name, name == "trees") for name in ("a", "b", "trees")]
    pairs = differences(methods, [metric], found, overlap=0.25, seeds=3, rope=0.01)
    (answer,) = answers([metric], pairs, methods, found)
    assert answer.best == "a"
    assert "trees" not in answer.sentence
    better = [replace(s, value=0.9) if s.method == "trees" else s for s in found]
    (answer,) = answers([metric], pairs, methods, better)
    assert "trees scores better than all losses: 0.9 against 0.5." in answer.sentence


def test_a_difference_clear_alone_but_not_among_many_is_no_tie():
    clear_alone = Interval(mean=0.02, error=0.009, freedom=30)
    assert clear_alone.low > 0
    assert verdict(clear_alone, 0.05, 1.0, 0.3) == "can't tell"
    assert verdict(Interval(0.001, 0.001, 30), 0.05, 1.0, 0.3) == "no clear difference"


def test_the_sides_of_an_open_difference_are_named():
    rng = np.random.default_rng(5)
    found = scores({"a": 0.5, "b": 0.5})
    found[15:] = [
        replace(s, value=0.5 + 0.0005 + 0.02 * rng.normal()) for s in found[15:]
    ]
    (pair,), answer = compared(found)
    assert pair.verdict == "can't tell"
    low, high = 100 * pair.low / 0.5, 100 * pair.high / 0.5
    assert low < 0 < high
    text = f"it is between {-low:.1f} % better and {high:.1f} % worse."
    assert text in answer.sentence


def test_a_difference_of_scores_near_zero_is_not_said_in_percent():
    metric = replace(METRIC, key="qwk", title="QWK", lower_is_better=False)
    found = [replace(s, metric="qwk") for s in scores({"a": 0.001, "b": -0.4}, 1e-4)]
    methods = [Method(name, name, False) for name in ("a", "b")]
    pairs = differences(methods, [metric], found, overlap=0.25, seeds=3, rope=0.01)
    (answer,) = answers([metric], pairs, methods, found)
    assert answer.best == "a"
    assert "b is worse, by 0.401 (95 % interval 0.40" in answer.sentence
    assert "worse in 15 of 15 fits" in answer.sentence


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


def test_the_overlap_is_test_rows_per_training_row():
    X, y = data()
    problem = Problem(X, y, "classes", (0.0, 1.0, 2.0), 0, "quantile", 3, 0)
    assert overlap(problem.folds) == pytest.approx(1 / 2)
    # And it is what `compare` hands to the intervals.
    found = run(references=False)
    again = differences(
        found.methods, found.metrics, found.scores, overlap=0.5, seeds=1, rope=0.01
    )
    assert found.differences == again


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
    rules = {"losses": ["ce", "emd2"], "folds": 3, "seeds": 1, "bins": 6} | rules
    return compare(X, y, kind=kind, settings=SHORT, **rules)


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
