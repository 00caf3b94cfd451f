import ast
import subprocess
import sys
from functools import cache
from graphlib import CycleError, TopologicalSorter
from importlib.metadata import version
from pathlib import Path

import pytest

SOURCE = Path(__file__).parents[1] / "src" / "offby"

# Each folder (or module at the top) with all that it may import; docs/architecture.md
# shows the same list. Those of ANYWHERE may be imported from everywhere.
MATHS = {"weighted", "grounds", "bins", "distribution", "targets", "kernels", "losses"}
MAY_IMPORT = {
    "_checks": set(),
    "datasets": set(),
    "grounds": set(),
    "weighted": set(),
    "bins": {"grounds", "weighted"},
    "distribution": {"grounds", "bins", "kernels"},
    "kernels": {"grounds", "bins"},
    "targets": {"grounds", "bins", "kernels"},
    "decode": {"grounds", "bins", "distribution"},
    "losses": MATHS,
    "nn": MATHS,
    "theory": MATHS,
    "metrics": MATHS,
    "boosting": MATHS | {"metrics"},
    "tables": set(),
    "tabular": MATHS | {"metrics", "nn", "boosting"},
    "results": set(),
    "comparison": MATHS | {"metrics", "nn", "tabular", "results", "theory"},
    "models": MATHS | {"metrics", "tables", "tabular", "comparison"},
    "report": {"results"},
    "explain": {"results"},
    "integrations": MATHS
    | {
        "decode",
        "metrics",
        "nn",
        "boosting",
        "tabular",
        "results",
        "comparison",
        "models",
        "report",
        "explain",
    },
    "notebook": {"comparison", "models", "report", "results"},
    "cli": MATHS
    | {"comparison", "models", "notebook", "tables", "report", "explain", "results"},
    "__main__": {"cli"},
}
ANYWHERE = {"_checks", "datasets"}
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


def name_of(file: Path) -> str:
    parts = file.relative_to(SOURCE).with_suffix("").parts
    return ".".join(("offby", *parts)).removesuffix(".__init__")


FILES = sorted(SOURCE.rglob("*.py"))
MODULES = {name_of(file): file for file in FILES}
INSIDE = [file for file in FILES if file != SOURCE / "__init__.py"]


@cache
def imported(file: Path) -> frozenset[str]:
    """Modules of offby that a file imports, at any depth of its code."""
    found = set()
    for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{file} imports relatively"
            parent = node.module or ""
            inner = {f"{parent}.{alias.name}" for alias in node.names}
            # `from offby.x import y` names the module x.y if there is one, else x.
            found |= {name if name in MODULES else parent for name in inner}
        elif isinstance(node, ast.Call) and getattr(node.func, "id", "") == (
            "import_module"
        ):
            found |= {a.value for a in node.args if isinstance(a, ast.Constant)}
    return frozenset(name for name in found if str(name).split(".")[0] == "offby")


def folder_of(module: str) -> str:
    return module.split(".")[1] if "." in module else ""


@pytest.mark.parametrize("file", INSIDE, ids=lambda f: str(f.relative_to(SOURCE)))
def test_a_folder_imports_only_what_it_may(file: Path) -> None:
    here = folder_of(name_of(file))
    assert here in MAY_IMPORT, f"{here} has no row; add it to MAY_IMPORT"
    allowed = MAY_IMPORT[here] | ANYWHERE | {here, ""}
    beyond = {module for module in imported(file) if folder_of(module) not in allowed}
    assert not beyond, f"{here} must not import {', '.join(sorted(beyond))}"


@pytest.mark.parametrize("file", INSIDE, ids=lambda f: str(f.relative_to(SOURCE)))
def test_no_private_module_of_another_folder_is_imported(file: Path) -> None:
    here = folder_of(name_of(file))
    private = {
        module
        for module in imported(file)
        if any(part.startswith("_") for part in module.split(".")[1:])
        and folder_of(module) not in ANYWHERE | {here}
    }
    assert not private, f"{name_of(file)} imports private {', '.join(sorted(private))}"


def test_imports_have_no_circle() -> None:
    graph = {
        name: {module for module in imported(file) if module in MODULES} - {name}
        for name, file in MODULES.items()
        if name != "offby"
    }
    graph = {name: needs - {"offby"} for name, needs in graph.items()}
    try:
        TopologicalSorter(graph).prepare()
    except CycleError as error:
        pytest.fail(f"these modules import each other: {' -> '.join(error.args[1])}")


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


def test_the_losses_load_without_the_compiler_of_torch() -> None:
    """It takes as long to load as all the rest, and few who train ask for it."""
    use = "import sys, offby; offby.losses; offby.nn"
    code = f"{use}; print('torch._dynamo' in sys.modules)"
    shown = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        check=True,
        cwd=SOURCE.parent,
    )
    assert shown.stdout.strip() == "False"


def test_public_names() -> None:
    import offby

    assert sorted(offby.__all__) == [
        "BinnedDistribution",
        "BinnedEnsemble",
        "BinnedRegressor",
        "Bins",
        "BoostedBinnedRegressor",
        "BoostedOrdinalClassifier",
        "Circle",
        "Comparison",
        "Costs",
        "Line",
        "OrdinalClassifier",
        "OrdinalEnsemble",
        "Tree",
        "anatomy",
        "compare",
        "debias",
        "decode",
        "judge",
        "load",
        "losses",
        "metrics",
        "nn",
        "settles_at",
        "targets",
    ]
    assert set(offby.__all__) <= set(dir(offby))
    with pytest.raises(AttributeError, match="no attribute 'nonsense'"):
        _ = offby.nonsense


def test_the_version_is_that_of_the_installed_package() -> None:
    import offby

    assert offby.__version__ == version("offby")
    assert (SOURCE / "py.typed").exists()
