"""The pages of the adapters run, and say what was measured."""

import json
import re
from pathlib import Path

import pytest

pytest.importorskip("tokenizers")
pytest.importorskip("transformers")
pytest.importorskip("torchmetrics")

from benchmarks import language_models as measured

ROOT = Path(__file__).parents[2]
FOUND = json.loads((ROOT / "docs/language_models.json").read_text())
pytestmark = pytest.mark.filterwarnings("ignore")  # those of the libraries


def page(name: str) -> str:
    return (ROOT / "docs" / name).read_text(encoding="utf-8")


@pytest.mark.parametrize("name", ["language-models.md", "training-loops.md"])
def test_the_python_of_a_page_runs_from_top_to_bottom(name, tmp_path, monkeypatch):
    pytest.importorskip("lightning")
    monkeypatch.chdir(tmp_path)
    blocks = re.findall(r"^```python\n(.*?)^```$", page(name), flags=re.M | re.S)
    assert len(blocks) >= 2
    names: dict = {}
    for block in blocks:
        exec(compile(block, name, "exec"), names)


def test_the_table_of_costs_is_that_which_was_measured():
    models = page("language-models.md")
    assert measured.cost_table(FOUND["cost"]["cases"]) in models
    assert f"{FOUND['cost']['vocabulary']:,}" in models


def test_ntloss_and_offby_compute_the_same():
    cases = FOUND["cost"]["cases"]
    theirs, ours = cases["F.cross_entropy + ntloss"], cases["NumberTokenLoss, emd1"]
    assert ours["loss"] == pytest.approx(theirs["loss"], rel=1e-6)
    assert ours["seconds"] < theirs["seconds"]
    assert ours["megabytes"] < theirs["megabytes"]


def test_the_table_of_products_is_that_which_was_measured():
    runs = FOUND["accuracy"]["runs"]
    assert measured.score_table(runs, measured.ACCURACY) in page("language-models.md")
    errors = {
        loss: [run["mean error"] for run in found] for loss, found in runs.items()
    }
    nearer = {
        loss: sum(a < b for a, b in zip(found, errors["ce"], strict=True))
        for loss, found in errors.items()
    }
    assert nearer == {"ce": 0, "ce+emd1": 3, "ce+emd2": 1, "ce+cce": 2}


def test_the_table_of_ratings_is_that_which_was_measured():
    runs = FOUND["reviews"]["runs"]
    assert measured.score_table(runs, measured.RATINGS) in page("language-models.md")
