"""Losses that know how far off you are."""

from importlib import import_module
from typing import TYPE_CHECKING, Any

from offby import losses, nn
from offby._anatomy import anatomy, settles_at
from offby.bins import Bins
from offby.distribution import BinnedDistribution
from offby.grounds import Costs, Line

if TYPE_CHECKING:
    from offby.comparison import Comparison, compare
    from offby.estimators import BinnedRegressor, OrdinalClassifier

__all__ = [
    "BinnedDistribution",
    "BinnedRegressor",
    "Bins",
    "Comparison",
    "Costs",
    "Line",
    "OrdinalClassifier",
    "anatomy",
    "compare",
    "losses",
    "nn",
    "settles_at",
]

# Imported on use: they need scikit-learn, and `import offby` should be quick.
_ON_USE = {
    "BinnedRegressor": "offby.estimators",
    "Comparison": "offby.comparison",
    "OrdinalClassifier": "offby.estimators",
    "compare": "offby.comparison",
}


def __getattr__(name: str) -> Any:
    if name not in _ON_USE:
        raise AttributeError(f"module 'offby' has no attribute {name!r}")
    value = getattr(import_module(_ON_USE[name]), name)
    globals()[name] = value  # So the next use finds it without this function.
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
