"""Losses that know how far off you are."""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from offby import decode, losses, metrics, nn, targets
    from offby.bins import Bins
    from offby.comparison import judge
    from offby.distribution import BinnedDistribution
    from offby.grounds import Circle, Costs, Line, Tree
    from offby.models.files import load
    from offby.notebook import Comparison, compare
    from offby.tabular import (
        BinnedEnsemble,
        BinnedRegressor,
        BoostedBinnedRegressor,
        BoostedOrdinalClassifier,
        OrdinalClassifier,
        OrdinalEnsemble,
    )
    from offby.theory.anatomy import anatomy
    from offby.theory.debias import debias
    from offby.theory.minimizers import settles_at

__all__ = [
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

# Imported on use: `offby --help` imports this package, and torch takes seconds.
_HOME = {
    "BinnedDistribution": "offby.distribution",
    "BinnedEnsemble": "offby.tabular",
    "BinnedRegressor": "offby.tabular",
    "Bins": "offby.bins",
    "BoostedBinnedRegressor": "offby.tabular",
    "BoostedOrdinalClassifier": "offby.tabular",
    "Circle": "offby.grounds",
    "Comparison": "offby.notebook",
    "Costs": "offby.grounds",
    "Line": "offby.grounds",
    "OrdinalClassifier": "offby.tabular",
    "OrdinalEnsemble": "offby.tabular",
    "Tree": "offby.grounds",
    "anatomy": "offby.theory.anatomy",
    "compare": "offby.notebook",
    "debias": "offby.theory.debias",
    "judge": "offby.comparison",
    "load": "offby.models.files",
    "settles_at": "offby.theory.minimizers",
}


def __getattr__(name: str) -> Any:
    if name == "__version__":
        from importlib.metadata import version

        return version("offby")
    if name in ("decode", "losses", "metrics", "nn", "targets"):
        return import_module(f"offby.{name}")
    if name not in _HOME:
        raise AttributeError(f"module 'offby' has no attribute {name!r}")
    value = getattr(import_module(_HOME[name]), name)
    globals()[name] = value  # So the next use finds it without this function.
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
