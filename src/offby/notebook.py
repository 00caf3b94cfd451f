"""`compare` and `Comparison` as `offby` exports them.

A notebook shows a comparison as its report, and `fit_best` trains its winner.
"""

from typing import Any

from offby.comparison import compare
from offby.results import Comparison

__all__ = ["Comparison", "compare"]


def _report(self: Comparison) -> str | None:
    """The report in a frame: what a notebook shows."""
    try:
        from offby import report
    except ImportError:  # Without the extra "compare" the notebook shows text.
        return None
    return report.frame(self)


def _fit_best(
    self: Comparison,
    X: Any,
    y: Any,
    sample_weight: Any = None,
    *,
    groups: Any = None,
    metric: str | None = None,
    **settings: Any,
) -> Any:
    """The best model, trained on all rows; see `offby.models.fit_best`."""
    from offby.models import fit_best

    return fit_best(self, X, y, sample_weight, groups=groups, metric=metric, **settings)


def _plot(self: Comparison, section: str = "differences", number: int = 0) -> Any:
    """A picture of the report, as SVG; see `offby.report.picture`."""
    from offby import report

    return report.picture(self, section, number)


# Said here and not in the class: results are plain data and know nothing of the report,
# which is made from them, and of the estimators, which need PyTorch.
Comparison._repr_html_ = _report
Comparison.fit_best = _fit_best
Comparison.plot = _plot
