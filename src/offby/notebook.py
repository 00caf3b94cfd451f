"""`compare` and `Comparison` as `offby` exports them: notebooks show the report."""

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


# Said here and not in the class: results are plain data and know nothing of the report,
# which is made from them.
Comparison._repr_html_ = _report
