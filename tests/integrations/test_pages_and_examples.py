"""The examples of the adapters run, and their pages say what was measured."""

import json
import math
import re
import runpy
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


def test_numbers_of_a_small_language_model(capsys):
    main = runpy.run_path(str(ROOT / "examples/number_tokens.py"))["main"]
    found = main(seeds=1, epochs=1, rows=300)
    assert list(found) == ["ce", "ce+emd1", "ce+emd2", "ce+cce"]
    for (run,) in found.values():
        assert all(math.isfinite(score) for score in run.values())
        assert 0 <= run["exact, %"] <= 100
    # Of four models that begin alike, each loss makes another one.
    assert len({run["mean error"] for (run,) in found.values()}) == 4
    assert "ce+emd2" in capsys.readouterr().out


def test_stars_of_reviews(tmp_path, capsys):
    words = {-3.2: "awful", -1.1: "poor", 0.2: "plain", 1.4: "good", 3.0: "superb"}
    lines = [
        f"{k}_1\t{rating}\tThis {thing} is {word}."
        for k, thing in enumerate(["phone", "book", "lamp", "radio", "chair"] * 4)
        for rating, word in words.items()
    ]
    file = tmp_path / "reviews.txt"
    file.write_text("\n".join(lines))
    main = runpy.run_path(str(ROOT / "examples/rating_head.py"))["main"]
    found = main(file, seeds=1, epochs=1)
    assert list(found) == ["ce", "ce+emd2", "CORAL", "CORN"]
    assert all(0 < run["RPS"] < 3 for (run,) in found.values())
    assert "kappa" in capsys.readouterr().out


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
