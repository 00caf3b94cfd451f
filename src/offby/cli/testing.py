"""The separate test table of `offby compare --test FILE`: read first, scored last."""

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import click

from offby.cli.evaluate import known_targets, row_weights
from offby.cli.files import stem
from offby.cli.grounds import ground_of
from offby.cli.models import rows_like_training
from offby.cli.reading import reading

if TYPE_CHECKING:
    import numpy as np

    from offby.models import Fitted
    from offby.results import Comparison
    from offby.tables import Problem


@dataclass(frozen=True, eq=False)
class TestRows:
    """The rows of the test table whose target is known."""

    name: str
    X: Any
    y: "np.ndarray"
    weight: "np.ndarray | None"


def rows_to_test(
    path: str, problem: "Problem", asked: dict[str, Any], target: str, *, quiet: bool
) -> TestRows:
    """The test table, with the columns of the other one; what is odd is said.

    Raises:
        ValueError: If a column is missing, or no row has a target.
    """
    from offby.models import About

    options = reading(asked)
    about = About(
        kind=problem.kind,
        model="",
        loss="ce",
        columns=problem.columns,
        target=target,
        labels=problem.labels,
        codes=problem.codes,
        unused=problem.unused,
        missing=options.missing,
        dates=options.dates,
    )
    weights = asked["weights"]
    beside = () if weights is None else (weights,)
    rows = rows_like_training(
        path, about, asked, target=target, beside=beside, quiet=quiet
    )
    kept, y = known_targets(rows, about)
    if not quiet and len(kept) < len(rows.X):
        click.echo(
            f"! {len(rows.X) - len(kept):,} of {len(rows.X):,} rows of {path} have no "
            "target that the training rows have, and were left out.",
            err=True,
        )
    weight = None if weights is None else row_weights(rows, weights)[kept]
    return TestRows(stem(path), rows.X[kept], y, weight)


def with_test(
    comparison: "Comparison",
    fitted: "Fitted",
    problem: "Problem",
    rows: TestRows,
    asked: dict[str, Any],
) -> "Comparison":
    """The comparison, with the scores of its best model on the test table."""
    from offby.comparison.final_test import scored_once

    found = scored_once(
        fitted.estimator,
        rows.X,
        rows.y,
        rows.weight,
        metrics=comparison.metrics,
        positions=problem.positions,
        method=comparison.best() or fitted.about.loss,
        name=rows.name,
        train_y=problem.y,
        train_weight=problem.weights,
        ground=ground_of(asked, problem),
    )
    return replace(comparison, test=found)
