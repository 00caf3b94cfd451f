"""The scripts in examples/ run, and find what their text says."""

import runpy
from pathlib import Path

EXAMPLES = Path(__file__).parents[1] / "examples"


def test_digits_that_look_alike_are_closer(capsys):
    runpy.run_path(str(EXAMPLES / "digits.py"))["main"](seeds=1, epochs=8)
    printed = capsys.readouterr().out
    assert "3, 5, 8, 9 are closer than 0 and 1 in 1 of 1 seeds." in printed
    assert "plus squared mass" in printed
