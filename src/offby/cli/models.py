"""What the commands around model files share: reading, fitting, writing."""

import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from offby.cli import terminal
from offby.cli.files import check_writable, plain, stem
from offby.cli.grounds import ground_of
from offby.cli.reading import prepared, reading
from offby.comparison.config import CompareConfig
from offby.results import phrases, ranking, said

if TYPE_CHECKING:
    from offby.models import About, Fitted
    from offby.results import Comparison
    from offby.tables import NewRows, Problem

_FOLDS = 5
"""A class must have a row in each part of the rows, of which one is held out."""


@contextmanager
def warnings_as_notes() -> Iterator[None]:
    """Show warnings of the library as the other notes: a sentence, once."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("default")
        yield
    said = {str(each.message): each for each in caught}
    for text, warning in said.items():
        # What is deprecated inside of a library is for its maintainers, and what NumPy
        # "encountered in divide" for those who wrote the division.
        known = issubclass(warning.category, UserWarning | RuntimeWarning)
        if known and "encountered in" not in text:
            click.echo(f"! {text[:1].upper()}{text[1:]}", err=True)


def model_path(data: str, target: str, out: Path | None, *, overwrite: bool) -> Path:
    """The file to write the model to, checked before the work.

    Raises:
        ValueError: If it cannot be written, or would replace another kind of file.
    """
    path = out or Path(f"{plain(stem(data))}-{plain(target)}.offby")
    check_model_path(path, overwrite=overwrite)
    return path


def check_model_path(path: Path, *, overwrite: bool) -> None:
    """Refuse a file that cannot be written, or that is no model and would be lost."""
    check_writable(path)
    if path.suffix.lower() != ".offby":
        raise ValueError(
            f"the model must be written to a file that ends in .offby, got "
            f"{str(path)!r}; use {str(path.with_suffix('.offby'))!r}"
        )
    if overwrite or not path.is_file() or not path.stat().st_size:
        return
    from offby import models

    try:
        models.describe(path)
    except ValueError as error:
        raise ValueError(
            f"{str(path)!r} exists and is no model of offby; choose another name, or "
            "replace the file with --overwrite"
        ) from error


def problem_of(
    data: str, target: str, asked: dict[str, Any], *, quiet: bool
) -> "Problem":
    """Read the table and prepare what there is to learn; said on stderr."""
    from offby import tables

    scanned = tables.scan(data, reading(asked))
    problem = prepared(scanned, data, target, asked, folds=_FOLDS, command="fit")
    if not quiet:
        terminal.print_problem(data, scanned, target, problem, asked)
    return problem


def fitted_of(
    problem: "Problem", data: str, target: str, asked: dict[str, Any], command: str
) -> "Fitted":
    """Train the model that the options ask for."""
    from offby import models

    choice = models.Choice(
        model=asked["model"],
        loss=asked["loss"],
        bins=asked["bins"],
        strategy=asked["strategy"],
        bounds=asked["bounds"],
        transform=asked["transform"],
        calibration=asked["calibration"],
        max_time=asked["max_time"],
        seed=asked["seed"],
        ground=ground_of(asked, problem),
    )
    return models.fit_problem(
        problem,
        choice,
        data=Path(data).name,
        target=target,
        command=command,
        options=reading(asked),
        hold_out=asked["scores"],
        unseen_groups=asked["unseen_groups"],
    )


def write_model(fitted: "Fitted", path: Path) -> None:
    """Write the estimator and what is known of it."""
    from offby import models

    models.save(fitted.estimator, path, fitted.about)


def loaded(path: Path) -> tuple[Any, "About"]:
    """The estimator in a model file, and what is known of it.

    Raises:
        ValueError: If there is no such file, or it is no model.
    """
    from offby import models

    check_model(path)
    estimator = models.load(path)
    return estimator, models.describe(path, estimator)


def check_model(path: Path) -> None:
    """Refuse the name of no file."""
    if not path.is_file():
        raise ValueError(
            f"the model must be a file that offby fit wrote, got {str(path)!r}, which "
            "is none; train one with offby fit TABLE -t COLUMN"
        )


def rows_like_training(
    data: str,
    about: "About",
    asked: dict[str, Any],
    *,
    target: str | None = None,
    beside: tuple[str, ...] = (),
    quiet: bool,
) -> "NewRows":
    """New rows with the columns of training; what is odd in them is said on stderr."""
    from dataclasses import replace

    from offby import tables

    if not about.columns:
        raise ValueError(
            "the model was trained in Python on an array without names of columns, so "
            "a table cannot be matched with it; use offby.load and predict_dist, or "
            "train it on a data frame"
        )
    options = reading(asked)
    options = replace(
        options,
        missing=(*about.missing, *options.missing),
        dates=options.dates or about.dates,
    )
    scanned = tables.scan(data, options)
    rows = tables.new_rows(
        scanned,
        about.columns,
        unused=(*about.unused, about.target),
        target=target,
        beside=beside,
    )
    if not quiet:
        for note in rows.notes:
            click.echo(f"! {note}", err=True)
    return rows


def best_fitted(
    comparison: "Comparison",
    problem: "Problem",
    asked: dict[str, Any],
    data: str,
    target: str,
) -> "Fitted":
    """The best model of a comparison, trained on all rows.

    Raises:
        ValueError: If no model has a finite score.
    """
    from offby import models

    best = comparison.best()
    if best is None:
        raise ValueError("every model has an infinite score; name another --metric")
    method, seeds = comparison.method(best), ranking.seeds(comparison.scores)[best]
    numbers = problem.kind == "number"
    on_line = comparison.data.ground is None
    names = {} if on_line else {"rps": "energy", "mae": "distance", "qwk": ""}
    scores = {
        name: value
        for metric in comparison.metrics
        if (name := names.get(metric.key, metric.key)) in models.SCORES
        and (value := comparison.mean(best, metric.key)) is not None
        and not comparison.infinite_rows(best, metric.key)
    }
    run = comparison.run
    return models.fit_problem(
        problem,
        models.Choice(
            model=method.model or "network",
            loss=method.loss or best,
            bins=(asked["bins"] or CompareConfig.bins) if numbers else None,
            strategy=asked["strategy"] if numbers else None,
            bounds=asked["bounds"],
            transform=asked["transform"] if numbers else None,
            seed=asked["seed"],
            ground=ground_of(asked, problem),
        ),
        data=Path(data).name,
        target=target,
        command=run.command,
        options=reading(asked),
        scores=scores,
        scored_on="the held-out rows of offby compare "
        f"({run.folds} folds, {phrases.count(seeds, 'seed')})",
    )


def refit_in_words(
    comparison: "Comparison", problem: "Problem", budget: Any = None
) -> str:
    """What is trained after a comparison, and about how long that takes."""
    from offby import models

    best = comparison.best()
    if best is None:
        return "No model has a finite score, so none is trained on all rows."
    seconds = models.refit_seconds(comparison, len(problem.y))
    allowed = CompareConfig(time_budget=budget).budget_seconds()
    late = allowed is not None and comparison.timing.seconds + seconds > allowed
    beyond = ", beyond the time budget" if late else ""
    what = said.model(comparison.method(best))
    return (
        f"Training {what} on all {len(problem.y):,} rows takes about "
        f"{phrases.duration(max(1.0, seconds))}{beyond}."
    )
