"""The jobs run in their small form, and find what their text says."""

import importlib
import math
import runpy
from pathlib import Path

import numpy as np
import pytest
import torch

from offby import Bins

pytest.importorskip("polars")

EXAMPLES = Path(__file__).parent


def test_digits_that_look_alike_are_closer(capsys):
    runpy.run_path(str(EXAMPLES / "digits.py"))["main"](seeds=1, epochs=8)
    printed = capsys.readouterr().out
    assert "3, 5, 8, 9 are closer than 0 and 1 in 1 of 1 seeds." in printed
    assert "plus squared mass" in printed


SMALL = {
    "shapes_of_digits": ({"rows": 300}, "accuracy, %"),
    "rotated_digits": ({"rows": 240}, "within 20 degrees, %"),
    "depth_in_bins": ({"rows": 60}, "ratio < 1.25, %"),
    "value_head": ({"rows": 600}, "RMSE, not safe"),
}


@pytest.mark.parametrize("job", SMALL)
def test_a_job_prints_its_table(job, capsys):
    """The four jobs in their small form: every loss has a row of finite scores."""
    settings, column = SMALL[job]
    main = runpy.run_path(str(EXAMPLES / f"{job}.py"))["main"]
    found = main(seeds=1, epochs=1, rates=(1e-3,), **settings)
    printed = capsys.readouterr().out.splitlines()
    assert column in printed[0]
    assert set(importlib.import_module("jobs").LOSSES) <= set(found.losses)
    for name, each in found.losses.items():
        (row,) = (line for line in printed if line.startswith(f"| {name} |"))
        assert row.count("|") == len(found.scores) + 3
        assert all(map(math.isfinite, each.scores[0]))
    for k, more_is_better in enumerate(found.scores.values()):
        scores = {name: each.scores[0][k] for name, each in found.losses.items()}
        best = (max if more_is_better else min)(scores, key=scores.__getitem__)
        (row,) = (line for line in printed if line.startswith(f"| {best} |"))
        assert "**" in row.split("|")[k + 2]


def test_every_loss_trains_at_the_rate_that_is_best_on_rows_it_has_not_seen(capsys):
    """One weight for y = 3x: a rate that is too small cannot get there in an epoch."""
    jobs = importlib.import_module("jobs")
    x = torch.linspace(-1, 1, 256)[:, None]
    asked = []

    def judge(head, out, truth):
        asked.append(len(truth))
        return [(head.number(out) - truth).abs().mean().item()]

    job = jobs.Job(
        title="slope",
        scores={"error": False},
        losses=["MSE", "MSE, scaled"],
        rows=lambda seed: jobs.Rows(x, 3 * x[:, 0], x[:60], 3 * x[:60, 0]),
        network=lambda outputs: torch.nn.Linear(1, outputs),
        head=lambda name, seen: jobs.head(name, Bins.uniform(-3, 3, 4), seen),
        judge=judge,
    )
    found = jobs.run(job, 2, 20, (1e30, 1e-5, 0.1))  # the first ends in NaN
    assert [each.rate for each in found.losses.values()] == [0.1, 0.1]
    assert asked == 2 * [64, 64, 64, 60, 60]  # a quarter of 256, then the test rows
    assert all(
        score < 0.2 for each in found.losses.values() for (score,) in each.scores
    )
    capsys.readouterr()


def test_rows_from_a_file_in_parts_say_more_than_a_sample(capsys):
    main = runpy.run_path(str(EXAMPLES / "larger_than_memory.py"))["main"]
    found = main(rows=9_000, size=1_000, passes=1, max_iter=8)
    assert found["partial_fit on all rows"] < found["fit on a sample"]
    assert "row groups of 1,000" in capsys.readouterr().out


GROUNDS = {
    "hours": ({"rows": 360}, "pass midnight"),
    "oils": ({"rows": 240}, "Southern Italy"),
    "cities": ({"rows": 400}, "of least expected distance"),
}


@pytest.mark.parametrize("name", GROUNDS)
def test_an_example_of_a_ground_prints_its_table(name, capsys):
    """In its small form: finite scores, an interval beside the best, and a forecast."""
    settings, last = GROUNDS[name]
    main = runpy.run_path(str(EXAMPLES / f"{name}.py"))["main"]
    main(seeds=1, epochs=1, folds=2, **settings)
    printed = capsys.readouterr().out
    rows = [line for line in printed.splitlines() if line.startswith(("c", "emd"))]
    assert len(rows) == (5 if name == "oils" else 4)
    energies = [float(row.split()[1]) for row in rows]
    assert energies == sorted(energies)
    assert rows[0].split()[2] == "best"
    assert all(" to " in row for row in rows[1:])
    assert "For the whole distribution" in printed
    assert last in printed


def test_the_distances_of_the_cities_are_great_circles():
    names = runpy.run_path(str(EXAMPLES / "cities.py"))
    degrees = np.array([[90.0, 0], [0, 0], [0, 90], [45, 0], [0, -180]]).T
    far = names["great_circles"](*degrees) / names["EARTH"] / np.pi
    np.testing.assert_allclose(far[0], [0, 0.5, 0.5, 0.25, 0.5])
    np.testing.assert_allclose(far[1], [0.5, 0, 0.5, 0.25, 1.0])


def test_depth_maps_without_logits_learn_the_same_in_less_memory(capsys, monkeypatch):
    path = str(EXAMPLES / "depth_without_logits.py")
    runpy.run_path(path)["main"](epochs=1, rows=60)
    _, whole, chunks = (line.split() for line in capsys.readouterr().out.splitlines())
    assert float(chunks[-2]) == pytest.approx(float(whole[-2]), rel=1e-2)
    assert float(chunks[-1]) < float(whole[-1])
