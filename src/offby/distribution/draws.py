"""Where the randomness of draws comes from, as scikit-learn takes it."""

from numbers import Integral

import numpy as np

RandomState = int | np.random.Generator | np.random.RandomState | None


def uniform(
    random_state: RandomState, shape: tuple[int, ...]
) -> np.ndarray[tuple[int, ...], np.dtype[np.float64]]:
    """Numbers between 0 and 1.

    Args:
        random_state: A seed, a generator of NumPy, or None for other draws each time.
        shape: Of the numbers.

    Raises:
        TypeError: If it is something else.

    >>> bool((uniform(0, (2,)) == uniform(np.random.default_rng(0), (2,))).all())
    True
    """
    if isinstance(random_state, np.random.RandomState | np.random.Generator):
        return np.asarray(random_state.uniform(size=shape))
    if random_state is not None and not isinstance(random_state, Integral):
        raise TypeError(
            "random_state must be a whole number, a generator of NumPy or None, got a "
            f"{type(random_state).__name__}"
        )
    seed = None if random_state is None else int(random_state)
    return np.random.default_rng(seed).uniform(size=shape)
