"""What the README shows must run."""

import re
import shlex
from functools import partial
from pathlib import Path

import pytest
from click.testing import CliRunner

from offby import models, tables
from offby.cli import main

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text()
BLOCKS = re.findall(r"^```python\n(.*?)^```$", README, flags=re.M | re.S)


@pytest.mark.slow
def test_the_python_of_the_readme_runs_from_top_to_bottom(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)  # a model is saved
    assert BLOCKS
    names: dict[str, object] = {}
    for block in BLOCKS:
        exec(compile(block, "README.md", "exec"), names)


def test_the_commands_from_a_table_to_a_model_run(tmp_path, monkeypatch):
    pytest.importorskip("polars")
    monkeypatch.chdir(tmp_path)
    found, small = models.ModelKind.estimator, {"max_iter": 2, "n_bags": 1}
    monkeypatch.setattr(
        models.ModelKind,
        "estimator",
        lambda self, kind: partial(found(self, kind), **small),
    )
    wine = tables.read("wine-red").head(300)
    wine.write_csv("wine.csv")
    wine.head(20).drop("quality").write_csv("new-wine.csv")
    wine.tail(20).write_csv("test-wine.csv")
    section = README.partition("## From a table to a model")[2].partition("\n## ")[0]
    commands = re.findall(r"^\$ offby (.*)$", section, flags=re.M)
    assert len(commands) == 4
    for command in commands:
        words = shlex.split(command, comments=True)
        made = CliRunner().invoke(main, words, catch_exceptions=False)
        assert made.exit_code == 0, made.output
    assert len(Path("predictions.csv").read_text().splitlines()) == 21
