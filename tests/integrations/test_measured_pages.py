"""The tables of the adapters' pages are those that were measured."""

import importlib
import json
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


@pytest.mark.parametrize(
    ("study", "where"),
    [("series", "forecasting"), ("cartpole", "jobs"), ("noise", "jobs")],
)
def test_the_studies_of_examples(study, where, benchmark):
    runs = measured("adapters")[study]
    assert benchmark("adapters").table(runs) in page(where)


def test_every_adapter_has_a_line():
    """The table says for each what changes, and links to more."""
    import offby.integrations

    (folder,) = offby.integrations.__path__
    adapters = {
        path.stem for path in Path(folder).glob("[!_]*") if path.suffix != ".js"
    }
    _, _, table = page("integrations").partition("|---|---|---|\n")
    rows = table.partition("\n\n")[0].splitlines()
    assert [row for row in rows if "](" not in row.split("|")[3]] == []
    called = {"scipy": "scipy.stats", "explainer": "Explainer", "widget": "Explainer"}
    called["torch_distributions"] = "torch.distributions"
    named = "\n".join(rows).lower()
    missing = {a for a in adapters if called.get(a, a).lower() not in named}
    assert missing == set()
