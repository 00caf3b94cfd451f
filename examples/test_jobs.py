"""The jobs run in their small form, and find what their text says."""

import importlib
import math
import runpy
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("polars")

EXAMPLES = Path(__file__).parent


def test_digits_that_look_alike_are_closer(capsys):
    runpy.run_path(str(EXAMPLES / "digits.py"))["main"](seeds=1, epochs=8)
    printed = capsys.readouterr().out
    assert "3, 5, 8, 9 are closer than 0 and 1 in 1 of 1 seeds." in printed
    assert "plus squared mass" in printed


SMALL = {
    "shapes_of_digits": ({"seeds": 1, "epochs": 2, "rows": 300}, "accuracy, %"),
    "rotated_digits": ({"seeds": 1, "epochs": 2, "rows": 240}, "within 20, %"),
    "depth_in_bins": ({"seeds": 1, "epochs": 1, "rows": 60}, "ratio < 1.25, %"),
    "value_head": ({"seeds": 1, "epochs": 2, "rows": 600}, "not safe: RMSE"),
}


@pytest.mark.parametrize("job", SMALL)
def test_a_job_prints_its_table(job, capsys):
    """The four jobs in their small form: every loss has a row of finite scores."""
    settings, column = SMALL[job]
    runpy.run_path(str(EXAMPLES / f"{job}.py"))["main"](**settings)
    printed = capsys.readouterr().out.splitlines()
    assert any(column in line for line in printed)
    losses = importlib.import_module("jobs").LOSSES
    for name in losses:
        (row,) = (line for line in printed if line.startswith(f"{name} "))
        scores = [float(each.rstrip("*")) for each in row.split()[1:]]
        assert len(scores) >= 2
        assert all(map(math.isfinite, scores))
    assert any(line.startswith("* best") for line in printed)


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
