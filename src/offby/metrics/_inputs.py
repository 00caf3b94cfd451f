"""Validated inputs of the metrics: classes, probabilities, intervals and weights."""

import numpy as np
from numpy.typing import ArrayLike

from offby._checks import normalized, on_host


def probabilities(y_proba: ArrayLike, n_rows: int, n_classes: int | None) -> np.ndarray:
    """Rows x classes probabilities; sums that differ from 1 by rounding are mended."""
    rows = normalized(
        "y_proba",
        y_proba,
        n_classes,
        "classes on its last axis",
        "raw network output goes through a softmax first",
    )
    if rows.ndim != 2 or len(rows) != n_rows:
        raise ValueError(
            f"y_proba must hold one row for each of {n_rows} values of y_true, "
            f"got shape {rows.shape}; with classes on the last axis, "
            "y_proba.reshape(-1, n_classes) has one row for each"
        )
    return rows


def positions(labels: ArrayLike | None, n_classes: int) -> np.ndarray:
    """Position of each class: the value of a numeric label, else 0, 1, 2, ..."""
    if labels is None:
        return np.arange(n_classes, dtype=np.float64)
    names = _names(labels)
    if names.dtype.kind not in "biuf":
        return np.arange(len(names), dtype=np.float64)
    return names.astype(np.float64)


def codes(
    name: str, y: ArrayLike, labels: ArrayLike | None, n_classes: int | None = None
) -> np.ndarray:
    """Index of each class in `labels`; without labels, classes are 0 to K - 1."""
    found = one_axis(name, y)
    if labels is None:
        last = "K" if n_classes is None else n_classes
        whole = found.dtype.kind in "biuf" and (found == np.floor(found)).all()
        if not whole or (found < 0).any():
            raise ValueError(
                f"{name} must hold classes 0 to {last} - 1, got {_first_odd(found)}; "
                "name the classes in their order with labels=[...]"
            )
        if n_classes is not None and (found >= n_classes).any():
            raise ValueError(
                f"{name} must hold classes 0 to {n_classes - 1}, got {found.max():g}; "
                "name the classes in their order with labels=[...]"
            )
        return found.astype(np.int64)
    names = _names(labels)
    if n_classes is not None and len(names) != n_classes:
        raise ValueError(
            f"labels must name each of the {n_classes} classes of y_proba, "
            f"got {len(names)}"
        )
    index = {label: k for k, label in enumerate(names.tolist())}
    unknown = [each for each in found.tolist() if each not in index]
    if unknown:
        raise ValueError(
            f"{name} must hold classes among labels, {names.tolist()}, "
            f"got {unknown[0]!r}"
        )
    return np.array([index[each] for each in found.tolist()], dtype=np.int64)


def values(
    y_true: ArrayLike, y_pred: ArrayLike, labels: ArrayLike | None
) -> tuple[np.ndarray, np.ndarray]:
    """Positions of the true and the predicted classes."""
    pair = one_axis("y_true", y_true), one_axis("y_pred", y_pred)
    if len(pair[0]) != len(pair[1]):
        raise ValueError(
            "y_pred must hold one value for each of y_true, "
            f"got {len(pair[1])} for {len(pair[0])}"
        )
    if labels is not None:
        at = positions(labels, 0)
        true, predicted = (
            codes("y_true", y_true, labels),
            codes("y_pred", y_pred, labels),
        )
        return at[true], at[predicted]
    for name, y in zip(("y_true", "y_pred"), pair, strict=True):
        if y.dtype.kind not in "biuf":
            raise ValueError(
                f"{name} must hold numbers, got {y[0]!r}; "
                "name the classes in their order with labels=[...]"
            )
    return finite("y_true", y_true), finite("y_pred", y_pred)


def finite(name: str, y: ArrayLike) -> np.ndarray:
    """A one-dimensional array of finite numbers, in float64."""
    found = one_axis(name, y).astype(np.float64)
    if not np.isfinite(found).all():
        at = int(np.flatnonzero(~np.isfinite(found))[0])
        raise ValueError(
            f"{name} must be finite, but {name}[{at}] = {found[at]:g}; "
            "drop such rows first"
        )
    return found


def one_axis(name: str, y: ArrayLike) -> np.ndarray:
    """A one-dimensional array of at least one value."""
    found = on_host(y)
    if found.ndim != 1 or len(found) == 0:
        raise ValueError(
            f"{name} must be one axis of at least one value, got shape {found.shape}; "
            "of several axes, give all rows on one: y.reshape(-1) and "
            "y_proba.reshape(-1, n_classes)"
        )
    return found


def weights(sample_weight: ArrayLike | None, n_rows: int) -> np.ndarray:
    """One nonnegative weight per row, not all zero; ones by default."""
    if sample_weight is None:
        return np.ones(n_rows)
    found = on_host(sample_weight).astype(np.float64)
    if found.shape != (n_rows,):
        raise ValueError(
            f"sample_weight must hold one number for each of {n_rows} rows, "
            f"got shape {found.shape}"
        )
    if not (np.isfinite(found) & (found >= 0)).all() or found.sum() == 0:
        raise ValueError(
            "sample_weight must hold finite, nonnegative numbers, not all zero, "
            f"got {found.min():g} to {found.max():g}"
        )
    return found


def mean(rows: np.ndarray, sample_weight: ArrayLike | None) -> float:
    """Weighted mean. Rows of weight 0 are left out, even if their score is infinite."""
    weight = weights(sample_weight, len(rows))
    counted = weight > 0
    return float(np.average(rows[counted], weights=weight[counted]))


def _names(labels: ArrayLike) -> np.ndarray:
    names = one_axis("labels", labels)
    if len(set(names.tolist())) < len(names):
        raise ValueError(
            f"labels must not repeat a class, got {names.tolist()}; name each once"
        )
    if names.dtype.kind in "biuf" and not (np.diff(names.astype(np.float64)) > 0).all():
        raise ValueError(
            f"numeric labels must increase, got {names.tolist()}; "
            "their values say how far apart the classes are"
        )
    return names


def _first_odd(y: np.ndarray) -> str:
    if y.dtype.kind not in "biuf":
        return repr(y.tolist()[0])
    return f"{y[(y < 0) | (y != np.floor(y))][0]:g}"
