import joblib
import numpy as np
import pytest
import torch

from offby.catalog import TABLE, parse
from offby.comparison import Comparison, compare
from offby.comparison._fits import Problem, fit_loss
from offby.grounds import Line
from offby.training import Settings, Task, train

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
