"""The scripts in examples/ run, and find what their text says."""

import importlib
import math
import runpy
from pathlib import Path

import numpy as np
import pytest

from offby import models, tables

pl = pytest.importorskip("polars")

EXAMPLES = Path(__file__).parents[1] / "examples"


@pytest.fixture(autouse=True)
def examples_find_each_other(monkeypatch):
    """As where Python starts one of them: its folder is searched for the others."""
    monkeypatch.syspath_prepend(EXAMPLES)


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


@pytest.mark.slow
def test_a_pipeline_is_searched_explained_and_saved(capsys):
    main = runpy.run_path(str(EXAMPLES / "pipeline.py"))["main"]
    main(rows=240, max_iter=2, n_members=2, hidden_layer_sizes=(8,))
    printed = capsys.readouterr().out
    for part in ("RPS in the search", "calibration temperature", "CRPS without"):
        assert part in printed
    assert "width of 90 % of alcohol by" in printed
    assert "forecasts as before: True" in printed


@pytest.mark.filterwarnings("ignore")  # those of web frameworks
def test_a_model_is_served(tmp_path, monkeypatch):
    """One row, many rows, and rows that do not fit."""
    pytest.importorskip("fastapi")
    pytest.importorskip("httpx")
    TestClient = importlib.import_module("fastapi.testclient").TestClient

    size = np.linspace(1, 9, 60)
    table = pl.DataFrame({"size": size, "color": ["red", "blue"] * 30, "price": size})
    problem = tables.prepare(table, "price")
    fitted = models.fit_problem(problem, models.Choice(max_time=0.01), target="price")
    models.save(fitted.estimator, tmp_path / "price.offby", fitted.about)
    monkeypatch.setenv("OFFBY_MODEL", str(tmp_path / "price.offby"))
    client = TestClient(runpy.run_path(str(EXAMPLES / "serve.py"))["app"])
    row = {"size": 3.5, "color": "red"}
    one = client.post("/forecast", json=row).json()
    assert one.keys() == {"mean", "median", "low_90", "high_90", "notes"}
    rows = [row, {"size": None, "color": "pink"}]
    many = client.post("/forecasts", json=rows).json()
    assert many["forecasts"][0]["median"] == pytest.approx(one["median"])
    assert "'pink'" in many["notes"][0]
    refused = client.post("/forecast", json={"size": 3})
    assert refused.status_code == 422
    assert "got none for 'color'" in refused.json()["detail"]
    assert client.post("/forecasts", json=[]).status_code == 422
    assert client.get("/model").json()["target"] == "price"


def test_depth_maps_without_logits_learn_the_same_in_less_memory(capsys, monkeypatch):
    path = str(EXAMPLES / "depth_without_logits.py")
    runpy.run_path(path)["main"](epochs=1, rows=60)
    _, whole, chunks = (line.split() for line in capsys.readouterr().out.splitlines())
    assert float(chunks[-2]) == pytest.approx(float(whole[-2]), rel=1e-2)
    assert float(chunks[-1]) < float(whole[-1])


def test_a_language_head_prints_how_far_off_it_is(capsys):
    main = runpy.run_path(str(EXAMPLES / "language_head.py"))["main"]
    main(seeds=1, epochs=1, rows=200)
    _, *rows = (line.split() for line in capsys.readouterr().out.splitlines())
    assert [row[0] for row in rows] == ["ce", "ce+emd2"]
    assert all(0 <= float(row[1]) <= 200 for row in rows)
