"""The scores of a comparison as a data frame: a row for each method, the best first."""

from collections.abc import Mapping, Sequence
from typing import Any

from offby.results import ranking
from offby.results.records import Method, Metric, Score


def leaderboard(
    methods: Sequence[Method],
    metrics: Sequence[Metric],
    scores: Sequence[Score],
    seconds: Mapping[str, float],
    backend: str,
) -> Any:
    """Method, mean score by each metric, seconds of all fits; in the given order.

    An infinite score is the worst infinity; where a method has no score is a gap.
    """
    import narwhals as nw

    order = [method.key for method in methods]
    columns: dict[str, list[Any]] = {
        "method": order,
        "title": [method.title for method in methods],
        "model": [method.model for method in methods],
        "loss": [method.loss for method in methods],
        "is_reference": [method.reference for method in methods],
    }
    for metric in metrics:
        columns[metric.key] = [_score(scores, name, metric) for name in order]
    columns["fit_seconds"] = [seconds.get(name) for name in order]
    library: Any = backend
    return nw.from_dict(columns, backend=library).to_native()


def _score(scores: Sequence[Score], method: str, metric: Metric) -> float | None:
    if ranking.infinite_rows(scores, method, metric.key):
        return float("inf") if metric.lower_is_better else float("-inf")
    return ranking.mean(scores, method, metric.key)
