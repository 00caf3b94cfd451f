import ast
import subprocess
import sys
from pathlib import Path

import pytest

SOURCE = Path(__file__).parents[1] / "src" / "offby"

# A module imports from earlier levels only, and from its own.
LEVELS = [
    {"_checks", "grounds", "bins", "_half_normal", "_histogram"},
    {"distribution", "targets", "kernels"},
    {"losses"},
    {"nn"},
    {"_rest"},
    {"_anatomy", "_debias", "catalog"},
    {"features", "scales", "tables", "training", "networks", "calibration"},
    {"dates", "texts", "words"},
    {"encoding"},
    {"learning", "archive"},
    {"fitting"},
    {"estimators"},
    {"metrics"},
    {"comparison"},
    {"report", "explain"},
    {"_output", "_terminal"},
    {"cli", "__main__"},
]
ANYWHERE = {"datasets", "__init__"}
LEVEL = {name: level for level, names in enumerate(LEVELS) for name in names}
HEAVY = [
    "sklearn",
    "scipy",
    "altair",
    "polars",
    "rich",
    "click",
    "matplotlib",
    "model_diagnostics",
    "ot",
]


def module_of(file: Path) -> str:
    return file.relative_to(SOURCE).parts[0].removesuffix(".py")


def imported(file: Path) -> set[str]:
    """Top-level modules of offby that a file imports, at any depth of its code."""
    names = set()
    for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{file} imports relatively"
            module = node.module or ""
            if module == "offby":
                names |= {f"offby.{alias.name}" for alias in node.names}
            else:
                names.add(module)
    return {name.split(".")[1] for name in names if name.startswith("offby.")}


FILES = [f for f in sorted(SOURCE.rglob("*.py")) if module_of(f) not in ANYWHERE]


@pytest.mark.parametrize("file", FILES, ids=lambda f: str(f.relative_to(SOURCE)))
def test_imports_point_one_way(file: Path) -> None:
    here = module_of(file)
    assert here in LEVEL, f"{here} has no level; add it to LEVELS"
    # What is no module (`from offby import __version__`) has no level.
    upward = {n for n in imported(file) if LEVEL.get(n, -1) > LEVEL[here]}
    assert not upward, f"{here} must not import {', '.join(sorted(upward))}"


def test_import_loads_nothing_heavy() -> None:
    code = f"import sys, offby; print([m for m in {HEAVY} if m in sys.modules])"
    shown = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        check=True,
        cwd=SOURCE.parent,
    )
    assert shown.stdout.strip() == "[]"


def test_public_names() -> None:
    import offby

    assert sorted(offby.__all__) == [
        "BinnedDistribution",
        "BinnedRegressor",
        "Bins",
        "Circle",
        "Comparison",
        "Costs",
        "Line",
        "OrdinalClassifier",
        "Tree",
        "anatomy",
        "compare",
        "debias",
        "losses",
        "metrics",
        "nn",
        "settles_at",
        "targets",
    ]
    assert set(offby.__all__) <= set(dir(offby))
    with pytest.raises(AttributeError, match="no attribute 'nonsense'"):
        _ = offby.nonsense
