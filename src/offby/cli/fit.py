"""`offby fit`: from a table to a model in a file."""

import shlex
import sys
from pathlib import Path
from typing import Any

import click

from offby.cli import models, terminal
from offby.cli.errors import as_sentences
from offby.cli.grounds import flag_of, ground_options
from offby.cli.losses import check_losses
from offby.cli.options import (
    model_options,
    order_options,
    reading_options,
    row_options,
    text_options,
)


@click.command()
@click.argument("data")
@click.option("-t", "--target", required=True, help="Column to predict.")
@model_options
@order_options
@ground_options
@row_options
@reading_options
@text_options
def fit(
    data: str, target: str, out: Path | None, overwrite: bool, quiet: bool, **asked: Any
) -> None:
    """Train a model on the table DATA and write it to a file.

    DATA is any table that `offby compare` reads. The model forecasts a whole
    distribution; `offby predict` applies it to new rows.

    Exit code: 0 if the model is written; 1 if the training failed; 2 for wrong usage or
    data; 130 on Ctrl-C.
    """
    with as_sentences(), models.warnings_as_notes():
        path = models.model_path(data, target, out, overwrite=overwrite)
        check_losses([asked["loss"]])
        flag_of(asked)
        if asked["unseen_groups"] and not (asked["time_"] and asked["groups"]):
            raise ValueError(
                "--unseen-groups needs the columns --time and --groups; name both"
            )

        problem = models.problem_of(data, target, asked, quiet=quiet)
        if not quiet:
            click.echo(f"Training on {len(problem.y):,} rows ...", err=True)
        fitted = models.fitted_of(
            problem, data, target, asked, shlex.join(["offby", *sys.argv[1:]])
        )
        models.write_model(fitted, path)
    if not quiet:
        terminal.print_fitted(fitted, path)
