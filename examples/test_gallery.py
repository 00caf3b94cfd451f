"""The first steps run as their pages show them, and every script has a test."""

import re
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


def test_every_script_is_listed_and_tested():
    scripts = {path for path in EXAMPLES.rglob("*.py") if "test_" not in path.name}
    scripts = {path for path in scripts if path.stem not in SHARED}
    listed = re.findall(
        r"^- \[.*?\]\((.+?)\)", (EXAMPLES / "README.md").read_text(), re.M
    )
    assert sorted(EXAMPLES / name for name in listed) == sorted(scripts)
    tests = "".join(path.read_text() for path in EXAMPLES.glob("test_*.py"))
    rest = {path.stem for path in scripts - {*FIRST_STEPS}}
    named = {name for name in rest if f'"{name}' in tests}
    named |= {name for name in rest if f'"{name.removeprefix("boosting_")}"' in tests}
    assert rest == named
