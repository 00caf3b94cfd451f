"""`ClassDistribution`: masses of ordered classes."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxtyping import Float, Int
from numpy.typing import ArrayLike

from offby._checks import normalized
from offby.distribution.decide_class import best_index, median_index
from offby.distribution.decisions import Metric
from offby.distribution.draws import RandomState, uniform


@dataclass(frozen=True, eq=False, repr=False, init=False)
class ClassDistribution:
    """Distributions over classes in their order.

    Args:
        probs: Mass of each class, classes on the last axis, in the order of `classes`.
            Rows that sum to 1 within 1e-3 are divided by their sum.
        classes: The classes from the lowest to the highest.

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

    def __init__(self, probs: ArrayLike, classes: ArrayLike) -> None:
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
        above = self.index(y)[..., None] <= np.arange(len(self.classes) - 1)
        apart = (self.cumulative()[..., :-1] - above) ** 2
        return apart @ np.diff(self.positions)

    def log_score(self, y: ArrayLike) -> Float[np.ndarray, "*batch"]:
        """Minus the log of the mass on the true class, in nats."""
        mass = np.take_along_axis(self.probs, self.index(y)[..., None], -1)[..., 0]
        with np.errstate(divide="ignore"):
            return -np.log(mass)

    def to_frame(self, backend: str = "pandas") -> Any:
        """A data frame: a row per forecast, a column per class, in their order.

        Args:
            backend: The library of the frame: "pandas", "polars" or "pyarrow".
        """
        import narwhals as nw

        rows = self.probs.reshape(-1, len(self.classes))
        columns = {
            str(name): column
            for name, column in zip(self.classes.tolist(), rows.T, strict=True)
        }
        library: Any = backend
        return nw.from_dict(columns, backend=library).to_native()

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
        ax.set_ylabel("probability")
        ax.spines[["right", "top"]].set_visible(False)
        return ax

    def __getitem__(self, rows: Any) -> "ClassDistribution":
        """The forecasts of some rows."""
        if self.probs.ndim == 1:
            raise IndexError("a single forecast has no rows to choose from")
        return ClassDistribution(self.probs[rows], self.classes)

    def __repr__(self) -> str:
        low, high = self.classes.tolist()[0], self.classes.tolist()[-1]
        return (
            f"ClassDistribution(batch {self.probs.shape[:-1]}, {len(self.classes)} "
            f"classes from {low!r} to {high!r})"
        )
