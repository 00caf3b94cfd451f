"""What a comparison found about the data and the best model, for its reader."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Column:
    """How one column of the table was read."""

    name: str
    read_as: str
    """numbers, words, dates, text; empty for a column that was left out."""
    distinct: int
    """Different values, without gaps; 0 where it was not counted."""
    missing: int
    """Rows without a value."""
    why_not: str = ""
    """Why the models did not see it; empty for a column that they saw."""

    @property
    def used(self) -> bool:
        """Whether the models saw the column."""
        return not self.why_not


@dataclass(frozen=True)
class Importance:
    """How much worse a model forecasts when a column is shuffled (Breiman 2001)."""

    method: str
    column: str
    increase: float
    """Of the score of held-out rows, as a share of it: 0.1 is 10 % worse."""
    low: float
    """Smallest and largest increase over the folds."""
    high: float


@dataclass(frozen=True)
class Region:
    """How well a model forecasts a part of the held-out rows."""

    method: str
    by: str
    """What the rows are parted by: the target, or the groups."""
    label: str
    n_rows: int
    score: float
    """Mean RPS, energy score or CRPS of these rows."""
    bias: float | None
    """Mean of median forecast minus truth, in the units of the target; None of classes
    without an order."""


@dataclass(frozen=True)
class FinalScore:
    """A score on a separate test table."""

    metric: str
    value: float | None
    """Mean over the finite rows; None if there are none."""
    low: float | None
    """95 % interval for new rows like these, under this very model."""
    high: float | None
    infinite_rows: int = 0


@dataclass(frozen=True)
class FinalTest:
    """How the best model, trained on all rows compared on, forecasts a test table.

    The test table had no part in the choice of the model, and is scored once.
    """

    name: str
    n_rows: int
    method: str
    """Key of the model among the methods."""
    trained_on: int
    """Rows of the comparison, on all of which the model was trained."""
    scores: tuple[FinalScore, ...]


@dataclass(frozen=True)
class Coverage:
    """How often the truth lies in the central interval of a forecast."""

    method: str
    level: float
    """The share that was promised."""
    share: float
    """The share of held-out rows whose interval holds the truth."""
    width: float
    """Mean width of the intervals, in the units of the target."""
