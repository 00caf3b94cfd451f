"""`ClassDistribution`: masses of ordered classes."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxtyping import Float, Int
from numpy.typing import ArrayLike

from offby._checks import normalized
from offby.distribution.decide_class import best_index, median_index
from offby.distribution.decisions import Metric
from offby.distribution.draws import RandomState, uniform
from offby.distribution.given import (
    Given,
    checked_row_index,
    chosen_row_index,
    frame,
    given,
)


@dataclass(frozen=True, eq=False, repr=False, init=False)
class ClassDistribution:
    """Distributions over classes in their order.

    Args:
        probs: Mass of each class, classes on the last axis, in the order of `classes`.
            Rows that sum to 1 within 1e-3 are divided by their sum.
        classes: The classes from the lowest to the highest.
        row_index: The index of the pandas frame that the forecasts are for; estimators
            set it. `to_frame` has it, and scores of a series check it.

    Raises:
        ValueError: If rows do not fit the classes, are negative or NaN, or miss the
            sum, or if a class comes twice.

    >>> size = ClassDistribution([0.25, 0.5, 0.25], ["small", "medium", "large"])
    >>> size
    ClassDistribution(batch (), 3 classes from 'small' to 'large')
    >>> str(size.median())
    'medium'
    """

    probs: Float[np.ndarray, "*batch classes"]
    classes: np.ndarray
    row_index: Any = None

    def __init__(
        self, probs: ArrayLike, classes: ArrayLike, *, row_index: Any = None
    ) -> None:
        names = np.asarray(classes)
        if names.ndim != 1 or len(set(names.tolist())) < len(names):
            raise ValueError(
                "classes must be a list of different classes in their order, got "
                f"{names.tolist()}"
            )
        object.__setattr__(self, "classes", names)
        probs = normalized(
            "probs",
            probs,
            len(names),
            "classes on their last axis",
            "turn raw network output into probabilities with softmax first",
        )
        object.__setattr__(self, "probs", probs)
        index = checked_row_index(row_index, probs.shape[:-1])
        object.__setattr__(self, "row_index", index)

    @property
    def positions(self) -> Float[np.ndarray, " classes"]:
        """Where the classes lie: increasing numbers at themselves, else 0, 1, 2, ..."""
        if self.classes.dtype.kind in "biuf":
            numbers = self.classes.astype(np.float64)
            if (np.diff(numbers) > 0).all():
                return numbers
        return np.arange(len(self.classes), dtype=np.float64)

    def index(self, y: ArrayLike) -> Int[np.ndarray, "*batch"]:
        """The place of each class in the order.

        Raises:
            ValueError: If one of them is not among the classes.
        """
        places = {name: place for place, name in enumerate(self.classes.tolist())}
        labels = np.asarray(y)
        found = [places.get(label, -1) for label in labels.ravel().tolist()]
        if -1 in found:
            odd = labels.ravel()[found.index(-1)]
            raise ValueError(
                f"y must hold classes of {self.classes.tolist()}, got {odd!r}"
            )
        return np.array(found, dtype=int).reshape(labels.shape)

    def cumulative(self) -> Float[np.ndarray, "*batch classes"]:
        """Mass of each class and all below it."""
        return np.minimum(self.probs.cumsum(-1), 1)

    def median(self) -> np.ndarray:
        """The first class at which half of the mass is reached.

        >>> ClassDistribution([[0.5, 0.0, 0.5], [0.2, 0.2, 0.6]], [1, 2, 3]).median()
        array([1, 3])
        """
        return self.classes[median_index(self.probs)]

    def mode(self) -> np.ndarray:
        """The likeliest class."""
        return self.classes[self.probs.argmax(-1)]

    def mean(self) -> Float[np.ndarray, "*batch"]:
        """Expected position, in the units of `positions`."""
        return self.probs @ self.positions

    def decide(self, metric: Metric) -> np.ndarray:
        """The best guess under a metric: the one with the least expected loss.

        Args:
            metric: A name, or the cost of each mistake.

                - "mae": the median;
                - "rmse" (or "mse"): the class nearest to the mean;
                - "mape": the median of the masses divided by the positions;
                - "accuracy": the likeliest class;
                - "within-1" (or any other distance): the class with
                  the most mass that near;
                - "qwk": quadratic weighted kappa depends on all rows together; the
                  guesses are those with the highest kappa by the expected counts
                  (docs/estimators.md);
                - a ground, as `Costs(matrix)`: the class of the least expected cost;
                - a function of true values and guesses, which broadcast: the class of
                  the least expected cost between `positions`.

        Returns:
            One of the classes for each forecast.

        Raises:
            ValueError: If there is no such metric, or it does not fit the classes.

        >>> size = ClassDistribution([0.3, 0.3, 0.4], ["small", "medium", "large"])
        >>> [str(size.decide(metric)) for metric in ("mae", "accuracy", "within-1")]
        ['medium', 'large', 'medium']
        """
        return self.classes[best_index(self.probs, self.positions, metric)]

    def sample(self, n: int, random_state: RandomState = None) -> np.ndarray:
        """Independent draws: n x batch.

        Args:
            n: Number of draws of each forecast.
            random_state: A seed or a generator of NumPy; None draws others each time.

        >>> ClassDistribution([0.5, 0.0, 0.5], ["a", "b", "c"]).sample(4, 0).tolist()
        ['c', 'a', 'a', 'a']
        """
        level = uniform(random_state, (n, *self.probs.shape[:-1]))
        # The last class with mass: rounding may leave the sum a little short of 1.
        total = self.probs.cumsum(-1)
        reached = total / total[..., -1:]
        return self.classes[(reached <= level[..., None]).sum(-1)]

    def rps(self, y: ArrayLike) -> Float[np.ndarray, "*batch"]:
        """Ranked probability score of each row, in the units of `positions`.

        >>> ClassDistribution([0.5, 0.5, 0.0], ["low", "mid", "high"]).rps("mid").item()
        0.25
        """
        truth = self._given(y)
        at = self.index(truth.values)
        above = at[..., None] <= np.arange(len(self.classes) - 1)
        apart = (self.cumulative()[..., :-1] - above) ** 2
        return truth.like(apart @ np.diff(self.positions), "rps")

    def log_score(self, y: ArrayLike) -> Float[np.ndarray, "*batch"]:
        """Minus the log of the mass on the true class, in nats."""
        truth = self._given(y)
        at = self.index(truth.values)[..., None]
        mass = np.take_along_axis(self.probs, at, -1)[..., 0]
        with np.errstate(divide="ignore"):
            return truth.like(-np.log(mass), "log_score")

    def _given(self, y: ArrayLike) -> Given:
        return given("y", y, self.probs.shape[:-1], self.row_index)

    def to_frame(self, backend: str = "pandas") -> Any:
        """A data frame: a row per forecast, a column per class, in their order.

        Args:
            backend: The library of the frame: "pandas" (with the index of the frame
                that the forecasts come from), "polars" or "pyarrow".
        """
        rows = self.probs.reshape(-1, len(self.classes))
        columns = {
            str(name): column
            for name, column in zip(self.classes.tolist(), rows.T, strict=True)
        }
        return frame(columns, backend, self.row_index)

    def plot(self, ax: Any = None, *, color: str = "#0072b2") -> Any:
        """Draw one forecast as bars in the order of the classes.

        Args:
            ax: matplotlib axes to draw on; new ones by default.
            color: Of the bars.

        Returns:
            The axes.

        Raises:
            ValueError: If this is not a single forecast.
            RuntimeError: If matplotlib is not installed.
        """
        if self.probs.ndim != 1:
            raise ValueError(
                "plot draws one forecast, got a batch of shape "
                f"{self.probs.shape[:-1]}; choose a row with dist[row]"
            )
        try:
            from matplotlib import pyplot
        except ImportError as error:
            raise RuntimeError(
                "plot needs matplotlib, which is not here; run pip install matplotlib"
            ) from error
        ax = pyplot.subplots()[1] if ax is None else ax
        ax.bar([str(name) for name in self.classes.tolist()], self.probs, color=color)
        ax.set_xlabel("class")
        ax.set_ylabel("probability")
        ax.spines[["right", "top"]].set_visible(False)
        return ax

    def __getitem__(self, rows: Any) -> "ClassDistribution":
        """The forecasts of some rows."""
        if self.probs.ndim == 1:
            raise IndexError("a single forecast has no rows to choose from")
        # Of rows only: the classes stay together, or they would not sum to 1.
        batch = self.probs.shape[:-1]
        place = np.arange(np.prod(batch, dtype=int)).reshape(batch)[rows]
        kept = chosen_row_index(self.row_index, place)
        masses = self.probs.reshape(-1, len(self.classes))[place]
        return ClassDistribution(masses, self.classes, row_index=kept)

    def __len__(self) -> int:
        """How many there are along the first axis."""
        if self.probs.ndim == 1:
            raise TypeError("a single forecast has no length")
        return len(self.probs)

    def __iter__(self) -> Iterator["ClassDistribution"]:
        """One forecast after the other, along the first axis."""
        return (self[row] for row in range(len(self)))

    def __eq__(self, other: object) -> bool:
        """Whether both have the same masses, to the last bit, of the same classes."""
        if not isinstance(other, ClassDistribution):
            return NotImplemented
        return self.classes.tolist() == other.classes.tolist() and np.array_equal(
            self.probs, other.probs
        )

    def __hash__(self) -> int:
        return hash((self.probs.shape, tuple(self.classes.tolist())))

    def __repr__(self) -> str:
        low, high = self.classes.tolist()[0], self.classes.tolist()[-1]
        return (
            f"ClassDistribution(batch {self.probs.shape[:-1]}, {len(self.classes)} "
            f"classes from {low!r} to {high!r})"
        )
