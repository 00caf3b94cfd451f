"""What the site, the recipe and the citation say is what the code and the project say.

`make docs` builds the site itself, strict; here are the parts that need no MkDocs.
"""

import importlib
import re
import tomllib
from pathlib import Path

import pytest

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
    made = {"maths/README.md", *stage.AT_THE_TOP.values()}
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
