"""What is said while a comparison runs."""

from types import SimpleNamespace
from typing import Any

import numpy as np

from offby.comparison import progress
from offby.comparison.progress import Watch
from offby.comparison.scoring import CLASS_METRICS


def job(method: str, fold: int) -> Any:
    test = SimpleNamespace(weight=None)
    place = SimpleNamespace(number=fold, test=test)
    return SimpleNamespace(method=method, fold=place, seed=0)


def watch(monkeypatch, scores: dict[str, float], n_jobs: int = 1) -> Watch:
    def row_scores(fold, fit):
        return {"rps": np.array([scores[fit.method]])}

    monkeypatch.setattr(progress, "row_scores", row_scores)
    return Watch(CLASS_METRICS[0], list(scores), n_jobs)


def see(found: Watch, method: str, fold: int, seconds: float) -> None:
    fit: Any = SimpleNamespace(method=method, seconds=seconds)
    found.see([job(method, fold)], [fit])


def test_the_time_left_knows_that_methods_take_different_times(monkeypatch) -> None:
    clock = iter([100.0, 110.0])
    monkeypatch.setattr(progress.time, "perf_counter", lambda: next(clock))
    found = watch(monkeypatch, {"ce": 0.1, "emd1": 0.2}, n_jobs=2)
    see(found, "ce", 0, 2.0)
    see(found, "boosting", 0, 20.0)
    see(found, "ce", 1, 2.0)
    see(found, "emd1", 0, 8.0)
    # Since both workers are at work, 10 seconds of fits took 10: with all that is done
    # beside them, one at a time. Left: 2 + 20, and twice the mean, 8.
    left = [job("ce", 2), job("boosting", 1)]
    assert found.seconds_left(left, later=2) == 38.0


def test_the_start_of_the_workers_is_not_taken_for_their_speed(monkeypatch) -> None:
    """A minute for importing must not be told as hours: fits alone say what is left."""
    monkeypatch.setattr(progress.time, "perf_counter", lambda: 60.0)
    found = watch(monkeypatch, {"ce": 0.1, "emd1": 0.2}, n_jobs=4)
    assert found.seconds_left([job("ce", 1)], later=0) is None
    see(found, "ce", 0, 2.0)
    assert found.seconds_left([job("ce", k) for k in range(4)], later=4) == 4.0


def test_the_leader_is_the_best_on_the_folds_that_all_have(monkeypatch) -> None:
    found = watch(monkeypatch, {"ce": 0.1, "emd1": 0.2})
    assert found.says([], 0) == ""
    see(found, "emd1", 0, 1.0)
    assert found.leader() is None
    see(found, "ce", 1, 1.0)
    assert found.leader() is None
    see(found, "ce", 0, 1.0)
    assert found.leader() == "ce"
    assert "ce leads by RPS so far" in found.says([job("ce", 2)], 0)
