"""The scripts in examples/ run, and find what their text says."""

import importlib
import math
import runpy
from pathlib import Path

import pytest

EXAMPLES = Path(__file__).parents[1] / "examples"


def test_digits_that_look_alike_are_closer(capsys):
    runpy.run_path(str(EXAMPLES / "digits.py"))["main"](seeds=1, epochs=8)
    printed = capsys.readouterr().out
    assert "3, 5, 8, 9 are closer than 0 and 1 in 1 of 1 seeds." in printed
    assert "plus squared mass" in printed


SMALL = {
    "shapes_of_digits": ({"seeds": 1, "epochs": 2, "rows": 300}, "accuracy, %"),
    "rotated_digits": ({"seeds": 1, "epochs": 2, "rows": 240}, "within 20, %"),
    "depth_in_bins": ({"seeds": 1, "epochs": 1, "rows": 60}, "ratio < 1.25, %"),
    "value_head": ({"seeds": 1, "epochs": 2, "rows": 600}, "not safe: RMSE"),
}


@pytest.mark.parametrize("job", SMALL)
def test_a_job_prints_its_table(job, capsys, monkeypatch):
    """The four jobs in their small form: every loss has a row of finite scores."""
    monkeypatch.syspath_prepend(EXAMPLES)
    settings, column = SMALL[job]
    runpy.run_path(str(EXAMPLES / f"{job}.py"))["main"](**settings)
    printed = capsys.readouterr().out.splitlines()
    assert any(column in line for line in printed)
    losses = importlib.import_module("jobs").LOSSES
    for name in losses:
        (row,) = (line for line in printed if line.startswith(f"{name} "))
        scores = [float(each.rstrip("*")) for each in row.split()[1:]]
        assert len(scores) >= 2
        assert all(map(math.isfinite, scores))
    assert any(line.startswith("* best") for line in printed)
