"""Where the randomness of draws comes from, as scikit-learn takes it."""

from collections.abc import Sequence
from numbers import Integral

import numpy as np

RandomState = int | np.random.Generator | np.random.RandomState | None


def uniform(
    random_state: RandomState, shape: Sequence[int]
) -> np.ndarray[tuple[int, ...], np.dtype[np.float64]]:
    """Numbers between 0 and 1.

    Args:
        random_state: A seed, a generator of NumPy, or None for other draws each time.
        shape: Of the numbers.

    Raises:
        TypeError: If it is something else, or a number of draws is not whole.
        ValueError: If a seed or a number of draws is negative.

    >>> bool((uniform(0, (2,)) == uniform(np.random.default_rng(0), (2,))).all())
    True
    """
    shape = tuple(_whole("number of draws", n, "0 draws none") for n in shape)
    if isinstance(random_state, np.random.RandomState | np.random.Generator):
        return np.asarray(random_state.uniform(size=shape))
    if random_state is not None and not isinstance(random_state, Integral):
        raise TypeError(
            "random_state must be a whole number, a generator of NumPy or None, got a "
            f"{type(random_state).__name__}"
        )
    seed = None
    if random_state is not None:
        seed = _whole("random_state", random_state, "any other seed is as good")
    return np.random.default_rng(seed).uniform(size=shape)


def _whole(name: str, number: object, note: str) -> int:
    """A whole number of at least 0."""
    if not isinstance(number, Integral):
        raise TypeError(
            f"{name} must be a whole number, got {type(number).__name__}; int(...) "
            "makes one"
        )
    if number < 0:
        raise ValueError(f"{name} must not be negative, got {number}; {note}")
    return int(number)
