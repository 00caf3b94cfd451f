"""The scripts in benchmarks/ run."""

import runpy
import warnings
from pathlib import Path

import pytest

BENCHMARKS = Path(__file__).parents[1] / "benchmarks"


@pytest.mark.slow
def test_cost_of_the_family_is_measured():
    script = runpy.run_path(str(BENCHMARKS / "family.py"))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # those of rivals
        found = script["measure"](smoke=True)
    ours = {(route.group, route.label) for route in script["OURS"]}
    measured = {(p["panel"], p["route"]) for p in found["points"]}
    assert ours <= measured
    assert all(point["us_per_row"] >= 0 for point in found["points"])
    assert script["draw"](found["points"]).startswith("<svg")
