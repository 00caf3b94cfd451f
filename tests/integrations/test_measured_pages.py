"""The tables of the adapters' pages are those that were measured."""

import ast
import importlib
import inspect
import json
import re
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


def test_scoring_bench(benchmark):
    pytest.importorskip("pandas")
    found, text = measured("scoring_bench"), page("integrations")
    script = benchmark("scoring_bench")
    assert list(found["scores"]) == list(script.SETS)
    assert script.table(found) in text
    for names in (
        script.WHOLE,
        [each for each in script.SETS if each not in script.WHOLE],
    ):
        assert script.means(found, names) in text


@pytest.mark.parametrize(
    ("study", "where"),
    [
        ("series", "forecasting"),
        ("cartpole", "jobs"),
        ("noise", "jobs"),
        ("photos-lite0", "integrations"),
        ("photos-resnet18", "integrations"),
        ("coral", "reproductions"),
    ],
)
def test_the_studies_of_examples(study, where, benchmark):
    runs = measured("adapters")[study]
    assert benchmark("adapters").table(runs) in page(where)


def adapters() -> list[str]:
    import offby.integrations

    (folder,) = offby.integrations.__path__
    files = Path(folder).glob("[!_]*")
    return sorted(path.stem for path in files if path.suffix != ".js")


def lines() -> list[str]:
    _, _, table = page("integrations").partition("|---|---|---|\n")
    return table.partition("\n\n")[0].splitlines()


OBJECTS = {"forecast": "BinnedDistribution", "model": "BinnedRegressor"}
"""What the names in the table stand for."""
OF_OTHERS = {"Trainer", "SimpleFeedForwardEstimator", "regressor"}


def found(node: ast.expr) -> Any:
    """What an expression of the table is; a class stands for its objects.

    None if it is another library's. An AttributeError if there is no such thing.
    """
    if isinstance(node, ast.Attribute):
        of = found(node.value)
        return None if of is None else getattr(of, node.attr)
    if isinstance(node, ast.Call):
        if isinstance(node.func, ast.Attribute) and node.func.attr == "fit":
            return found(node.func.value)
        made = found(node.func)
        return made if inspect.isclass(made) else None
    assert isinstance(node, ast.Name)
    if node.id in OF_OTHERS:
        return None
    offby = importlib.import_module("offby")
    if node.id == "offby":
        return offby
    if node.id in OBJECTS:
        return getattr(offby, OBJECTS[node.id])
    return adapter_named(node.id)


def adapter_named(name: str) -> Any:
    """A name of one of the adapters; None if its library is not installed here."""
    folder = ROOT / "src/offby/integrations"
    for module in adapters():
        inside = folder / module / "__init__.py"
        file = inside if inside.exists() else folder / f"{module}.py"
        if f'"{name}"' not in file.read_text(encoding="utf-8"):  # in its __all__
            continue
        try:
            adapter = importlib.import_module(f"offby.integrations.{module}")
        except ImportError:
            return None
        return getattr(adapter, name)
    raise AttributeError(f"no adapter has {name}")


@pytest.mark.filterwarnings("ignore")  # those of the libraries
def test_what_the_lines_of_the_table_call_takes_these_arguments():
    codes = [
        code for row in lines() for code in re.findall("`(.+?)`", row.split("|")[2])
    ]
    codes = [code for code in codes if not code.startswith("offby ")]  # commands
    bound = 0
    for code in codes:
        for node in ast.walk(ast.parse(code)):
            if not isinstance(node, ast.Call) or (what := found(node.func)) is None:
                continue
            if isinstance(node.func, ast.Call):  # a module of PyTorch, called
                what = what.forward
            signature = inspect.signature(what)
            given = [*["self"] * ("self" in signature.parameters), *node.args]
            signature.bind(*given, **{str(key.arg): key for key in node.keywords})
            bound += 1
    assert bound >= len(codes)
    assert len(codes) >= 30


def test_every_adapter_has_a_line():
    """The table says for each what changes, and links to more."""
    rows = lines()
    assert [row for row in rows if "](" not in row.split("|")[3]] == []
    titles = {"scipy": "scipy.stats", "explainer": "Explainer", "widget": "Explainer"}
    titles["torch_distributions"] = "torch.distributions"
    named = "\n".join(rows).lower()
    missing = {a for a in adapters() if titles.get(a, a).lower() not in named}
    assert missing == set()
