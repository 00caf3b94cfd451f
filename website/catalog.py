"""Pages of grounds, estimators, metrics and the reference, from their docstrings."""

import ast
import inspect
import re
from collections.abc import Iterable
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path

import pictures

import offby
from offby import Circle, Costs, Line, Tree, metrics
from offby.losses.registry import LOSSES

ESTIMATORS = (
    offby.OrdinalClassifier,
    offby.BinnedRegressor,
    offby.BoostedOrdinalClassifier,
    offby.BoostedBinnedRegressor,
    offby.OrdinalEnsemble,
    offby.BinnedEnsemble,
)
GROUNDS = {
    Line: (Line([0, 18, 30, 50, 65]), ["0", "18", "30", "50", "65"]),
    Circle: (Circle.regular(6), [str(4 * hour) for hour in range(6)]),
    Tree: (
        Tree.from_paths(["animal/dog", "animal/cat", "plant/oak", "plant/rose"]),
        ["dog", "cat", "oak", "rose"],
    ),
    Costs: (Costs([[0, 1, 4], [1, 0, 2], [4, 2, 0]]), ["a", "b", "c"]),
}
MODULES = (
    "offby.losses",
    "offby.nn",
    "offby.nn.heads",
    "offby.targets",
    "offby.decode",
    "offby.boosting",
    "offby.results",
    "offby.kernels",
)
"""Public modules with a page of reference, each with the names that it exports."""


def write(pages: Path) -> None:
    """Write grounds/, estimator/, metrics/ and reference/."""
    for ground, (example, names) in GROUNDS.items():
        name = ground.__name__.lower()
        _save(pages / f"grounds/{name}.md", ground_page(ground))
        _save(pages / f"grounds/{name}.svg", pictures.picture_of_costs(example, names))
    for estimator in ESTIMATORS:
        name = estimator.__name__
        _save(pages / f"estimator/{name}.md", estimator_page(estimator))
    kinds = [
        name for name in metrics.__all__ if inspect.isclass(getattr(metrics, name))
    ]
    _save(pages / "metrics/index.md", _reference("offby.metrics", kinds))
    for name in sorted({*metrics.__all__} - {*kinds}):
        path = _path_of(getattr(metrics, name), "offby.metrics", name)
        _save(pages / f"metrics/{name}.md", f"# {name}\n\n::: {path}\n")
    for module in MODULES:
        found = import_module(module)
        _save(pages / f"reference/{module}.md", _reference(module, found.__all__))
    top = [name for name in offby.__all__ if not inspect.ismodule(getattr(offby, name))]
    _save(pages / "reference/index.md", _reference("offby", top))
    _integrations(pages)


def ground_page(ground: type) -> str:
    """The page of a ground: what it is, an example in a picture, who takes it."""
    name = ground.__name__
    takes = [
        f"[{loss.title}](../losses/{loss.name}.md)"
        for loss in LOSSES
        if name.lower() in loss.grounds
    ]
    return (
        f"# {name}\n\n![Distances between the classes of a {name}]"
        f"({name.lower()}.svg)\n\n"
        "The picture shows the distances between the classes of an example, the matrix "
        f"`cost`. Losses on this ground: {', '.join(takes)}. "
        f"[Grounds](../maths/grounds.md) has the theory.\n\n"
        f"::: {ground.__module__}.{name}\n"
    )


def estimator_page(estimator: type) -> str:
    """The page of an estimator: its settings with their defaults, and its methods."""
    signature = inspect.signature(estimator)
    rows = [
        f"| `{p.name}` | `{p.default!r}` |"
        for p in signature.parameters.values()
        if p.default is not inspect.Parameter.empty
    ]
    table = "\n".join(["| setting | default |", "|---|---|", *rows])
    name = estimator.__name__
    return (
        f"# {name}\n\n[How the estimators work](../estimators.md).\n\n"
        f"::: {estimator.__module__}.{name}\n    options:\n"
        f"      inherited_members: true\n\n## Defaults\n\n{table}\n"
    )


def _integrations(pages: Path) -> None:
    """A page of reference for each adapter to another library, if there are any."""
    if find_spec("offby.integrations") is None:
        return
    (folder,) = import_module("offby.integrations").__path__
    for found in sorted(Path(folder).glob("[!_]*")):
        module = f"offby.integrations.{found.stem}"
        if found.suffix == ".py":
            text = f"# {module}\n\n::: {module}\n"
        elif (found / "__init__.py").exists():
            text = _adapter_in_a_folder(module, found)
        else:
            continue
        _save(pages / f"reference/{module}.md", text)


def _adapter_in_a_folder(module: str, folder: Path) -> str:
    """Its reference, read without running it: the library need not be installed."""
    tree = ast.parse((folder / "__init__.py").read_text(encoding="utf-8"))
    defined = {
        name.name: f"{node.module}.{name.name}"
        for node in tree.body
        if isinstance(node, ast.ImportFrom)
        for name in node.names
    }
    names = next(
        ast.literal_eval(node.value)
        for node in tree.body
        if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "__all__"
    )
    parts = [f"# {module}", _linked(ast.get_docstring(tree))]
    parts += [f"::: {defined.get(name, f'{module}.{name}')}" for name in names]
    return "\n\n".join(parts) + "\n"


def _reference(module: str, names: Iterable[str]) -> str:
    parent = import_module(module)
    parts = [f"# {module}", _linked(inspect.getdoc(parent))]
    for name in names:
        found = getattr(parent, name)
        if not inspect.ismodule(found):
            parts.append(f"::: {_path_of(found, module, name)}")
    return "\n\n".join(parts) + "\n"


def _linked(docstring: str | None) -> str:
    """A docstring whose pages of docs/ are links from a page one folder deep."""
    return re.sub(r"docs/([\w./-]+\.md)", r"[\1](../\1)", docstring or "")


def _path_of(found: object, module: str, name: str) -> str:
    """The place of the definition, which static analysis needs."""
    if inspect.isclass(found) or inspect.isfunction(found):
        return f"{found.__module__}.{found.__qualname__}"
    return f"{module}.{name}"


def _save(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")
