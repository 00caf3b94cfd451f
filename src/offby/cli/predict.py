"""`offby predict`: forecasts of new rows by a model in a file."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from offby.cli import models
from offby.cli.errors import as_sentences
from offby.cli.files import check_writable
from offby.cli.options import reading_options
from offby.results import phrases

if TYPE_CHECKING:
    import polars


@click.command()
@click.argument("model", type=click.Path(path_type=Path))
@click.argument("data")
@click.option(
    "-o",
    "--out",
    metavar="PATH|-",
    default="-",
    help="File to write, csv or parquet; - prints csv on stdout.  [default: -]",
)
@click.option(
    "--id",
    "ids",
    default="",
    metavar="COLUMNS",
    help="Columns to carry along, as order_id,date.",
)
@click.option(
    "--quantiles",
    default="",
    metavar="LEVELS",
    help="Quantiles to add, as 0.1,0.25,0.75; for a target of numbers.",
)
@click.option(
    "--interval",
    "coverage",
    type=float,
    default=0.9,
    show_default=True,
    help="Share that the interval holds; for a target of numbers.",
)
@click.option(
    "--above",
    multiple=True,
    metavar="VALUE",
    help="Add the chance to lie above this number or class. May be given several "
    "times.",
)
@click.option(
    "--decide",
    metavar="METRIC",
    help="Add the best guess under a metric: mae, rmse, mape, accuracy, within-1 or "
    "qwk.",
)
@reading_options
@click.option("-q", "--quiet", is_flag=True, help="Say nothing on stderr.")
def predict(
    model: Path,
    data: str,
    out: str,
    ids: str,
    quantiles: str,
    coverage: float,
    above: tuple[str, ...],
    decide: str | None,
    quiet: bool,
    **asked: Any,
) -> None:
    """Forecast the rows of the table DATA with the model in the file MODEL.

    A row comes out for each row that went in, in the same order: for classes the
    median and the probability of each class, for numbers the mean, the median and an
    interval.

    Exit code: 0 if the forecasts are written; 2 for wrong usage or data; 130 on Ctrl-C.
    """
    with as_sentences(), models.warnings_as_notes():
        path = _checked(out, data)
        models.check_model(model)
        levels = [_level(text) for text in quantiles.split(",") if text.strip()]

        from offby import tables
        from offby.models import Wanted, forecast_columns

        if decide is not None:
            from offby.distribution.decisions import window_of

            window_of(decide)
        wanted = Wanted(quantiles=levels, coverage=coverage, above=above, decide=decide)
        estimator, about = models.loaded(model)
        beside = tables.split_list(ids)
        rows = models.rows_like_training(data, about, asked, beside=beside, quiet=quiet)
        forecasts = forecast_columns(estimator, rows.X, wanted)
        frame = _joined(rows.rest, forecasts)
        if path is not None:
            _write(frame, path)
    if path is None:
        click.echo(_rounded(frame).write_csv(), nl=False)
    elif not quiet:
        click.echo(f"{phrases.count(frame.height, 'forecast')} in {path}")


def _checked(out: str, data: str) -> Path | None:
    """The file to write; None for stdout."""
    if out == "-":
        return None
    path = Path(out)
    check_writable(path)
    if path.suffix.lower() not in (".csv", ".parquet"):
        raise ValueError(
            f"--out must name a csv or parquet file, or - for stdout, got {out!r}; "
            "change its ending"
        )
    if data != "-" and path.exists() and Path(data).exists() and path.samefile(data):
        raise ValueError(
            f"--out must be another file than the table, got {out!r} for both; choose "
            "another name"
        )
    return path


def _level(text: str) -> float:
    try:
        return float(text)
    except ValueError as error:
        raise ValueError(
            f"--quantiles must be numbers between 0 and 1, as 0.1,0.9, got {text!r}"
        ) from error


def _joined(rest: "polars.DataFrame", forecasts: dict[str, Any]) -> "polars.DataFrame":
    import polars

    twice = [name for name in rest.columns if name in forecasts]
    if twice:
        raise ValueError(
            f"a column that is carried along must have another name than a forecast, "
            f"got {twice[0]!r}; rename it in the file"
        )
    return polars.DataFrame({**rest.to_dict(), **forecasts})


def _rounded(frame: "polars.DataFrame") -> "polars.DataFrame":
    """Seven digits are more than a forecast is worth, and quick to read."""
    import polars.selectors as columns

    return frame.with_columns(columns.float().round_sig_figs(7))


def _write(frame: "polars.DataFrame", path: Path) -> None:
    """Write the whole file or none of it."""
    import os

    draft = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        if path.suffix.lower() == ".csv":
            _rounded(frame).write_csv(draft)
        else:
            frame.write_parquet(draft)
        os.replace(draft, path)
    finally:
        draft.unlink(missing_ok=True)
