"""`offby evaluate`: the scores of a model on a table whose target is known."""

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from offby.cli import models, terminal
from offby.cli.errors import as_sentences
from offby.cli.options import reading_options

if TYPE_CHECKING:
    import numpy as np

    from offby.models import About
    from offby.tables import NewRows


@click.command()
@click.argument("model", type=click.Path(path_type=Path))
@click.argument("data")
@click.option(
    "-t", "--target", help="Column with the truth.  [default: that of training]"
)
@click.option("--weights", help="Column with the weight of each row.")
@click.option("--json", "as_json", is_flag=True, help="Print the scores as JSON.")
@reading_options
@click.option("-q", "--quiet", is_flag=True, help="Say nothing on stderr.")
def evaluate(
    model: Path,
    data: str,
    target: str | None,
    weights: str | None,
    as_json: bool,
    quiet: bool,
    **asked: Any,
) -> None:
    """Score the model in the file MODEL on the table DATA, whose target is known.

    Exit code: 0; 2 for wrong usage or data; 130 on Ctrl-C.
    """
    with as_sentences(), models.warnings_as_notes():
        models.check_model(model)
        estimator, about = models.loaded(model)
        column = target or about.target
        if not column:
            raise ValueError(
                "the model file does not name the target, because it was saved in "
                "Python; name it with -t COLUMN"
            )
        from offby.models import ground_of, scores_of

        rows = models.rows_like_training(
            data,
            about,
            asked,
            target=column,
            beside=() if weights is None else (weights,),
            quiet=quiet,
        )
        kept, y = known_targets(rows, about)
        if not quiet and len(kept) < len(rows.X):
            left_out = len(rows.X) - len(kept)
            click.echo(
                f"! {left_out} of {len(rows.X)} rows have no target that the model "
                "knows, and were left out.",
                err=True,
            )
        weight = None if weights is None else row_weights(rows, weights)[kept]
        forecast = estimator.predict_dist(rows.X[kept])
        scores = scores_of(forecast, y, weight, ground=ground_of(estimator))
    if as_json:
        click.echo(json.dumps({"rows": len(y), "scores": scores}, indent=2))
    else:
        terminal.print_scores(scores, f"{len(y):,} rows of {data}", about)


def known_targets(rows: "NewRows", about: "About") -> tuple["np.ndarray", "np.ndarray"]:
    """Numbers of the rows whose target is known, and the targets."""
    import numpy as np

    from offby.tables import class_names

    assert rows.y is not None
    y, there = rows.y, rows.y.is_not_null()
    if y.dtype.is_float():
        there = there & y.is_finite()
    kept = np.flatnonzero(there.fill_null(False).to_numpy())
    known = y[kept]
    if about.kind == "number":
        if len(known) and not known.dtype.is_numeric():
            raise ValueError(
                f"target {y.name!r} must hold numbers, as in training, got "
                f"{str(known[0])!r}; choose another column with -t, or correct the file"
            )
        found = known.cast(float).to_numpy()
    else:
        names = class_names(known)
        codes = np.array([about.codes.get(name, -1) for name in names], dtype=int)
        kept, found = kept[codes >= 0], codes[codes >= 0]
    if not len(kept):
        labels = ", ".join(about.labels)
        what = f"one of {labels}" if labels else "a number"
        example = f", as {y[0]!r}" if len(y) else ""
        raise ValueError(
            f"target {y.name!r} must hold {what} in some rows, got none{example}; "
            "choose another column with -t"
        )
    return kept, found


def row_weights(rows: "NewRows", name: str) -> "np.ndarray":
    """The weight of each row, from a column beside the others."""
    import polars

    column = rows.rest[name].cast(polars.Float64, strict=False)
    if column.null_count() or not (column >= 0).all() or not (column > 0).any():
        raise ValueError(
            f"weights {name!r} must be numbers of 0 or more in all rows; correct them"
        )
    return column.to_numpy()
