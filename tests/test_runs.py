"""Runs that survive: every end of a run, and every place it may happen at."""

import os
import shutil
import signal
import sqlite3
import subprocess
import sys
import time
from dataclasses import replace
from functools import partial
from pathlib import Path

import joblib
import numpy as np
import pytest

from offby.comparison import Timing, compare
from offby.comparison import rounds as _rounds
from offby.comparison import scheduler as _work
from offby.comparison import store as _store
from offby.comparison.fits import Fit
from offby.comparison.methods import jobs as making
from offby.comparison.networks import Settings
from offby.comparison.problem import Problem
from offby.comparison.scheduler import Job, batches, finish
from offby.comparison.store import Store

SHORT = Settings(max_iter=3, hidden_layer_sizes=(8,))


def data(seed=0):
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(60, 3))
    return X, (X[:, 0] > -0.5).astype(int) + (X[:, 0] > 0.5)


def run(folder=None, X=None, **changes):
    rules = {"losses": ["ce", "emd2"], "folds": 2, "seeds": 2, "settings": SHORT}
    rules |= {"all_fits": True, "models": ["network"]}
    default, y = data()
    return compare(default if X is None else X, y, run_dir=folder, **rules | changes)


def lasting(comparison):
    """The bytes of a comparison without the seconds, which no two runs share."""
    return replace(comparison, timing=Timing(0.0, {})).to_json()


def kept(folder):
    with sqlite3.connect(Path(folder) / _store.FILE) as db:
        return db.execute("SELECT COUNT(*) FROM fits").fetchone()[0]


@pytest.fixture
def trained(monkeypatch):
    """Every fold and seed that is trained, as it happens."""
    seen = []
    real = making.fit_loss

    def fit_loss(places, **rules):
        seen.extend((str(rules["loss"]), fold.number, seed) for fold, seed in places)
        return real(places, **rules)

    monkeypatch.setattr(making, "fit_loss", fit_loss)
    return seen


SCRIPT = """
import os, random, signal, sys, time
from tests.test_runs import kept, lasting, run
folder, random = sys.argv[1], random.Random(5)
losses = ["ce", "emd1", "emd2", "ce+emd2"]
go = lambda at: run(at, losses=losses, rope=0.0, all_fits=False)
undisturbed = lasting(go(None))
begun = time.monotonic()  # of a second run: the first one imports and compiles
go(None)
seconds = time.monotonic() - begun

def fork():
    child = os.fork()
    if not child:
        go(folder)
        os._exit(0)
    return child

caught = 0
for _ in range(10):
    child = fork()
    time.sleep(random.uniform(0, 0.8 * seconds))
    os.kill(child, signal.SIGKILL)
    caught += os.WIFSIGNALED(os.waitpid(child, 0)[1])
print(caught, kept(folder), lasting(go(folder)) == undisturbed)
"""


@pytest.mark.slow
def test_ten_kills_at_random_moments_change_no_byte(tmp_path):
    shown = subprocess.run(
        [sys.executable, "-c", SCRIPT, str(tmp_path)],
        check=True,
        capture_output=True,
        text=True,
        cwd=Path(__file__).parents[1],
    )
    caught, before, same = shown.stdout.split()
    assert same == "True"
    assert int(caught) >= 2, "the kills came too late to test anything"
    assert int(before) > 0


def test_the_same_call_trains_nothing_twice(tmp_path, trained):
    first = run(tmp_path)
    assert len(trained) == len(set(trained)) == 8
    second = run(tmp_path)
    assert len(trained) == 8
    assert lasting(second) == lasting(first) == lasting(run())
    assert second.timing.fits == first.timing.fits  # kept with the fits


def test_more_seeds_and_losses_add_to_what_is_there(tmp_path, trained):
    run(tmp_path)
    trained.clear()
    wider = run(tmp_path, seeds=3, losses=["ce", "emd2", "cce"])
    assert {seed for loss, _, seed in trained if loss != "cce"} == {2}
    assert len(trained) == 2 * 2 + 6
    assert lasting(wider) == lasting(run(seeds=3, losses=["ce", "emd2", "cce"]))


def early(folder=None, **changes):
    """A run that may stop."""
    rules = {"losses": ["ce", "cce", "emd1"], "seeds": 3, "references": False}
    return run(folder, **rules | {"all_fits": False} | changes)


def test_what_is_settled_gets_no_more_fits_and_the_bits_stay(tmp_path, monkeypatch):
    monkeypatch.setattr(_rounds, "going_on", lambda pairs, losses, plan: ("ce", "cce"))
    found = early(tmp_path)
    trained = {(s.method, s.seed) for s in found.scores}
    assert trained == {(m, s) for m in ("ce", "cce") for s in range(3)} | {("emd1", 0)}
    assert kept(tmp_path) == 2 * 7
    assert lasting(early(tmp_path)) == lasting(found)
    with joblib.parallel_config("threading", n_jobs=2):
        assert lasting(early()) == lasting(found)
    assert found.run.ended == "all"
    whole = early(all_fits=True)
    assert set(found.scores) < set(whole.scores)


def test_a_run_ends_when_all_is_settled(trained):
    found = early(losses=["ce", "ce+0*emd2"], rope=0.5)
    assert found.run.ended == "settled"
    assert len(trained) == 2 * 2
    assert {d.verdict for d in found.differences} <= {"practically equal", "worse"}
    assert early(losses=["ce"]).run.ended == "settled"


def test_a_time_budget_ends_a_run_between_seeds(monkeypatch, trained):
    monkeypatch.setattr(_rounds, "going_on", lambda pairs, losses, plan: losses)
    found = early(time_budget=1e-9, noise=True, references=True)
    assert found.run.ended == "time"
    assert len(trained) == 3 * 2
    assert not found.noise
    assert not [note for note in found.data.notes if "could not" in note]
    # References wait for the losses, and are left out in words.
    assert {method.key for method in found.methods} == set(found.losses)
    assert [note for note in found.data.notes if "left no room for class freq" in note]
    for wrong in ("soon", -1, 0, True):
        with pytest.raises(ValueError, match="90s, 2m or 1h"):
            early(time_budget=wrong)


def test_two_sets_of_data_never_mix(tmp_path, trained):
    X, _ = data()
    first = run(tmp_path)
    X = X.copy()
    X[7, 1] += 1e-3
    said = []
    other = run(tmp_path, X=X, progress=lambda done, total, text: said.append(text))
    assert len(trained) == 16
    assert any("14 fits of other data" in text for text in said)
    assert lasting(other) == lasting(run(X=X)) != lasting(first)


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    """The directory of a run that has ended, to be copied."""
    folder = tmp_path_factory.mktemp("finished")
    run(folder)
    return folder


@pytest.mark.parametrize(
    "change",
    [
        {"settings": replace(SHORT, weight_decay=0.1)},
        {"stop_on": "own"},
        {"network": "perceptron"},
        {"seed": 1},
        {"positions": [0, 1, 3]},
        {"weights": np.arange(1, 61)},
        {"groups": np.arange(60) // 3},
        {"time": np.arange(60)},
        {"losses": ["ce+0.3333333*emd2", "ce+0.3333334*emd2"]},
    ],
    ids=lambda change: next(iter(change)),
)
def test_whatever_changes_a_fit_changes_its_key(tmp_path, finished, trained, change):
    shutil.copytree(finished, tmp_path, dirs_exist_ok=True)
    run(tmp_path)
    assert not trained
    if "losses" in change:
        with pytest.raises(ValueError, match="must be named once"):
            run(tmp_path, **change)
        return
    run(tmp_path, **change)
    assert len(trained) == 8


def test_ctrl_c_loses_only_what_was_under_way(tmp_path, monkeypatch, trained):
    real = making.fit_loss

    def stop(places, **rules):
        if str(rules["loss"]) == "emd2":
            raise KeyboardInterrupt
        return real(places, **rules)

    monkeypatch.setattr(making, "fit_loss", stop)
    rules = {"losses": ["ce", "emd2"], "references": False}
    with pytest.raises(KeyboardInterrupt):
        run(tmp_path, **rules, folds=3)
    monkeypatch.setattr(making, "fit_loss", real)
    assert kept(tmp_path) == 6
    trained.clear()
    again = run(tmp_path, **rules, folds=3)
    assert [loss for loss, _, _ in trained] == ["emd2"] * 6
    assert lasting(again) == lasting(run(**rules, folds=3))


def test_a_full_disk_is_a_sentence_and_keeps_what_is_there(tmp_path, monkeypatch):
    run(tmp_path, losses=["ce"], references=False)
    pages = os.path.getsize(tmp_path / _store.FILE) // 4096
    real = sqlite3.connect

    def small_disk(*args, **settings):
        db = real(*args, **settings)
        db.execute(f"PRAGMA max_page_count = {pages + 1}")
        return db

    with monkeypatch.context() as patched:
        patched.setattr(_store.sqlite3, "connect", small_disk)
        with pytest.raises(RuntimeError, match="needs room on its disk") as caught:
            run(tmp_path, references=False)
    assert str(tmp_path) in str(caught.value)
    assert kept(tmp_path) == 4
    again = run(tmp_path, references=False)
    assert lasting(again) == lasting(run(references=False))


def test_fits_are_kept_together_or_not_at_all(tmp_path):
    store = Store(tmp_path, "data")
    fit = Fit(0, 0, "probs", np.ones((2, 2)), 1.5, curve=(0.5, 0.1 + 0.2))
    store.put(["a"], [fit])
    store._db.execute("PRAGMA max_page_count = 8")  # a disk of 32 KiB
    with pytest.raises(RuntimeError, match="needs room"):
        store.put(["b", "c"], [fit, replace(fit, outputs=np.ones((99, 99)))])
    assert store.get("b") is None
    back = store.get("a")
    assert back is not None
    assert back.outputs.dtype == fit.outputs.dtype
    assert (back.outputs == fit.outputs).all()
    assert (back.seconds, back.curve, back.form) == (1.5, fit.curve, "probs")


def _folder_of_a_file(tmp_path):
    (tmp_path / "file").write_text("")
    return tmp_path / "file"


def _no_store(tmp_path):
    (tmp_path / _store.FILE).write_text("this is no database, and never was" * 99)
    return tmp_path


def _read_only(tmp_path):
    tmp_path.chmod(0o500)
    return tmp_path / "runs"


@pytest.mark.parametrize("place", [_folder_of_a_file, _no_store, _read_only])
def test_a_directory_that_cannot_be_used_is_refused_first(tmp_path, trained, place):
    if place is _read_only and os.geteuid() == 0:
        pytest.skip("root may write anywhere")
    with pytest.raises(ValueError, match="the run directory must"):
        run(place(tmp_path))
    assert not trained


def test_a_directory_of_the_system_is_refused_first(trained):
    if not Path("/proc/self").exists():
        pytest.skip("no /proc on this system")
    with pytest.raises(ValueError, match="folder you may write to"):
        run("/proc/offby")
    assert not trained


OTHER_OF_TWO = """
import sys
from tests.test_runs import lasting, run
print("ready", flush=True)
sys.stdin.readline()
print(lasting(run(sys.argv[1])))
"""


@pytest.mark.slow
def test_two_runs_may_share_a_directory(tmp_path):
    """This process is one of the two: another import would cost seconds."""
    # The other is a process of its own, not a fork: OpenMP does not survive a fork.
    other = subprocess.Popen(
        [sys.executable, "-c", OTHER_OF_TWO, str(tmp_path)],
        cwd=Path(__file__).parents[1],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    with other:
        assert other.stdin is not None
        assert other.stdout is not None
        assert other.stdout.readline() == "ready\n"
        other.stdin.write("go\n")
        other.stdin.flush()
        found = lasting(run(tmp_path))
        there = other.communicate(timeout=300)[0].strip()
    assert other.returncode == 0
    assert found == there == lasting(run())
    assert kept(tmp_path) == 14


def _jobs(fit):
    X, y = data()
    problem = Problem(X, y, "classes", (0.0, 1.0, 2.0), 0, "quantile", 6, 0)
    return [Job("made up", fold, 0, fit, "") for fold in problem.folds]


def _once_deadly(places, *, folder):
    """Kills its process the first time it meets the third fold; notes every fold."""
    fits = []
    for fold, seed in places:
        made = Path(folder) / f"{fold.number}"
        died = Path(folder) / "died"
        if fold.number == 2 and not died.exists():
            died.touch()
            time.sleep(0.3)  # so that the other worker has work under way, or done
            os.kill(os.getpid(), signal.SIGKILL)
        with made.open("a") as file:
            file.write("x")
        fits.append(Fit(fold.number, seed, "points", fold.test.y, 0.0))
    return fits


def _deadly(places):
    os.kill(os.getpid(), signal.SIGKILL)


def silent(done, total, text):
    pass


@pytest.mark.slow
def test_a_dead_worker_costs_only_what_was_under_way(tmp_path):
    (tmp_path / "made").mkdir()
    jobs = _jobs(partial(_once_deadly, folder=tmp_path / "made"))
    store = Store(tmp_path, "data")
    with joblib.parallel_config("loky", n_jobs=2):
        found = finish(jobs, store, n_jobs=None, say=silent)
    assert (tmp_path / "made" / "died").exists()
    assert [place[1] for place in found] == list(range(6))
    assert kept(tmp_path) == 6
    made = [(tmp_path / "made" / str(number)).read_text() for number in range(6)]
    # The pool dies with its worker: what the other one had under way is made again.
    assert sum(len(marks) for marks in made) <= 6 + 3


@pytest.mark.slow
def test_workers_that_always_die_end_the_run_with_a_sentence(monkeypatch):
    # That the pool is made anew after a death, the test above shows.
    monkeypatch.setattr(_work, "_TRIES", 1)
    with (
        joblib.parallel_config("loky", n_jobs=2),
        pytest.raises(RuntimeError, match="1 dead workers in a row"),
    ):
        finish(_jobs(_deadly), None, n_jobs=None, say=silent)


def test_batches_hold_every_job_once_and_leave_work_for_all_cores():
    jobs = _jobs(_deadly)
    for at_least in (1, 2, 4, 100):
        found = batches(jobs, at_least)
        assert [job for batch in found for job in batch] == jobs
        assert len(found) >= min(at_least, len(jobs)) // 2
    assert len(batches(jobs, 1)) == 1


@pytest.mark.slow
def test_a_dask_cluster_gives_the_same_bits_and_survives_a_worker(tmp_path):
    distributed = pytest.importorskip("distributed", reason="Dask is not installed")
    cluster = distributed.LocalCluster(
        n_workers=2, threads_per_worker=1, processes=True, dashboard_address=None
    )
    with cluster, distributed.Client(cluster), joblib.parallel_config("dask"):
        assert lasting(run()) == lasting_alone()
        jobs = _jobs(partial(_once_deadly, folder=tmp_path))
        found = finish(jobs, None, n_jobs=None, say=silent)
    assert (tmp_path / "died").exists()
    assert len(found) == 6


def lasting_alone():
    with joblib.parallel_config("sequential"):
        return lasting(run())
