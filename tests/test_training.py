from dataclasses import replace

import joblib
import numpy as np
import pytest
import torch

from offby.comparison import Comparison, compare
from offby.comparison.methods import references as _references
from offby.comparison.problem import Problem, fit_loss
from offby.grounds import Line
from offby.losses.registry import TABLE, Labels, parse
from offby.tabular.training import Settings, Task, inner_split, score_of, train

SHORT = Settings(max_iter=6, hidden_layer_sizes=(16,))


def task(seed, rows=90):
    generator = torch.Generator().manual_seed(seed)
    inputs = torch.randn(rows, 4, generator=generator)
    index = (inputs[:, 0] > 0).long() + (inputs[:, 1] > 0).long()
    return Task(inputs, index, None, Line.regular(3), None, seed)


def test_a_net_does_not_depend_on_its_company():
    tasks = [task(0), task(1, rows=70), task(2)]
    together = train(tasks, parse("ce+emd2"), SHORT)
    for one, net in zip(tasks, together, strict=True):
        (alone,) = train([one], parse("ce+emd2"), SHORT)
        assert alone.curve == net.curve
        assert all(map(torch.equal, alone.weights, net.weights))


def test_nets_of_few_rows_train_together_though_their_batches_differ():
    nets = train([task(0, rows=20), task(1, rows=24)], parse("ce"), SHORT)
    assert all(len(net.curve) > 1 for net in nets)


def test_training_leaves_the_global_generator_alone():
    before = torch.random.get_rng_state()
    train([task(0)], parse("emd2"), SHORT)
    assert torch.equal(before, torch.random.get_rng_state())


def small(kind, seed=0):
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(120, 3))
    number = X[:, 0] + 0.3 * rng.normal(size=120)
    return X, (number > -0.5).astype(int) + (
        number > 0.5
    ) if kind == "classes" else number


@pytest.mark.parametrize("kind", ["classes", "number"])
def test_the_same_seed_gives_the_same_comparison_in_any_order(kind):
    X, y = small(kind)
    rules = {"kind": kind, "bins": 8, "folds": 3, "seeds": 2, "settings": SHORT}
    first = compare(X, y, losses=["ce", "emd2"], **rules)
    second = compare(X, y, losses=["emd2", "ce"], **rules)
    key = lambda s: (s.method, s.metric, s.fold, s.seed)  # noqa: E731
    assert sorted(first.scores, key=key) == sorted(second.scores, key=key)
    assert Comparison.from_json(first.to_json()) == first


@pytest.mark.parametrize("backend", ["threading", "loky"])
def test_losses_trained_at_the_same_time_give_the_same_bits(backend):
    X, y = small("classes")
    rules = {"losses": ["ce", "emd2"], "folds": 2, "seeds": 1, "settings": SHORT}
    alone = compare(X, y, **rules)
    with joblib.parallel_config(backend, n_jobs=2):
        together = compare(X, y, **rules)
    assert together.scores == alone.scores
    assert together.pushes == alone.pushes


def test_every_loss_of_the_table_trains_on_numbers():
    X, y = small("number")
    names = [entry.name for entry in TABLE]
    found = compare(
        X, y, losses=names, kind="number", bins=6, folds=2, seeds=1, settings=SHORT
    )
    for name in names:
        crps = found.mean(name, "crps")
        assert crps is not None
        assert 0 < crps < 1


def test_trains_on_rows_that_may_only_be_read():
    # joblib gives its workers large arrays so; PyTorch would warn, and write into them.
    X, y = small("classes")
    problem = Problem(X, y, "classes", (0.0, 1.0, 2.0), 0, "quantile", 2, 0)
    fold = problem.folds[0]
    for rows in (fold.learned, fold.held_out):
        rows.inputs.flags.writeable = rows.y.flags.writeable = False
    (fit,) = fit_loss([(fold, 0)], loss=parse("ce"), settings=SHORT, stop_on="own")
    assert fit.probs_of(fold.held_out.inputs).shape[1] == 3


# The rows that say when to stop


def generator(seed=0):
    return torch.Generator().manual_seed(seed)


def test_any_row_may_be_held_out_where_none_belong_together():
    learned, held_out = inner_split(50, 0.15, generator())
    shuffled = torch.randperm(50, generator=generator())
    assert torch.equal(torch.cat([held_out, learned]), shuffled)
    assert len(held_out) == 8


@pytest.mark.parametrize("sizes", [[5] * 20, [1] * 100, [60, 3, 9, 9, 9, 10], [40, 60]])
def test_no_group_is_learned_from_and_held_out(sizes):
    groups = torch.arange(len(sizes)).repeat_interleave(torch.tensor(sizes))
    groups = groups[torch.randperm(100, generator=generator(1))]
    for seed in range(20):
        learned, held_out = inner_split(100, 0.15, generator(seed), groups=groups)
        assert not set(groups[learned].tolist()) & set(groups[held_out].tolist())
        assert sorted([*learned.tolist(), *held_out.tolist()]) == list(range(100))
        assert 0 < len(held_out) <= max(15, min(sizes))


def test_the_latest_rows_are_held_out():
    time = torch.arange(100) // 4
    time = time[torch.randperm(100, generator=generator(1))]
    learned, held_out = inner_split(100, 0.15, generator(), time=time)
    assert time[learned].max() < time[held_out].min()
    assert len(held_out) == 16  # whole times only
    assert len(learned) == 84


@pytest.mark.parametrize("name", ["groups", "time"])
def test_rows_of_one_group_or_time_are_cut_at_random(name):
    one = {name: torch.zeros(40, dtype=torch.int64)}
    found = inner_split(40, 0.15, generator(), **one)
    assert all(map(torch.equal, found, inner_split(40, 0.15, generator())))


@pytest.mark.parametrize("stop_on", ["score", "own"])
def test_the_rows_that_say_when_to_stop_are_weighted(stop_on):
    weight = torch.where(torch.arange(90) % 3 == 0, 9.0, 0.5)
    one = replace(task(0), sample_weight=weight)
    (net,) = train([one], parse("ce"), SHORT, stop_on=stop_on)
    _, held_out = inner_split(90, SHORT.validation_fraction, generator())
    labels = Labels(one.index[held_out], one.line)
    judge = score_of if stop_on == "score" else lambda at, z: parse("ce").rows(z, at)
    logits = net.logits(one.inputs[held_out])
    best = np.average(judge(labels, logits), weights=weight[held_out])
    assert net.curve[net.best_epoch] == pytest.approx(best, rel=1e-5)


@pytest.mark.parametrize("kind", ["classes", "number"])
@pytest.mark.parametrize("by", ["groups", "time"])
def test_every_method_stops_on_rows_apart(monkeypatch, kind, by):
    X, y = small(kind)
    apart = np.array([f"2026-01-{1 + i // 5:02d}" for i in range(120)])
    if by == "time":
        apart = apart.astype("datetime64[D]")
    known = np.unique(apart, return_inverse=True)[1]
    # The group is an input, so that it can be told from the rows a model is given.
    X = np.column_stack([X, known])
    places = (0.0, 1.0, 2.0) if kind == "classes" else ()
    problem = Problem(X, y, kind, places, 5, "quantile", 2, 0, **{by: apart})
    seen = []

    def check(inputs, judged):
        learned, judged = set(inputs[:, 3].tolist()), set(judged[:, 3].tolist())
        assert not learned & judged
        assert by == "groups" or max(learned) < min(judged)
        seen.append(judged)

    def net(tasks, *rest, **rules):
        for one in tasks:
            sides = inner_split(
                len(one.index), 0.15, generator(), groups=one.groups, time=one.time
            )
            check(*(one.inputs[rows] for rows in sides))
        return train(tasks, *rest, **rules)

    trees = [
        getattr(_references, f"HistGradientBoosting{name}")
        for name in ("Classifier", "Regressor")
    ]
    for model in trees:

        def fit(self, X, y, sample_weight, X_val, fit=model.fit, **rest):
            check(X, X_val)
            return fit(self, X, y, sample_weight, X_val=X_val, **rest)

        monkeypatch.setattr(model, "fit", fit)
    monkeypatch.setattr("offby.comparison.problem.train", net)
    monkeypatch.setattr("offby.comparison.methods.references.train", net)
    monkeypatch.setattr("offby.comparison.methods.references.LEVELS", (0.25, 0.5, 0.75))
    fold = problem.folds[1]
    fit_loss([(fold, 0)], loss=parse("ce"), settings=SHORT, stop_on="score")
    if kind == "classes":
        _references.boosted_classes(fold)
        assert len(seen) == 2
    else:
        _references.boosted_quantiles(fold)
        _references.network_quantiles([(fold, 0)], settings=SHORT)
        assert len(seen) == 5


def test_a_fit_is_known_by_its_groups():
    X, y = small("classes")
    folds = [
        Problem(X, y, "classes", (0.0, 1.0, 2.0), 0, "quantile", 2, 0, **rules).folds[0]
        for rules in ({}, {"groups": np.arange(120)})
    ]
    rows = [{"learned": replace(f.learned, **{"groups": None})} for f in folds]
    assert replace(folds[1], **rows[1]).digest != folds[1].digest
    assert replace(folds[0], **rows[0]).digest == folds[0].digest
