"""Whether a further seed may settle anything: what stops a run that learns no more.

docs/verdict.md says what this saves, and what it loses.
"""

import math

from scipy import special

from offby.comparison.inference import LEVEL, Moments, foreseen, seed_variance
from offby.comparison.looks import level_of_looks

FUTILE = 0.2
"""A loss gets another seed if the chance that it settles something is above this."""


def chance_to_settle(
    found: Moments, n_methods: int, scale: float, rope: float, looks: int
) -> float:
    """The chance that one of the planned seeds settles an answer that is open.

    The variances are taken to stay as they are. The mean after s of the planned seeds
    is normal around today's, which has S of them: what is known of the mean is the
    mean, and seeds to come change it by their own chance and by that of the S. For a
    variance W between seeds and F folds this adds up to W / F (1 / S - 1 / s).

    Args:
        found: What is known so far.
        n_methods: Methods that are compared.
        scale: Size of the leader's score.
        rope: Differences within this share of it are practically none.
        looks: Seeds that are planned, each with a look at the scores.
    """
    if math.isinf(found.one):
        return 0.0
    level = level_of_looks(LEVEL, looks)
    chances = [0.0]
    for seeds in range(found.seeds + 1, looks + 1):
        half = foreseen(found, n_methods, level, seeds).half
        left = 1 / found.seeds - 1 / seeds
        spread = math.sqrt(seed_variance(found) / found.folds * left)
        chances.append(_outside(found.mean, spread, half, rope * scale))
    return max(chances)


def _outside(mean: float, spread: float, half: float, margin: float) -> float:
    """The chance that an interval around a normal mean gives an answer.

    >>> round(_outside(0.0, 1.0, 1.96, 0.0), 3)
    0.05
    >>> _outside(0.0, 0.1, 1.0, 2.0)
    1.0
    """
    if spread == 0:
        return float(abs(mean) > half or abs(mean) + half <= margin)
    apart = special.ndtr((mean - half) / spread) + special.ndtr((-mean - half) / spread)
    room = min(half, margin - half)
    within = 0.0
    if room > 0:
        low, high = (special.ndtr((end - mean) / spread) for end in (-room, room))
        within = high - low
    return float(apart + within)
