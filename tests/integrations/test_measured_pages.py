"""The tables of the adapters' pages are those that were measured, and examples run."""

import importlib
import json
import math
import runpy
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[2]


def measured(name: str) -> dict[str, Any]:
    return json.loads((ROOT / f"docs/{name}.json").read_text())


def page(name: str) -> str:
    return (ROOT / f"docs/{name}.md").read_text(encoding="utf-8")


@pytest.fixture
def benchmark(monkeypatch):
    monkeypatch.syspath_prepend(ROOT / "benchmarks")
    return importlib.import_module


def test_criteria_on_borders(benchmark):
    found, text = measured("foundation_models"), page("foundation-models")
    script = benchmark("foundation_models")
    assert script.table(found["cost"]) in text
    assert script.tuning_table(found["tuning"]) in text
    gaps = {
        name: each["gap to the exact CRPS"]
        for name, each in found["cost"]["5000"].items()
    }
    assert (
        gaps["offby, CRPS"] < 1e-6 < gaps["offby, squared EMD"] < gaps["TabPFN, CRPS"]
    )


def test_prediction_sets(benchmark):
    pytest.importorskip("polars")
    found, text = measured("prediction_sets"), page("integrations")
    script = benchmark("prediction_sets")
    assert script.table(found["classes"]) in text
    assert script.table(found["numbers"]) in text
    for methods in found["classes"].values():
        assert methods["predict_interval"]["with holes, %"] == 0
    survey = found["classes"]["anes"]
    assert 18 < survey["LAC of MAPIE"]["with holes, %"] < 22
    assert 45 < survey["APS of MAPIE"]["with holes, %"] < 50


def test_logits_over_borders_are_fine_tuned(capsys):
    main = runpy.run_path(str(ROOT / "examples/finetune_bars.py"))["main"]
    found = main(seeds=1, epochs=1)
    assert list(found)[:3] == ["before", "log density", "CRPS"]
    assert len({run["CRPS"] for (run,) in found.values()}) == 5
    assert all(
        math.isfinite(each) for (run,) in found.values() for each in run.values()
    )
    assert "log density + CRPS" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("study", "where"),
    [("series", "forecasting"), ("cartpole", "jobs"), ("noise", "jobs")],
)
def test_the_studies_of_examples(study, where, benchmark):
    runs = measured("adapters")[study]
    assert benchmark("adapters").table(runs) in page(where)


def test_noisy_targets(capsys):
    main = runpy.run_path(str(ROOT / "examples/noisy_targets.py"))["main"]
    found = main(seeds=1, epochs=1, rows=200)
    assert len({run["none"] for (run,) in found.values()}) == 5
    assert all(each < 30 for (run,) in found.values() for each in run.values())
    assert "HL-Gauss" in capsys.readouterr().out


@pytest.mark.filterwarnings("ignore")  # those of Gymnasium
def test_values_of_cartpole(capsys):
    pytest.importorskip("gymnasium")
    main = runpy.run_path(str(ROOT / "examples/cartpole_values.py"))["main"]
    found = main(seeds=1, updates=5, rows=300, states=4)
    assert all(
        math.isfinite(each) for (run,) in found.values() for each in run.values()
    )
    assert "two-hot" in capsys.readouterr().out


@pytest.mark.filterwarnings("ignore")  # those of GluonTS and Lightning
def test_hourly_temperatures(capsys):
    pytest.importorskip("gluonts.torch")
    pytest.importorskip("vega_datasets")
    main = runpy.run_path(str(ROOT / "examples/forecast_series.py"))["main"]
    found = main(seeds=1, epochs=1, batches=1, days=1)
    assert all(
        math.isfinite(each) for (run,) in found.values() for each in run.values()
    )
    assert "bins, CRPS" in capsys.readouterr().out


def test_squared_emd_on_classes(capsys, monkeypatch):
    monkeypatch.syspath_prepend(ROOT / "examples")
    path = str(ROOT / "examples/squared_emd_on_classes.py")
    found = runpy.run_path(path)["main"](seeds=1, epochs=1, rows=90)
    assert len(found) == 9  # three sets, three losses
    for (run,) in found.values():
        assert 0 <= run["exact, %"] <= run["within one, %"] <= 100
        assert 0 < run["RPS"] < 10
    assert "turned digits" in capsys.readouterr().out


@pytest.mark.filterwarnings("ignore")  # of a perceptron that is not done
def test_a_second_softmax_makes_scores_worse(capsys):
    """The collection's tables are read from a folder; the wines come with offby."""
    main = runpy.run_path(str(ROOT / "examples/toc_uco.py"))["main"]
    found = main(splits=1, max_iter=2, n_members=1)
    assert {key.split(", ")[0] for key in found} == {"wine"}
    for (run,) in found.values():
        assert run["RPS"] < run["RPS, softmax twice"]
    assert "published perceptron" in capsys.readouterr().out
