"""Forecasts of new rows as columns: probabilities, quantiles, intervals, chances."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from offby.distribution import BinnedDistribution, ClassDistribution
from offby.grounds import Ground, Line
from offby.tabular.class_ground import ground_of, least_expected

_ROWS_AT_ONCE = 20_000
"""So that a million rows of a hundred bins need no gigabytes."""


@dataclass(frozen=True, kw_only=True)
class Wanted:
    """Which columns a forecast has.

    Attributes:
        quantiles: Levels between 0 and 1; for numbers.
        coverage: Of a central interval, between 0 and 1; None for no interval.
        above: Numbers or classes: the chance to lie above each.
        decide: Metric of a best guess, as `decide` of the distributions takes it.
    """

    quantiles: Sequence[float] = ()
    coverage: float | None = 0.9
    above: Sequence[str] = ()
    decide: str | None = None

    def __post_init__(self) -> None:
        for level in self.quantiles:
            if not 0 < level < 1:
                raise ValueError(
                    f"a quantile must lie between 0 and 1, got {level:g}; the median "
                    "is 0.5"
                )
        if self.coverage is not None and not 0 < self.coverage < 1:
            raise ValueError(
                f"the interval must hold a share between 0 and 1, got {self.coverage:g}"
                "; 0.9 is usual"
            )


def forecast_columns(estimator: Any, X: Any, wanted: Wanted) -> dict[str, np.ndarray]:
    """The columns of the forecasts of all rows, in their order."""
    ground = ground_of(estimator)
    if isinstance(ground, Line):  # Its classes have an order, as they have by default.
        ground = None

    def columns(rows: Any) -> dict[str, np.ndarray]:
        return _columns(estimator.predict_dist(rows), wanted, ground)

    starts = range(0, len(X), _ROWS_AT_ONCE)
    parts = [columns(X[start : start + _ROWS_AT_ONCE]) for start in starts]
    if wanted.decide == "qwk" and len(parts) > 1:  # about all rows at once
        return columns(X)
    return {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}


def _columns(
    forecast: ClassDistribution | BinnedDistribution,
    wanted: Wanted,
    ground: Ground | None,
) -> dict[str, np.ndarray]:
    guess = {}
    if wanted.decide is not None:
        name = f"best_{wanted.decide.replace('-', '_')}"
        guess = {name: np.asarray(forecast.decide(wanted.decide))}
    if isinstance(forecast, ClassDistribution):
        return guess | _of_classes(forecast, wanted, ground)
    return guess | _of_numbers(forecast, wanted)


def _of_classes(
    forecast: ClassDistribution, wanted: Wanted, ground: Ground | None
) -> dict[str, np.ndarray]:
    if wanted.quantiles:
        raise ValueError(
            "--quantiles needs a model of numbers, got one of classes; its forecast is "
            "a probability for each class, and the median"
        )
    names = [str(name) for name in forecast.classes.tolist()]
    if ground is not None and wanted.above:
        raise ValueError(
            "--above needs classes of which some lie above others, got a model on "
            f"{ground!r}; add up the columns of the classes that you mean"
        )
    columns = {"median": forecast.median()}
    if ground is not None:
        columns = {"guess": forecast.classes[least_expected(forecast.probs, ground)]}
    columns |= {f"p_{name}": forecast.probs[:, k] for k, name in enumerate(names)}
    cumulative = forecast.cumulative()
    for threshold in wanted.above:
        last = _last_class_up_to(threshold, names, forecast)
        below = cumulative[:, last] if last >= 0 else np.zeros(len(cumulative))
        columns[f"above_{threshold}"] = 1 - below
    return columns


def _last_class_up_to(
    threshold: str, names: list[str], forecast: ClassDistribution
) -> int:
    """Index of the last class at or below a threshold; -1 if all lie above it."""
    if threshold in names:
        return names.index(threshold)
    if forecast.classes.dtype.kind in "biuf":
        value = _number(threshold)
        return int(np.searchsorted(forecast.positions, value, side="right")) - 1
    raise ValueError(
        f"--above must name a class of {', '.join(names)}, got {threshold!r}; write it "
        "as it stands there"
    )


def _of_numbers(forecast: BinnedDistribution, wanted: Wanted) -> dict[str, np.ndarray]:
    columns = {"mean": forecast.mean(), "median": forecast.median()}
    for level in wanted.quantiles:
        columns[f"quantile_{level:g}"] = forecast.ppf(level)
    if wanted.coverage is not None:
        low, high = forecast.interval(wanted.coverage)
        percent = f"{100 * wanted.coverage:g}"
        columns |= {f"low_{percent}": low, f"high_{percent}": high}
    for threshold in wanted.above:
        columns[f"above_{threshold}"] = 1 - forecast.cdf(_number(threshold))
    return columns


def _number(text: str) -> float:
    try:
        found = float(text)
    except ValueError:
        found = np.nan
    if not np.isfinite(found):
        raise ValueError(f"--above must be a number, as 100, got {text!r}")
    return found
