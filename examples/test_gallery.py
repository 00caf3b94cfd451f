"""The first steps run as their pages show them, and every script has a test."""

import importlib
import re
import traceback
from pathlib import Path

import pytest

from website import cells

EXAMPLES = Path(__file__).parent
FIRST_STEPS = sorted((EXAMPLES / "first_steps").glob("*.py"))
SHARED = {"jobs", "ground_table", "conftest"}
"""What scripts import, and no examples themselves."""


@pytest.mark.parametrize("path", FIRST_STEPS, ids=lambda path: path.stem)
def test_a_first_step(path):
    pytest.importorskip("polars")
    pytest.importorskip("pandas")
    outputs = cells.run(path)
    shown = [output for output in outputs if output.text or output.pictures]
    assert len(shown) >= 1
    for output in outputs:
        assert "nan" not in output.text
        assert all(picture.count("<path") > 5 for picture in output.pictures)


def test_every_script_is_listed_and_tested(monkeypatch):
    scripts = {path for path in EXAMPLES.rglob("*.py") if "test_" not in path.name}
    scripts = {path for path in scripts if path.stem not in SHARED}
    monkeypatch.syspath_prepend(EXAMPLES.parent / "website")
    listed = importlib.import_module("scripts").listed()
    assert sorted(listed) == sorted(scripts)
    tests = "".join(path.read_text() for path in EXAMPLES.glob("test_*.py"))
    rest = {path.stem for path in scripts - {*FIRST_STEPS}}
    named = {name for name in rest if f'"{name}' in tests}
    named |= {name for name in rest if f'"{name.removeprefix("boosting_")}"' in tests}
    assert rest == named


def test_cells_of_code_and_text(tmp_path):
    script = tmp_path / "script.py"
    script.write_text(
        '"""A title.\n\nAnd more.\n"""\n\nx = 1\n\n# %% Print\nprint(x)\n\n'
        "# %% [markdown]\n# So *it* is.\n#\n# Really.\n\n# %%\nprint(1 / 0)\n"
    )
    assert cells.introduction(script.read_text()) == ("A title", "And more.")
    first, code, text, last = cells.split(script.read_text())
    assert (first.source, first.line, code.title) == ("x = 1", 6, "Print")
    assert (text.is_text, text.source) == (True, "So *it* is.\n\nReally.")
    assert (last.title, last.source) == ("", "print(1 / 0)")
    with pytest.raises(ZeroDivisionError) as error:
        cells.run(script)
    at = traceback.extract_tb(error.value.__traceback__)[-1]
    assert (at.filename, at.lineno) == (str(script), last.line)
    assert script.read_text().splitlines()[last.line - 1] == last.source


def test_a_page_shows_the_output_and_says_when_it_is_older(tmp_path, monkeypatch):
    monkeypatch.syspath_prepend(EXAMPLES.parent / "website")
    gallery = importlib.import_module("gallery")
    path = EXAMPLES / "first_steps" / "near_and_far.py"
    number = len(cells.split(path.read_text()))
    outputs = (cells.Output("forty-two", ("<svg/>",)),) * number
    new = gallery.Kept(gallery.fingerprint(path), outputs)
    shown = gallery.page(path, new, tmp_path / "near.md")
    assert shown.count("\nforty-two\n") == number
    assert "earlier version" not in shown
    for picture in re.findall(r"!\[.+?\]\((.+?)\)", shown):
        assert (tmp_path / picture).read_text() == "<svg/>"
    old = gallery.Kept("of another text", outputs)
    assert "earlier version" in gallery.page(path, old, tmp_path / "near.md")
    assert "not kept here" in gallery.page(path, None, tmp_path / "near.md")


def test_what_is_kept_is_of_scripts_that_are_there(monkeypatch):
    monkeypatch.syspath_prepend(EXAMPLES.parent / "website")
    gallery = importlib.import_module("gallery")
    for file in gallery.KEPT.glob("*.json"):
        path = EXAMPLES / f"{file.stem}.py"
        found = gallery.kept(path)
        assert len(found.outputs) == len(cells.split(path.read_text())), file.stem
        assert any(output.text for output in found.outputs)
