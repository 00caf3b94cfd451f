"""The groups of a comparison or of `offby fit` reach every fit, the last one too."""

from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd
import pytest
from click.testing import CliRunner

import offby
from offby import models
from offby.cli import main
from offby.comparison.methods.boosted import boosted
from offby.comparison.networks import Settings
from offby.comparison.problem import Problem
from offby.distribution import ClassDistribution
from offby.models import best, fitting

N_ROWS = 60
X = np.random.default_rng(0).normal(size=(N_ROWS, 2))
GROUPS = np.arange(N_ROWS) % 6
Y = np.arange(N_ROWS) % 3


class Recorder:
    """An estimator that remembers which groups `fit` was given."""

    seen: list[Any]

    def __init__(self, **_):
        pass

    def fit(self, X, y, sample_weight=None, groups=None):
        self.seen.append(groups)
        return self

    def predict_dist(self, X):
        probs = np.full((len(X), 3), 1 / 3)
        return ClassDistribution(probs, [0, 1, 2])


@pytest.fixture
def seen(monkeypatch):
    """The groups that each fit was given."""
    monkeypatch.setattr(Recorder, "seen", [], raising=False)
    monkeypatch.setattr(models.ModelKind, "estimator", lambda self, kind: Recorder)
    monkeypatch.setattr(fitting, "ground_of", lambda model: None)
    return Recorder.seen


@pytest.fixture
def table(tmp_path):
    frame = pd.DataFrame(X, columns=["a", "b"]).assign(who=GROUPS, y=Y)
    frame.to_csv(tmp_path / "small.csv", index=False)
    return tmp_path / "small.csv"


def test_fit_gives_the_groups_to_both_of_its_models(seen, table, monkeypatch):
    monkeypatch.setattr(models, "save", lambda *_: None)
    words = ["fit", str(table), "-t", "y", "--groups", "who"]
    out = ["-o", str(table.with_suffix(".offby"))]
    made = CliRunner().invoke(main, words + out, catch_exceptions=False)
    assert made.exit_code == 0, made.output
    assert "held out by groups" in made.output
    scored, last = seen
    assert len(set(scored)) == 5
    assert last.tolist() == GROUPS.tolist()


def test_a_single_group_that_is_left_to_train_on_is_not_handed_over(seen, table):
    from offby import tables

    whole = tables.prepare(tables.scan(str(table)), "y", groups="who", folds=2)
    two = replace(whole, groups=GROUPS % 2)
    models.fit_problem(two, models.Choice(model="boosting"))
    scored, last = seen
    assert scored is None
    assert set(last) == {0, 1}
    # Rows without weight are not there.
    alone = replace(two, weights=(GROUPS % 2).astype(float))
    models.fit_problem(alone, models.Choice(), hold_out=False)
    assert seen[-1] is None


@pytest.mark.parametrize("kind", ["classes", "number"])
def test_the_best_model_gets_the_groups(kind, seen):
    found = offby.compare(
        X, Y if kind == "classes" else Y + X[:, 0], kind=kind, losses=["ce"], folds=2,
        seeds=1, groups=GROUPS, references=False, bins=4,
        settings=Settings(max_iter=1, hidden_layer_sizes=(4,)),
    )  # fmt: skip
    y = Y if kind == "classes" else Y + X[:, 0]
    best.fit_best(found, X, y, groups=GROUPS)
    found.fit_best(X, y, groups=GROUPS)
    assert [each.tolist() for each in seen] == 2 * [GROUPS.tolist()]


@pytest.mark.parametrize("n_groups", [6, 2])
def test_trees_of_a_comparison_stop_by_other_groups(monkeypatch, n_groups):
    given = []

    def fit(self, X, y, sample_weight=None, groups=None):
        given.append(groups)
        raise InterruptedError

    monkeypatch.setattr("offby.tabular.BoostedOrdinalClassifier.fit", fit)
    groups = GROUPS % n_groups
    whole = Problem(X, Y, "classes", (0.0, 1.0, 2.0), 3, "uniform", 2, 0, groups=groups)
    fold = whole.folds[0]
    with pytest.raises(InterruptedError):
        boosted(fold, "ce")
    if n_groups == 2:  # One is left to train on, and none could be held out.
        assert given == [None]
    else:
        rows = fold.train.numbers
        pairs = set(zip(groups[rows].tolist(), given[0].tolist(), strict=True))
        assert len(pairs) == len(set(given[0])) == 3
