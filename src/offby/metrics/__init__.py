"""Metrics of predictions. They take NumPy arrays or lists and return numbers.

Arguments come in scikit-learn's order. Distances are those of the values of the
classes: labels 0 and 4 are 4 apart, also where 1 to 3 never occur in the data.
`offby.metrics.rows` has the score of each row; `offby.metrics.scorers` are scores of
estimators, for scikit-learn's searches.
"""

from offby.metrics import rows
from offby.metrics._agreement import (
    geometric_mean_sensitivity,
    kendall_tau_b,
    linear_weighted_kappa,
    minimum_sensitivity,
    sensitivities,
    spearman_correlation,
)
from offby.metrics._corp import Decomposition, corp_decomposition
from offby.metrics._intervals import (
    interval_coverage,
    interval_score,
    interval_width,
)
from offby.metrics._point_predictions import (
    accuracy_within,
    average_mean_absolute_error,
    far_error_rate,
    maximum_mean_absolute_error,
    mean_absolute_error,
    median_class,
    quadratic_weighted_kappa,
)
from offby.metrics._scorers import Scorer, scorers
from offby.metrics._scores import (
    brier_score,
    histogram_crps,
    histogram_log_score,
    histogram_pit_cdf,
    log_score,
    pit_cdf,
    ranked_probability_score,
)

__all__ = [
    "Decomposition",
    "Scorer",
    "accuracy_within",
    "average_mean_absolute_error",
    "brier_score",
    "corp_decomposition",
    "far_error_rate",
    "geometric_mean_sensitivity",
    "histogram_crps",
    "histogram_log_score",
    "histogram_pit_cdf",
    "interval_coverage",
    "interval_score",
    "interval_width",
    "kendall_tau_b",
    "linear_weighted_kappa",
    "log_score",
    "maximum_mean_absolute_error",
    "mean_absolute_error",
    "median_class",
    "minimum_sensitivity",
    "pit_cdf",
    "quadratic_weighted_kappa",
    "ranked_probability_score",
    "rows",
    "scorers",
    "sensitivities",
    "spearman_correlation",
]
