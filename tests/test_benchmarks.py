"""The scripts in benchmarks/ run."""

import functools
import json
import runpy
import subprocess
import sys
import warnings
from pathlib import Path

import pytest
import torch
from torch.nn import functional as F
from torch.testing import assert_close

from benchmarks import cpu, cpu_page, linear
from offby import datasets
from offby.cli.compare import compare
from offby.kernels.cpp import _library

BENCHMARKS = Path(__file__).parents[1] / "benchmarks"


@pytest.mark.parametrize("page", cpu_page.PAGES, ids=lambda page: page.name)
def test_pages_show_the_speeds_that_were_measured(page):
    record = json.loads(cpu_page.RESULT.read_text(encoding="utf-8"))
    assert cpu_page.PAGES[page](record) in page.read_text(encoding="utf-8")


def test_a_missed_goal_is_set_in_bold():
    record = json.loads(cpu_page.RESULT.read_text(encoding="utf-8"))
    for name, goals in cpu_page.GOALS.items():
        for shape, goal in zip(cpu.SHAPES, goals, strict=True):
            record["ratios"][shape][name]["ratio"] = goal + 0.1
    assert cpu_page.table(record).count("**") >= 2 * len(cpu_page.GOALS) * len(
        cpu.SHAPES
    )


def test_the_page_of_grids_shows_what_was_measured(monkeypatch):
    monkeypatch.syspath_prepend(BENCHMARKS)
    script = runpy.run_path(str(BENCHMARKS / "grids.py"))
    known = json.loads(script["OUT"].read_text(encoding="utf-8"))
    page = script["PAGE"].read_text(encoding="utf-8")
    assert page.endswith(script["MARK"] + "\n" + script["tables"](known))


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")  # those of a compiler
def test_what_a_gpu_will_be_asked_runs_on_the_cpu(tmp_path, capsys):
    if isinstance(_library.load(), str):
        pytest.skip("needs the C++ kernels in place of the Triton ones")
    script, out = runpy.run_path(str(BENCHMARKS / "gpu.py")), tmp_path / "gpu.json"
    for shape in ("6x10", "4x3"):
        assert script["main"](["--smoke", "--shapes", shape, "--out", str(out)]) == 0
    assert "FAILED" not in capsys.readouterr().out
    record = json.loads(out.read_text(encoding="utf-8"))
    assert record["device"]
    assert record["failures"] == []
    assert len(record["figures"]) == 4
    for figures in record["figures"].values():
        assert {"F.cross_entropy", "copy of the logits"} <= set(figures)
        for loss in ("squared_emd", "histogram_crps"):
            assert figures[loss]["weighted_error"] <= 8e-3
            assert figures[f"{loss}, plain, compiled"]["call_ratio"] > 0


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")
def test_a_failure_on_the_gpu_is_written_down_and_the_rest_goes_on(
    tmp_path, monkeypatch
):
    script, out = runpy.run_path(str(BENCHMARKS / "gpu.py")), tmp_path / "gpu.json"
    monkeypatch.setitem(script["DTYPES"], "float32", torch.int32)  # takes no gradient
    done = script["main"](["--smoke", "--shapes", "6x10", "--out", str(out)])
    assert done == 1
    record = json.loads(out.read_text(encoding="utf-8"))
    assert list(record["figures"]) == ["6x10 bfloat16"]
    assert len(record["failures"]) == 1


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


def test_the_page_has_the_measured_costs_of_forecasts(monkeypatch):
    monkeypatch.syspath_prepend(BENCHMARKS)
    script = runpy.run_path(str(BENCHMARKS / "forecasts.py"))
    found = json.loads(script["RESULT"].read_text(encoding="utf-8"))
    page = script["PAGE"].read_text(encoding="utf-8")
    assert script["made"](page, found) == page
    assert set(found["softmaxes"]) == set(script["calls_on"]((2, 80)))


def test_the_page_of_jobs_has_the_scores_that_were_found(monkeypatch):
    monkeypatch.setattr(sys, "path", [*sys.path])
    script = runpy.run_path(str(BENCHMARKS / "four_jobs.py"))
    known = json.loads(script["RESULT"].read_text(encoding="utf-8"))
    page = script["PAGE"].read_text(encoding="utf-8")
    assert script["made"](page, known) == page
    assert set(known) == set(script["SCRIPTS"])
    for name, job in known.items():
        example = script["EXAMPLES"] / f"{script['SCRIPTS'][name][0]}.py"
        names = runpy.run_path(str(example)).get("NAMES", script["LOSSES"])
        assert set(job["losses"]) == set(names)
        for each in job["losses"].values():
            assert len(each["scores"]) == job["seeds"]


@pytest.mark.slow
def test_costs_of_forecasts_are_measured(tmp_path, capsys):
    script = runpy.run_path(str(BENCHMARKS / "forecasts.py"))
    out = tmp_path / "forecasts.json"
    script["main"](["--smoke", "--out", str(out)])
    found = json.loads(out.read_text(encoding="utf-8"))["softmaxes"]
    assert found["softmax"]["time"] == 1
    assert 0.9 < found["softmax"]["memory"] < 1.5
    assert all(cost["time"] >= 0 for cost in found.values())
    assert "| `crps(y)` |" in capsys.readouterr().out


def test_the_page_of_scale_shows_what_was_measured(monkeypatch):
    monkeypatch.syspath_prepend(BENCHMARKS)
    script = runpy.run_path(str(BENCHMARKS / "scale.py"))
    found = json.loads(script["OUT"].read_text(encoding="utf-8"))
    text = script["PAGE"].read_text(encoding="utf-8")
    assert script["made"](text, found) == text
    # An axis ends before a fit that the sizes before foresee to take too long.
    growing = [
        {"size": size, "fit, CPU s": seconds}
        for size, seconds in ((1, 1.0), (10, 20.0))
    ]
    assert script["expected_seconds"](growing, 100) == pytest.approx(400)
    assert script["expected_seconds"](growing[:1], 10) == 0


@pytest.mark.slow
def test_a_report_is_made(tmp_path, capsys, monkeypatch):
    script = runpy.run_path(str(BENCHMARKS / "reports.py"))
    assert {case.name for case in script["CASES"]} > {"wine-red", "bikes", "abalone"}
    small = ("--sample", "120", "--bins", "8", "--losses", "ce,emd2", "-j", "1")
    case = script["Case"]("concrete", "concrete.csv.gz", "compressive_strength", small)
    monkeypatch.setitem(script["main"].__globals__, "CASES", (case,))
    script["main"](["--quick", "--out", str(tmp_path), "concrete"])
    page = (tmp_path / "concrete.html").read_text(encoding="utf-8")
    assert "compressive_strength" in page
    assert "concrete.html  " in capsys.readouterr().out
    with pytest.raises(SystemExit):
        script["main"](["nonsense"])


def test_every_report_has_its_table_and_its_command():
    script = runpy.run_path(str(BENCHMARKS / "reports.py"))
    for case in script["CASES"]:
        table = script["HOME"] / "data" / case.table
        assert table.exists() or case.table in datasets.names()
        assert (script["HOME"] / f"{case.name}.html").exists()
        words = case.command(quick=True)[1:]
        with compare.make_context("compare", words) as made:
            assert made.params["target"] == case.target
            assert made.params["quick"]


@pytest.mark.slow
def test_targets_are_measured_beside_those_by_hand(tmp_path):
    out = tmp_path / "cpu.json"
    arguments = ["--shapes", "targets", "--rounds", "2", "--out", str(out)]
    script = [sys.executable, str(BENCHMARKS / "cpu.py"), *arguments]
    subprocess.run(script, check=True, capture_output=True)
    figures = json.loads(out.read_text(encoding="utf-8"))["ratios"]["targets"]
    for name, by_hand in runpy.run_path(str(BENCHMARKS / "cpu.py"))["OVER"].items():
        assert figures[name]["ratio"] > 0
        assert figures[name]["mib"] <= 1.5 * figures[by_hand]["mib"]


@pytest.mark.slow
def test_the_study_of_the_verdicts_runs(tmp_path, capsys, monkeypatch):
    monkeypatch.syspath_prepend(BENCHMARKS)
    script, out = runpy.run_path(str(BENCHMARKS / "verdict.py")), tmp_path / "v.json"
    script["main"](["--smoke", "--out", str(out)])
    assert "emd1 settled" in capsys.readouterr().out
    assert script["page"](json.loads(out.read_text(encoding="utf-8")))


def test_the_page_of_linear_losses_shows_what_was_measured():
    runs = json.loads(linear.RESULT.read_text(encoding="utf-8"))
    assert linear.tables(runs) in linear.PAGE.read_text(encoding="utf-8")
    assert linear.summary(runs) in linear.README.read_text(encoding="utf-8")
    for threads, record in runs.items():
        assert record["machine"]["threads"] == int(threads)
        assert set(record["figures"]) == set(linear.SHAPES)


def test_chunks_of_classes_give_the_gradients_of_whole_logits(monkeypatch):
    """The design that docs/linear.md says is slower is not a wrong one."""
    monkeypatch.setattr(linear.class_chunks, "WIDTH", 7)
    generator = torch.Generator().manual_seed(0)
    draw = functools.partial(torch.randn, generator=generator, dtype=torch.float64)
    hidden, weight = draw(20, 5).requires_grad_(), draw(30, 5).requires_grad_()
    target = torch.randint(30, (20,), generator=generator)
    loss = F.cross_entropy(F.linear(hidden, weight), target)
    right = loss, *torch.autograd.grad(loss, (hidden, weight))
    found = linear.class_chunks.gradients(hidden.detach(), weight.detach(), target)
    assert_close(found, right)


def test_linear_losses_are_measured_in_chunks_and_whole():
    with torch.random.fork_rng():
        found = linear.measured(linear.calls(6, 3, 4), 2, cpu.CLOCKS["cpu"])
    assert {linear.BASE, *linear.OURS.values()} <= set(found)
    assert all(figure["mib"] > 0 for figure in found.values())
