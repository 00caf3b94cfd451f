"""A separate test table: scored once, by the best loss trained on all other rows."""

import json
from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest
from click.testing import CliRunner
from scipy import stats

from offby.cli import main
from offby.comparison.final_test import scored_once
from offby.comparison.scoring import CLASS_METRICS, NUMBER_METRICS
from offby.distribution import BinnedDistribution, ClassDistribution
from offby.models import scores_of
from offby.results import FinalScore, FinalTest, phrases
from offby.results import test as words

from .report_data import comparison

pytest.importorskip("polars")


def test_classes_get_the_scores_of_the_models_with_their_intervals() -> None:
    rng = np.random.default_rng(0)
    probs, y = rng.dirichlet(np.ones(4), 50), rng.integers(0, 4, 50)
    forecast = ClassDistribution(probs, [0, 1, 2, 3])
    model = SimpleNamespace(predict_dist=lambda X: forecast)
    found = scored_once(
        model,
        np.zeros((50, 1)),
        y,
        None,
        metrics=CLASS_METRICS,
        positions=(0.0, 1.0, 2.0, 3.0),
        method="ce",
        name="later",
        train_y=np.arange(9) % 4,
        train_weight=None,
    )
    assert (found.n_rows, found.method, found.trained_on) == (50, "ce", 9)
    by_key, same = {s.metric: s for s in found.scores}, scores_of(forecast, y)
    for key in ("rps", "log_score", "mae", "qwk", "accuracy"):
        assert by_key[key].value == pytest.approx(same[key])
    off = forecast.rps(y)
    half = stats.t.isf(0.025, 49) * off.std(ddof=1) / 50**0.5
    assert by_key["rps"].low == pytest.approx(off.mean() - half)
    assert by_key["rps"].high == pytest.approx(off.mean() + half)


def test_rows_of_weight_zero_change_nothing_and_infinite_ones_are_counted() -> None:
    from offby.bins import Bins

    bins = Bins.uniform(0, 4, 4)
    y, weight = np.array([0.5, 1.5, 9.0, 3.5]), np.array([1.0, 2.0, 1.0, 0.0])

    def model(n: int):
        forecast = BinnedDistribution(np.full((n, 4), 0.25), bins)
        return SimpleNamespace(predict_dist=lambda X: forecast, bins_=bins)

    def scores(rows: np.ndarray):
        return scored_once(
            model(int((weight[rows] > 0).sum())),
            np.zeros((len(rows), 1)),
            y[rows],
            weight[rows],
            metrics=NUMBER_METRICS,
            positions=(),
            method="ce",
            name="later",
            train_y=np.arange(4.0),
            train_weight=None,
        )

    whole = scores(np.arange(4))
    assert whole == scores(np.arange(3))
    by_key = {score.metric: score for score in whole.scores}
    assert by_key["log_score"].infinite_rows == 1
    assert by_key["log_score"].value == pytest.approx(np.log(4))


def test_a_comparison_without_a_test_table_says_nothing_of_one() -> None:
    assert words.rows(comparison()) == []


def test_the_folds_say_infinite_scores_as_the_leaderboard_does() -> None:
    one = FinalScore("log_score", 1.0, 0.5, 1.5)
    made = replace(comparison(), test=FinalTest("later", 9, "ce", 90, (one,)))
    assert not made.infinite_rows("ce", "log_score")
    assert words.rows(made)[0][3] == "0.956"
    beyond = tuple(replace(score, infinite_rows=2) for score in made.scores)
    made = replace(made, scores=beyond)
    rows = made.infinite_rows("ce", "log_score")
    assert words.rows(made)[0][3] == phrases.infinite(rows)


def test_the_command_scores_the_table_once_and_refuses_a_wrong_one_first(
    tmp_path, monkeypatch
) -> None:
    pytest.importorskip("rich")
    monkeypatch.chdir(tmp_path)
    rows = [f"{i % 7},{i % 4},{1 + i % 3}" for i in range(60)]
    (tmp_path / "small.csv").write_text("\n".join(["a,b,y", *rows]) + "\n")
    (tmp_path / "later.csv").write_text("y,b,a\n1,0,0\n2,1,1\n3,2,2\n7,2,2\n")
    (tmp_path / "wrong.csv").write_text("y,b\n1,0\n")

    def call(test: str):
        asked = "small.csv -t y --losses ce --folds 2 --seeds 1 --no-noise"
        words = [*asked.split(), "--models", "network", "--json", "x.json"]
        return CliRunner().invoke(main, ["compare", *words, "--test", test])

    refused = call("wrong.csv")
    assert refused.exit_code == 2
    assert "'a'" in refused.output
    assert "Report" not in refused.output
    done = call("later.csv")
    assert done.exit_code == 0, done.output
    assert "1 of 4 rows of later.csv have no target that the training" in done.output
    assert "On the test table later (3 rows), scored once: ce, trained" in done.output
    assert "in the comparison" in done.output
    found = json.loads((tmp_path / "x.json").read_text())["test"]
    assert (found["n_rows"], found["trained_on"]) == (3, 60)
    assert "On the test table" in (tmp_path / "small-y.html").read_text()
