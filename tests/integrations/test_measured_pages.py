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
