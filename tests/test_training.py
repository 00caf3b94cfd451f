import math
import subprocess
import sys
from dataclasses import replace

import joblib
import numpy as np
import pytest
import torch

from offby.bins import Bins
from offby.comparison import Comparison, compare
from offby.comparison.fits import Forecaster, fit_loss
from offby.comparison.methods import references as _references
from offby.comparison.networks import Design, Settings
from offby.comparison.problem import Problem
from offby.grounds import Line
from offby.losses.registry import TABLE, Labels, parse
from offby.tabular.data import TrainingData
from offby.tabular.forecasts import mean_forecast
from offby.tabular.modules import wrap_module
from offby.tabular.networks import MLP, Ensemble
from offby.tabular.runs import Run, TrainerSettings, batch_shape, batch_size
from offby.tabular.splits import bag_splits, inner_split
from offby.tabular.trainer import _Training, common_score, fit_runs, train_epochs

SHORT = Settings(max_iter=6, hidden_layer_sizes=(16,))
PLAIN = Design("perceptron", SHORT)


def table(seed, rows=90):
    generator = torch.Generator().manual_seed(seed)
    inputs = torch.randn(rows, 4, generator=generator)
    index = (inputs[:, 0] > 0).long() + (inputs[:, 1] > 0).long()
    return TrainingData(inputs, index, None, Line.regular(3), None)


def run(seed, rows=90):
    return PLAIN.run(table(seed, rows), seed)


def ensembles(batch):
    return Ensemble(
        torch.arange(4),
        torch.zeros(len(batch), batch[0].data.line.n_classes),
        n_members=4,
        hidden_layer_sizes=(64, 32),
        dropout=0.1,
        generators=[each.generator() for each in batch],
    )


def modules(batch):
    (each,) = batch
    return wrap_module(lambda n, k: torch.nn.Linear(n, k), 4, 3, each.seed)


def perceptrons(batch):
    return MLP([4, 16, 3], [each.generator() for each in batch])


# Runs that share nothing


def numbers(seed, rows):
    """A table of numbers, whose grid is its own."""
    plain = table(seed, rows)
    value = (plain.inputs[:, 0] * (1 + seed)).double()
    bins = Bins.around(value.numpy(), 3)
    index = bins.index(value)
    return TrainingData(plain.inputs, index, value, bins.line(), bins)


@pytest.mark.parametrize("build", [perceptrons, ensembles])
@pytest.mark.parametrize("make", [table, numbers])
@pytest.mark.parametrize("loss", ["ce+emd2", "emd1"])
def test_a_run_does_not_depend_on_its_company(build, make, loss):
    settings = TrainerSettings(0.02, max_iter=60, n_iter_no_change=2)
    runs = [PLAIN.run(make(s, rows), s) for s, rows in enumerate((90, 70, 91, 90, 90))]
    together = fit_runs(runs, build, parse(loss), settings)
    backwards = fit_runs(runs[::-1], build, parse(loss), settings)[::-1]
    ends = {len(each.history.scores) for each in together}
    assert len(ends) > 1, "all runs stop at once, so no run loses its company"
    for one, *others in zip(runs, together, backwards, strict=True):
        (alone,) = fit_runs([one], build, parse(loss), settings)
        for other in others:
            assert alone.history.scores == other.history.scores
            tensors = other.network.run_tensors()
            for name, part in alone.network.run_tensors().items():
                assert torch.equal(part, tensors[name])


def test_runs_of_few_rows_train_together_though_their_batches_differ():
    runs = [run(0, rows=20), run(1, rows=24)]
    found = PLAIN.fit(runs, parse("ce"))
    assert all(len(each.history.scores) > 1 for each in found)


def test_training_leaves_the_global_generator_alone():
    before = torch.random.get_rng_state()
    fit_runs([run(0)], ensembles, parse("emd2"), TrainerSettings(max_iter=2))
    assert torch.equal(before, torch.random.get_rng_state())


# Steps, batches and the end of a training


def weights_of(network):
    """Matrix and offset of each layer of a single perceptron."""
    parts = network.run_tensors().values()
    return [part.detach()[0, 0].squeeze(0) for part in parts]


@pytest.mark.parametrize("decay", [0.0, 0.5])
def test_the_optimizer_is_adamw_on_what_decays(decay):
    """One batch an epoch: the same network trained with PyTorch's own loop."""
    data = table(0)
    everything = torch.arange(90)
    one = Run(data, everything, everything, seed=0)
    settings = TrainerSettings(0.01, decay, batch_size=90, max_iter=9)
    (found,) = fit_runs([one], perceptrons, parse("ce"), settings)
    network = perceptrons([one])
    plain = torch.nn.Sequential(
        torch.nn.Linear(4, 16), torch.nn.ReLU(), torch.nn.Linear(16, 3)
    )
    weights = weights_of(network)
    for own, given in zip(plain.parameters(), weights, strict=True):
        own.data = given.t().clone()
    matrices = [p for p in plain.parameters() if p.ndim == 2]
    offsets = [p for p in plain.parameters() if p.ndim == 1]
    optimizer = torch.optim.AdamW(
        [{"params": matrices, "weight_decay": decay},
         {"params": offsets, "weight_decay": 0.0}],
        lr=0.01, betas=(0.9, 0.98),
    )  # fmt: skip
    average = [part.detach().clone() for part in plain.parameters()]
    for step in range(1, found.history.best_epoch + 1):
        optimizer.zero_grad()
        loss = torch.nn.functional.cross_entropy(plain(data.inputs), data.index)
        loss.backward()
        optimizer.step()
        for mean, part in zip(average, plain.parameters(), strict=True):
            mean += 5 / (step + 4) * (part.detach() - mean)
    assert found.history.best_epoch == 9
    got = weights_of(found.network)
    for mean, other in zip(average, got, strict=True):
        torch.testing.assert_close(mean, other.t(), rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize("patience", [1, 3, 8])
@pytest.mark.parametrize("build", [perceptrons, ensembles, modules])
def test_a_run_stops_so_many_epochs_after_its_best(build, patience):
    settings = TrainerSettings(0.3, max_iter=500, n_iter_no_change=patience)
    for seed in range(3):
        (found,) = fit_runs([run(seed)], build, parse("ce"), settings)
        history = found.history
        assert len(history.scores) == history.best_epoch + patience + 1
        assert history.scores[history.best_epoch] == min(history.scores)


@pytest.mark.parametrize("build", [perceptrons, ensembles, modules])
def test_the_best_weights_are_kept(build):
    settings = TrainerSettings(0.3, max_iter=40, n_iter_no_change=5)
    one = run(0)
    (found,) = fit_runs([one], build, parse("ce"), settings)
    logits = found.network(one.data.inputs[one.validation][None]).detach()
    labels = one.data.labels(one.validation)
    score = common_score(labels, mean_forecast(logits)[0]).double().mean()
    assert float(score) == pytest.approx(min(found.history.scores), rel=1e-5)
    assert found.history.best_epoch < len(found.history.scores) - 1


@pytest.mark.parametrize("n_rows", [3_000, 4_000, 7_000, 12_000])
def test_an_epoch_takes_about_24_steps(n_rows):
    size = batch_size(n_rows, "auto")
    assert 24 / math.sqrt(2) <= n_rows / size <= 24 * math.sqrt(2)


def test_batches_are_never_so_small_that_steps_get_slow_nor_larger_than_asked():
    assert batch_size(1_000, "auto") == 128
    assert batch_size(10**6, "auto") == 512
    assert batch_size(20, "auto") == 20
    assert batch_size(100, 7) == 7
    assert batch_size(5, 7) == 5


@pytest.mark.parametrize("n_rows", [40, 195, 700])
def test_an_epoch_takes_every_row_about_once(n_rows):
    data = table(0, n_rows)
    everything = torch.arange(n_rows)
    runs = [Run(data, everything, everything, seed) for seed in range(2)]
    settings = TrainerSettings()
    size, n_steps = batch_shape(runs, settings)
    training = _Training(perceptrons(runs), runs, parse("ce"), settings)
    for rows in training._batches().flatten(1):
        counts = torch.bincount(rows, minlength=n_rows)
        assert counts.max() - counts.min() <= 1
        assert abs(len(rows) - n_rows) <= size / 2
        assert len(rows) == n_steps * size


def test_no_further_epoch_begins_when_the_time_is_up():
    (found,) = fit_runs([run(0)], perceptrons, parse("ce"), TrainerSettings(max_time=0))
    assert len(found.history.scores) == 1


def test_the_epochs_asked_for_are_the_epochs_of_each_run():
    everything = torch.arange(90)
    runs = [Run(table(0), everything, everything, seed) for seed in range(3)]
    settings = TrainerSettings(batch_size=90)
    whole = perceptrons(runs)
    train_epochs(whole, runs, [0, 2, 5], parse("ce"), settings)
    for row, epochs in enumerate([0, 2, 5]):
        alone = perceptrons(runs[row : row + 1])
        train_epochs(alone, runs[row : row + 1], [epochs], parse("ce"), settings)
        for name, part in alone.run_tensors().items():
            assert torch.equal(part[0], whole.run_tensors()[name][row])


def test_rows_of_no_weight_teach_nothing():
    data = table(0)
    weight = (torch.arange(90) < 60).float()
    wrong = data.index.where(weight > 0, 2 - data.index)
    tables = [replace(data, sample_weight=weight, index=i) for i in (data.index, wrong)]
    found = fit_runs(
        [PLAIN.run(each, 0) for each in tables],
        ensembles,
        parse("ce"),
        TrainerSettings(max_iter=5),
    )
    assert found[0].history.scores == found[1].history.scores


@pytest.mark.parametrize(
    "wrong",
    [
        {"learning_rate_init": -1.0},
        {"batch_size": 0},
        {"max_iter": -3},
        {"n_iter_no_change": 0},
        {"max_time": -1},
    ],
)
def test_refuses_settings_that_train_nothing(wrong):
    ((name, value),) = wrong.items()
    with pytest.raises(ValueError, match=rf"{name} must be at least \d, got {value}"):
        TrainerSettings(**wrong)


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
    rules = {"kind": kind, "bins": 8, "folds": 2, "seeds": 2, "settings": SHORT}
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
    for rows in (fold.train, fold.test):
        rows.X.flags.writeable = rows.y.flags.writeable = False
    design = Design(settings=SHORT)
    (fit,) = fit_loss([(fold, 0)], loss=parse("ce"), design=design, stop_on="own")
    for part in fit.tensors.values():
        part.flags.writeable = False
    network, inputs = Forecaster.of(fold, design), fold.inputs(fold.test)
    np.testing.assert_allclose(network.probs(fit.tensors, inputs), fit.probs, rtol=1e-5)


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
    one = PLAIN.run(replace(table(0), sample_weight=weight), 0)
    (found,) = PLAIN.fit([one], parse("ce"), stop_on=stop_on)
    _, validation = inner_split(90, SHORT.validation_fraction, generator())
    labels = Labels(one.data.index[validation], one.data.line)
    score = (
        common_score if stop_on == "score" else lambda at, z: parse("ce").rows(z, at)
    )
    logits = found.network(one.data.inputs[validation][None])[0, 0].detach()
    best = np.average(score(labels, logits), weights=weight[validation])
    assert found.history.best_score == pytest.approx(best, rel=1e-5)


@pytest.mark.parametrize("n_bags", [2, 5])
def test_every_row_is_a_validation_row_of_one_bag(n_bags):
    splits = bag_splits(23, n_bags, 0.15, generator())
    assert sorted(torch.cat([rows for _, rows in splits]).tolist()) == list(range(23))
    for sides in splits:
        assert sorted(torch.cat(sides).tolist()) == list(range(23))


@pytest.mark.parametrize("kind", ["classes", "number"])
@pytest.mark.parametrize("by", ["groups", "time"])
def test_every_method_stops_on_rows_apart(monkeypatch, kind, by):
    X, y = small(kind)
    apart = np.array([f"2026-01-{1 + i // 5:02d}" for i in range(120)])
    if by == "time":
        apart = apart.astype("datetime64[D]")
    known = np.unique(apart, return_inverse=True)[1]
    # The group is an input, so that it can be told from the rows a model is given.
    X = np.column_stack([X, known.astype(float)])
    places = (0.0, 1.0, 2.0) if kind == "classes" else ()
    problem = Problem(X, y, kind, places, 5, "quantile", 2, 0, encoding="plain")
    problem = replace(problem, **{by: apart})
    seen = []

    def check(inputs, judged):
        learned, judged = set(inputs[:, 3].tolist()), set(judged[:, 3].tolist())
        assert not learned & judged
        assert by == "groups" or max(learned) < min(judged)
        seen.append(judged)

    def net(runs, *rest, **rules):
        for one in runs:
            check(*(one.data.inputs[rows] for rows in (one.train, one.validation)))
        return fit_runs(runs, *rest, **rules)

    trees = [
        getattr(_references, f"HistGradientBoosting{name}")
        for name in ("Classifier", "Regressor")
    ]
    for model in trees:

        def fit(self, X, y, sample_weight, X_val, fit=model.fit, **rest):
            check(X, X_val)
            return fit(self, X, y, sample_weight, X_val=X_val, **rest)

        monkeypatch.setattr(model, "fit", fit)
    monkeypatch.setattr("offby.comparison.networks.fit_runs", net)
    monkeypatch.setattr("offby.comparison.methods.references.LEVELS", (0.25, 0.5, 0.75))
    fold = problem.folds[1]
    fit_loss([(fold, 0)], loss=parse("ce"), design=PLAIN, stop_on="score")
    if kind == "classes":
        _references.boosted_classes(fold)
        assert len(seen) == 2
    else:
        _references.boosted_quantiles(fold)
        _references.network_quantiles([(fold, 0)], design=PLAIN)
        assert len(seen) == 5


def test_a_fit_is_known_by_its_groups():
    X, y = small("classes")
    folds = [
        Problem(
            X, y, "classes", (0.0, 1.0, 2.0), 0, "quantile", 2, 0, groups=groups
        ).folds[0]
        for groups in (None, np.arange(120))
    ]
    rows = [{"train": replace(f.train, **{"groups": None})} for f in folds]
    assert replace(folds[1], **rows[1]).digest != folds[1].digest
    assert replace(folds[0], **rows[0]).digest == folds[0].digest


def test_training_does_not_load_the_compiler_of_pytorch():
    """Two seconds of CPU, more than a small fit; `torch.optim` loads it."""
    code = """
import sys, numpy, offby
X, y = numpy.arange(40.0)[:, None], numpy.arange(40) // 14
offby.OrdinalClassifier(max_iter=1).fit(X, y)
print("torch._dynamo" in sys.modules)
offby.compare(X, y, folds=2, seeds=1, losses=["ce", "emd2"], models=["network"])
print("torch._dynamo" in sys.modules)
"""
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", code],
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.split() == ["False", "False"]
