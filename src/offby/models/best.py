"""From a comparison in Python to its best model, trained on all rows."""

from collections import Counter
from typing import Any

import numpy as np

from offby.comparison.budget import seconds_of_refit
from offby.grounds import from_dict
from offby.models.fitting import class_values, uneven_line
from offby.models.kinds import MODELS


def refit_seconds(comparison: Any, n_rows: int) -> float:
    """About how long the best model takes on all rows."""
    best = comparison.best()
    fits = {(s.fold, s.seed) for s in comparison.scores if s.method == best}
    if not fits:
        return 0.0
    each = comparison.timing.fits.get(best, 0.0) / len(fits)
    return seconds_of_refit(each, n_rows, comparison.run.folds)


def fit_best(
    comparison: Any,
    X: Any,
    y: Any,
    sample_weight: Any = None,
    *,
    groups: Any = None,
    metric: str | None = None,
    model: str | None = None,
    **settings: Any,
) -> Any:
    """The best model of a comparison, trained on all rows.

    Args:
        comparison: What `offby.compare` returned.
        X: The rows, as `compare` took them.
        y: Their targets, as `compare` took them: class codes, or numbers.
        sample_weight: Weight of each row.
        groups: Group of each row, if `compare` was given them: the rows that decide
            when training stops are then of groups that are not trained on.
        metric: Key of the metric that decides; the first one by default.
        model: "network" for the best loss on the network, whatever scores better; so it
            is with a loss of your own, by which trees cannot learn.
        settings: Further settings of the estimator, as `random_state=0`, and `strategy`
            and `bounds` if `compare` was given them. Those that a mean of network and
            trees does not know itself go to both of them.

    Returns:
        A fitted estimator: `OrdinalClassifier` or `BinnedRegressor` if a loss on the
        network is best, else their boosted twin, or the mean of both.

    Raises:
        ValueError: If no model has a finite score, or `y` does not fit the comparison.
    """
    if model not in (None, "network"):
        raise ValueError(
            f'model must be None, for the best one, or "network", got {model!r}; '
            f"offby.tabular has the other estimators"
        )
    data = comparison.data
    # Only networks learn by a loss of the user's own.
    if not isinstance(settings.get("loss", ""), str):
        model = "network"
    best = comparison.best(metric) if model is None else comparison.best_loss(metric)
    if best is None:
        raise ValueError(
            "a comparison must have a model with a finite score, got none; choose "
            "another metric"
        )
    method = comparison.method(best)
    kind = method.model or "network"
    chosen = {"loss": method.loss or best} | settings
    if data.kind == "number":
        # Each fold chose its scale; all rows get the one that most folds chose.
        scale = Counter(data.scales).most_common(1)[0][0] if data.scales else "none"
        on_scale = {} if scale == "none" else {"target_transform": scale}
        chosen = {"n_bins": max(2, len(data.edges) - 1)} | on_scale | chosen
        return _made(kind, "number", chosen).fit(
            X, y, sample_weight=sample_weight, groups=groups
        )
    codes = np.asarray(y)
    if (
        codes.dtype.kind not in "iub"
        or not ((codes >= 0) & (codes < len(data.labels))).all()
    ):
        raise ValueError(
            f"y must hold class codes 0 to {len(data.labels) - 1}, as compare takes "
            f"them, got {codes.ravel()[:1].tolist()} among others; code the classes in "
            "their order"
        )
    classes = class_values(data.labels, data.positions)
    chosen = {"categories": classes.tolist()} | chosen
    ground = from_dict(data.ground) if data.ground else uneven_line(data.positions)
    if ground is not None:
        chosen = {"ground": ground} | chosen
    made = _made(kind, "classes", chosen)
    return made.fit(X, classes[codes], sample_weight=sample_weight, groups=groups)


def _made(model: str, kind: Any, settings: dict[str, Any]) -> Any:
    """The estimator, not fitted; settings that a mean does not know go to its parts."""
    known, estimator = MODELS[model], MODELS[model].estimator(kind)
    if not known.mean_of:
        return estimator(**settings)
    own = set(estimator().get_params(deep=False)) - {"loss", "random_state"}
    rest = {k: v for k, v in settings.items() if k not in own}
    parts = []
    for name in known.mean_of:
        part = MODELS[name].estimator(kind)
        # The network is the one that refuses what neither knows.
        takes = set(rest) if name == "network" else set(part().get_params(deep=False))
        parts.append(part(**{k: v for k, v in rest.items() if k in takes}))
    return estimator(parts, **{k: v for k, v in settings.items() if k in own})
