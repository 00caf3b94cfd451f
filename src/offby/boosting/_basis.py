"""What the raw outputs of the trees move. Theory: docs/boosting.md.

The scores of a row are the log class frequencies, moved by the raw outputs along a few
directions: one for each class, a few cosines over the classes, or a location, a log
scale and a few cosines.
"""

import re
from dataclasses import dataclass

import numpy as np

from offby.grounds import Circle, Ground, Line

LARGEST_LOG_SCALE = 5.0
"""The log scale tends to this number, so that no output can overflow."""

_FEW = 12
"""On a circle of so few classes, a tree for each of them costs little and says all."""

_NAME = re.compile(r"identity|(?P<kind>cosines|location-scale)-(?P<waves>\d+)")


@dataclass(frozen=True, eq=False)
class Basis:
    """Directions in which raw outputs move the scores of a row."""

    name: str
    n_classes: int
    waves: np.ndarray
    """Fixed directions: outputs (after location and scale) x classes."""
    location: bool = False
    """Whether the first output is a location."""
    scale: bool = False
    """Whether the second output is a log scale."""

    @property
    def n_outputs(self) -> int:
        """How many raw outputs a row has."""
        return self.location + self.scale + len(self.waves)

    def scores(
        self, raw: np.ndarray, log_frequencies: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray]:
        """Scores of the rows (rows x classes) and how each output moves them.

        Returns:
            The scores, and their derivatives: rows (or 1) x outputs x classes.
        """
        n_shapes = self.location + self.scale
        waves = raw[:, n_shapes:] @ self.waves
        if not self.location:
            return log_frequencies + waves, self.waves[None]
        scores, moves = _location_scale(raw[:, :n_shapes], thresholds(log_frequencies))
        fixed = np.broadcast_to(self.waves, (len(raw), *self.waves.shape))
        return scores + waves, np.concatenate([moves, fixed], 1)


def basis_of(name: str, ground: Ground) -> Basis:
    """The basis with that name, over the classes of a ground.

    Raises:
        ValueError: If there is none with that name.
    """
    n_classes = ground.n_classes
    if name == "auto":
        line = "location-scale-3" if isinstance(ground, Line) else "identity"
        around = isinstance(ground, Circle) and n_classes > _FEW
        name = "cosines-6" if around else line
    match = _NAME.fullmatch(name)
    if match is None:
        raise ValueError(
            'basis must be "auto", "identity", "cosines-J" or "location-scale-J" with '
            f'J cosines, as in "location-scale-3", got {name!r}'
        )
    if match["kind"] is None:
        return Basis(name, n_classes, np.eye(n_classes))
    n_waves = int(match["waves"])
    if match["kind"] == "cosines":
        if n_waves < 1:
            raise ValueError(f"basis must have at least one cosine, got {name!r}")
        return Basis(name, n_classes, waves_over(ground, n_waves))
    # Two classes have one degree of freedom, which the location takes.
    n_waves = n_waves if n_classes > 2 else 0
    waves = waves_over(ground, n_waves)
    return Basis(name, n_classes, waves, location=True, scale=n_classes > 2)


def waves_over(ground: Ground, n_waves: int) -> np.ndarray:
    r"""The first cosines over the classes, as `offby`'s networks have them.

    .. math:: \sqrt{2} \cos(\pi j (k + 1/2) / K) / (1 + j)^2, \qquad j = 1 \dots

    At most K - 1 of them differ. Around a circle, cosine and sine of whole turns in
    turn, so that the last class stays next to the first.
    """
    n_classes = ground.n_classes
    j = np.arange(1, min(n_waves, n_classes - 1) + 1)[:, None]
    if isinstance(ground, Circle):
        place = (ground.positions / ground.period).cpu().numpy()
        turn, half = (j + 1) // 2, np.pi / 2 * (j % 2 == 0)
        return np.sqrt(2) * np.cos(2 * np.pi * turn * place - half) / (1 + turn) ** 2
    place = (np.arange(n_classes) + 0.5) / n_classes
    return np.sqrt(2) * np.cos(np.pi * j * place) / (1 + j) ** 2


def thresholds(log_frequencies: np.ndarray) -> np.ndarray:
    """Log odds of the cumulative frequencies, at the cuts between the classes."""
    below = np.logaddexp.accumulate(log_frequencies)[:-1]
    above = np.logaddexp.accumulate(log_frequencies[::-1])[::-1][1:]
    return below - above


def _location_scale(
    raw: np.ndarray, theta: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Log masses of F_k = sigmoid((theta_k - mu) e^-t), and their derivatives.

    Each log mass is a sum of logarithms, log F_k + log(1 - F_(k-1)) + log(1 - e^-gap):
    a difference of two F would lose all digits of a far class.
    """
    n_rows = len(raw)
    squashed = (
        np.tanh(raw[:, 1:2] / LARGEST_LOG_SCALE)
        if raw.shape[1] > 1
        else np.zeros((n_rows, 1))
    )
    size = np.exp(-LARGEST_LOG_SCALE * squashed)
    z = (theta - raw[:, :1]) * size
    gap = np.diff(theta) * size
    none = np.zeros((n_rows, 1))
    at_or_below, above = _sigmoid(z), _sigmoid(-z)

    scores = np.hstack([_log_sigmoid(z), none]) + np.hstack([none, _log_sigmoid(-z)])
    with np.errstate(over="ignore"):
        scores[:, 1:-1] += np.log(-np.expm1(-gap))
        inner = gap / np.expm1(gap)
    location = size * (np.hstack([none, at_or_below]) - np.hstack([above, none]))
    if raw.shape[1] == 1:
        return scores, location[:, None]
    scale = np.hstack([none, z * at_or_below]) - np.hstack([z * above, none])
    scale[:, 1:-1] -= inner
    scale *= 1 - squashed**2
    return scores, np.stack([location, scale], 1)


def _sigmoid(z: np.ndarray) -> np.ndarray:
    return np.exp(_log_sigmoid(z))


def _log_sigmoid(z: np.ndarray) -> np.ndarray:
    return -np.logaddexp(0, -z)
