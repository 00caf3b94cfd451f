"""The numbers of an objective as the C++ kernel reads them."""

import numpy as np

from offby.boosting._basis import Basis, thresholds
from offby.boosting._terms import Terms
from offby.kernels.boosting import BoostingCall


def call_of(
    basis: Basis, log_frequencies: np.ndarray, terms: Terms, floor: float, kind: str
) -> BoostingCall:
    """The call that computes an objective."""
    base = thresholds(log_frequencies) if basis.location else log_frequencies
    places = np.arange(1, len(terms.start) + 1)
    straight = (
        np.array_equal(terms.order, np.arange(basis.n_classes))
        and np.array_equal(terms.end, places)
        and not terms.start.any()
    )
    return BoostingCall(
        base=_numbers(base),
        waves=_numbers(basis.waves),
        shapes=basis.location + basis.scale,
        order=_integers(terms.order),
        rank=_integers(np.argsort(terms.order)),
        start=_integers(terms.start),
        end=_integers(terms.end),
        line=straight,
        whole=terms.members is not None,
        squares=_numbers(terms.squares),
        between=_numbers(terms.between),
        logs=_numbers(np.append(terms.logs, terms.logs.any())),
        distance=None if terms.distance is None else _numbers(terms.distance),
        convex=None if terms.convex is None else _numbers(terms.convex),
        cross_entropy=terms.cross_entropy,
        numbers=terms.numbers,
        floor=floor,
        kind=kind,
    )


def _numbers(values: np.ndarray) -> np.ndarray:
    return np.ascontiguousarray(values, dtype=np.float64)


def _integers(values: np.ndarray) -> np.ndarray:
    return np.ascontiguousarray(values, dtype=np.int64)
