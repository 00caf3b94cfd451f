"""`offby doctor` tells the truth about packages, extras, kernels and what to do."""

import re
import tomllib
from importlib.metadata import version
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from offby import kernels
from offby.cli import doctor, main
from offby.cli.installed import (
    ADAPTERS,
    BRINGS,
    FOR_DEVELOPERS,
    Package,
    packages,
)
from offby.models.kinds import MODELS

ROOT = Path(__file__).parents[1]
OFF = kernels.Check("cpp", False, "it was not built")
RUNS = kernels.Check("cpp", True, "C++ on the CPU")


def call() -> Result:
    return CliRunner().invoke(main, ["doctor"])


def test_it_says_what_runs_and_why_not_the_rest(monkeypatch):
    result = call()
    assert result.exit_code == 0, result.output
    assert "torch    runs" in result.stdout
    assert "cpp" in result.stdout
    monkeypatch.setenv("OFFBY_KERNELS", "nonsense")
    result = call()
    assert result.exit_code == 2
    assert "must be one of auto, torch, cpp, triton" in result.output


def test_the_options_that_extras_name_are_there():
    named = re.findall(r"--model (\w+)", " ".join(BRINGS.values()))
    assert named
    assert set(named) <= set(MODELS)


def test_it_fails_if_what_is_asked_for_cannot_run(monkeypatch):
    monkeypatch.setattr(kernels, "diagnosis", lambda: (OFF,))
    monkeypatch.setenv("OFFBY_KERNELS", "cpp")
    result = call()
    assert result.exit_code == 1
    assert "it was not built" in result.stdout
    assert "cannot run here" in result.output


def test_it_shows_the_versions_of_what_is_installed():
    shown = call().stdout
    assert f"torch {version('torch')}" in shown
    assert f"numpy {version('numpy')}" in shown
    for extra in BRINGS:
        assert f"  {extra} " in shown


def test_a_missing_or_old_package_is_said_beside_its_extra(monkeypatch):
    found = {
        "": [Package("torch", "2.4", "2.3.1+cpu")],
        "compare": [Package("altair", "5.4", "5.5"), Package("rich", "13.0", "12")],
        "boosting": [Package("lightgbm", "4", "")],
        "ot": [Package("pot", "0.9.5", "0.9.5")],
    }
    monkeypatch.setattr(doctor, "packages", lambda: found)
    monkeypatch.setattr(kernels, "diagnosis", lambda: (RUNS,))
    shown = call().stdout
    assert "compare      partly" in shown
    assert "(rich 12 is older than 13.0)" in shown
    assert "boosting     off" in shown
    assert "(lightgbm is missing)" in shown
    assert "ot           ready" in shown
    what = shown.partition("What to do\n")[2].splitlines()
    assert what[0] == (
        '  pip install --upgrade "torch>=2.4": torch 2.3.1+cpu is older than 2.4'
    )
    assert what[1].startswith('  pip install "offby[compare]"')
    assert what[2].startswith('  pip install "offby[boosting]"')
    assert len(what) == 3


def test_whoever_does_not_use_a_library_need_not_install_it():
    without = {"skpro": [Package("skpro", "2.16", "")]}
    assert doctor.advice(without, (RUNS,), gpu=False) == []
    old = {"skpro": [Package("skpro", "2.16", "2.1")]}
    (line,) = doctor.advice(old, (RUNS,), gpu=False)
    assert line.startswith('pip install "offby[skpro]"')


def test_nothing_to_do_is_said(monkeypatch):
    monkeypatch.setattr(doctor, "packages", lambda: {})
    monkeypatch.setattr(kernels, "diagnosis", lambda: (RUNS,))
    assert call().stdout.endswith("Nothing: all of offby runs here.\n")


def test_the_advice_is_about_what_is_missing_here():
    no_gpu = kernels.Check("triton", False, "PyTorch finds no CUDA device")
    assert doctor.advice({}, (RUNS, no_gpu), gpu=False) == []
    (line,) = doctor.advice({}, (RUNS, no_gpu), gpu=True)
    assert "NVIDIA GPU, but PyTorch finds no CUDA device" in line
    (line,) = doctor.advice({}, (OFF,), gpu=False)
    assert "C++ compiler" in line


@pytest.mark.parametrize(
    ("installed", "floor", "wrong"),
    [
        ("2.13.0+cpu", "2.4", False),
        ("2.4", "2.4.0", False),
        ("4.0.0", "4", False),
        ("0.9.7.post1", "0.9.5", False),
        ("1.9.1", "1.10", True),
        ("3.0", "", False),
        ("", "", True),
    ],
)
def test_versions_are_compared_by_their_numbers(installed, floor, wrong):
    assert bool(Package("any", floor, installed).wrong) == wrong


def test_requirements_are_sorted_by_extra():
    found = packages(
        [
            "torch>=2.4",
            "triton>=3.3; (sys_platform == 'linux') and extra == 'dev'",
            "pot>=0.9.5; extra == 'ot'",
        ]
    )
    assert [(p.name, p.floor) for p in found[""]] == [("torch", "2.4")]
    assert [(p.name, p.floor) for p in found["dev"]] == [("triton", "3.3")]
    assert [(p.name, p.floor) for p in found["ot"]] == [("pot", "0.9.5")]


def test_every_extra_is_explained_or_for_developers():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    assert set(project["optional-dependencies"]) == {*BRINGS, *FOR_DEVELOPERS}
    assert set(ADAPTERS) <= set(BRINGS)
