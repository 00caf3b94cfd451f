"""What the site, the recipe and the citation say is what the code and the project say.

`make docs` builds the site itself, strict; here are the parts that need no MkDocs.
"""

import importlib
import json
import re
import shutil
import tomllib
from pathlib import Path

import pytest

from offby import explain
from offby.cli.installed import BRINGS
from offby.losses.registry import LOSSES

ROOT = Path(__file__).parents[1]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
pytest.importorskip("altair")


@pytest.fixture
def website(monkeypatch):
    monkeypatch.syspath_prepend(ROOT / "website")
    return importlib.import_module


@pytest.mark.parametrize("loss", LOSSES, ids=lambda loss: loss.name)
def test_a_loss_has_a_page_with_the_same_fields(loss, website, tmp_path):
    page = website("losses").page(loss, tmp_path)
    assert page.startswith("# ")
    assert loss.formula in page
    assert f"| Proper | {loss.proper} |" in page
    assert f"](../maths/{loss.page}.md)" in page
    assert "## Arguments" in page
    assert "## Cost" in page
    assert "## Where it wins" in page
    assert ("## What it pushes" in page) == (loss.takes != "batch")
    if loss.function is not None:
        assert f"::: {loss.function.__module__}.{loss.function.__name__}" in page
        assert website("losses").criterion_of(loss) is not None


def test_the_pushes_of_a_page_are_those_of_the_theory(website):
    """docs/maths/anatomy.md: +0.92 on the true class of five."""
    pictures = website("pictures")
    (ce,) = (loss for loss in LOSSES if loss.name == "ce")
    assert float(pictures.pushes(ce)[4]) == pytest.approx(0.92)
    assert float(pictures.pushes(ce).sum()) == pytest.approx(0, abs=1e-12)


def test_where_a_loss_wins_is_what_was_measured(website):
    wins = website("wins")
    found = json.loads((ROOT / "docs/choosing.json").read_text())
    for metric, verdict in found["concrete"]["verdicts"].items():
        winner = wins.where_it_wins(verdict["best"])
        line = next(row for row in winner.splitlines() if "strength of" in row)
        best, _, _ = line.partition(";")
        assert wins.METRICS[metric] in best.partition("best by")[2]
    assert "| best by" not in wins.where_it_wins("two-hot")
    assert "so we cannot say" in wins.where_it_wins("sinkhorn")


def test_wins_over_problems_are_counted_by_the_lowest_score(website, monkeypatch):
    wins = website("wins")
    problems = [
        {"kind": "classes", "scores": {"ce": {"rps": a}, "emd2": {"rps": b}}}
        for a, b in [(1.0, 0.5), (1.0, 0.9), (1.0, 1.2)]
    ]
    monkeypatch.setattr(wins, "_measured", lambda file: problems)
    ((_, ce, _),) = wins._many_problems("ce")
    ((_, emd2, _),) = wins._many_problems("emd2")
    assert ce == "lowest RPS in 1 of 3, against `emd2`"
    assert emd2.startswith("lowest RPS in 2 of 3, against `ce`")
    assert emd2.endswith("median gain over `ce`: +10.0 %")


def test_stops_of_the_explainer_are_those_of_its_page(website):
    embedded = website("embedded")
    page = explain.render()
    titles = embedded.stop_titles()
    assert len(titles) >= 7
    assert [title for title in titles if title not in page] == []
    named = {loss.name: loss for loss in LOSSES}
    for name, stops in embedded.STOPS.items():
        for number, losses in stops.items():
            assert titles[number - 1] in embedded.stops_of(named[name])
            assert name in losses.split(",")
    assert {number for stops in embedded.STOPS.values() for number in stops} == {
        *range(1, 7)
    }
    assert embedded.stops_of(named["slace"]) == ""


def test_an_adapter_in_a_folder_has_a_page_of_reference(website, tmp_path):
    website("catalog")._integrations(tmp_path)
    (folder,) = importlib.import_module("offby.integrations").__path__
    adapters = {
        found.stem
        for found in Path(folder).glob("[!_]*")
        if found.suffix == ".py" or (found / "__init__.py").exists()
    }
    pages = {page.stem for page in (tmp_path / "reference").glob("*.md")}
    assert pages == {f"offby.integrations.{name}" for name in adapters}
    text = (tmp_path / "reference/offby.integrations.transformers.md").read_text()
    assert "::: offby.integrations.transformers._trainer.compute_loss_func" in text
    assert "(../language-models.md)" in text


def test_what_the_theme_leaves_without_a_name_gets_one(website):
    theme = website("theme")
    made = theme.mended_page(f"{theme.SEARCH}</div>")
    assert 'role="dialog" aria-label="Search"></div>' in made
    with pytest.raises(ValueError, match="Material has changed"):
        theme.mended_page("<p>another theme</p>")
    assert (
        theme.mended_script(f"x({theme.BUTTONS})") == 'x("div",{class:"md-code__nav"})'
    )


def test_roles_of_docstrings_are_plain_words(website):
    made = website("formulas").in_docstring("As :func:`offby.losses.slace` does.")
    assert made == "As `offby.losses.slace` does."


def test_the_search_of_the_site_needs_no_server(tmp_path):
    """Browsers refuse a worker from a file: iframe-worker.js stands in for it."""
    sync_api = pytest.importorskip("playwright.sync_api")
    chromium = shutil.which("chromium") or shutil.which("chromium-browser")
    if chromium is None:
        pytest.skip("needs Chromium, which is not on this machine")
    shutil.copy(ROOT / "website/iframe-worker.js", tmp_path)
    (tmp_path / "twice.js").write_text(
        'addEventListener("message", (event) => postMessage(2 * event.data));'
    )
    page = tmp_path / "page.html"
    page.write_text(
        "<!doctype html><script src=iframe-worker.js></script><script>"
        'const worker = new Worker("twice.js");'
        'worker.addEventListener("message", (event) => (document.title = event.data));'
        "worker.postMessage(21);</script>"
    )
    with sync_api.sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=chromium, args=["--no-sandbox", "--disable-gpu"]
        )
        view = browser.new_page()
        view.goto(page.as_uri())
        view.wait_for_function("document.title === '42'")
        browser.close()


def test_every_page_is_in_the_navigation(website, tmp_path):
    for name in ("index.md", "new-page.md", "losses/index.md", "losses/ce.md"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()
    found = website("navigation").navigation(tmp_path)
    sections = {name: pages for each in found for name, pages in each.items()}
    assert sections["Start"] == ["index.md"]
    assert sections["Losses"] == ["losses/index.md", "losses/ce.md"]
    assert sections["Guides"] == ["new-page.md"]


def test_pages_named_by_the_navigation_exist(website):
    stage = website("stage")
    names = [n for listed in website("navigation").SECTIONS.values() for n in listed]
    made = {"maths/README.md", "explainer/index.md"}
    made |= {*stage.AT_THE_TOP.values(), *stage.EXAMPLES.values()}
    plain = [name for name in names if "*" not in name and name not in made]
    assert [name for name in plain if not (ROOT / "docs" / name).exists()] == []
    assert [name for name in stage.AT_THE_TOP if not (ROOT / name).exists()] == []


def test_links_to_code_lead_to_a_page_of_it(website, tmp_path):
    stage = website("stage")
    (tmp_path / "x.md").touch()
    linked: set[Path] = set()
    text = "[code](../src/offby/notebook.py) [page](heads.md#links) [out](https://a.b)"
    page, to = ROOT / "docs/x.md", tmp_path / "x.md"
    found = stage._relinked(text, page, to, tmp_path, linked)
    assert found == (
        "[code](code/src/offby/notebook.py.md) [page](heads.md#links) [out](https://a.b)"
    )
    assert linked == {ROOT / "src/offby/notebook.py"}


def test_the_version_is_the_same_everywhere():
    version = PROJECT["version"]
    assert f"version: {version}\n" in (ROOT / "CITATION.cff").read_text()
    assert f'set version = "{version}"' in (ROOT / "recipe/meta.yaml").read_text()


def test_the_recipe_needs_what_the_project_needs():
    recipe = (ROOT / "recipe/meta.yaml").read_text()
    run = recipe.partition("  run:\n")[2].partition("test:")[0]
    found = {
        line.strip("- ").replace(" ", "").replace("pytorch", "torch")
        for line in run.splitlines()
    }
    assert found == {*PROJECT["dependencies"], "python" + PROJECT["requires-python"]}


def test_the_page_of_installation_explains_every_extra():
    page = (ROOT / "docs/install.md").read_text(encoding="utf-8")
    assert set(re.findall(r"^\| `(\w+)` \|", page, re.M)) == set(BRINGS)
