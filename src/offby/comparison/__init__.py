"""`compare`: which loss should I use on my data, and why?"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from offby.comparison.run import compare
    from offby.comparison.score_table import Judged, judge
    from offby.results import Comparison, Timing

__all__ = ["Comparison", "Judged", "Timing", "compare", "judge"]

# Imported on use: the command line reads the defaults in config.py without PyTorch.
_HOME = {
    "Comparison": "offby.results",
    "Judged": "offby.comparison.score_table",
    "Timing": "offby.results",
    "compare": "offby.comparison.run",
    "judge": "offby.comparison.score_table",
}


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"module 'offby.comparison' has no attribute {name!r}")
    return getattr(import_module(_HOME[name]), name)
