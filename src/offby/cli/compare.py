"""`offby compare`: from a table to a report."""

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from offby.cli import models, terminal, testing
from offby.cli.errors import as_sentences
from offby.cli.files import Outputs, outputs_of, refuse_foreign_files, spared, write
from offby.cli.grounds import flag_of, ground_options
from offby.cli.losses import check_losses
from offby.cli.options import (
    machine_options,
    order_options,
    output_options,
    reading_options,
    row_options,
    run_options,
    target_options,
    text_options,
)
from offby.cli.own_losses import own_names, with_own_losses
from offby.comparison.config import CompareConfig

if TYPE_CHECKING:
    from offby.models import Fitted
    from offby.results import Comparison


@click.command()
@click.argument("data")
@click.option("-t", "--target", required=True, help="Column to predict.")
@output_options
@run_options
@target_options
@order_options
@ground_options
@row_options
@reading_options
@text_options
@machine_options
def compare(
    data: str,
    target: str,
    out: Path | None,
    json_out: str | None,
    overwrite: bool,
    save: Path | None,
    test: str | None,
    quiet: bool,
    open_report: bool,
    jobs: int | None,
    run_dir: Path | None,
    **asked: Any,
) -> None:
    """Compare losses on the table DATA and write a report.

    DATA is a file (csv, parquet, arrow, ndjson, a spreadsheet, a file of SPSS, Stata or
    SAS, SQLite, DuckDB; csv and its like also packed: gz, bz2, xz, zip), an address
    that begins with https://, - for standard input, or wine-red, which comes with
    offby.

    Exit code: 0 if the report is written, also if no loss is better; 1 if a run failed;
    2 for wrong usage or data; 130 on Ctrl-C.
    """
    only_json = json_out == "-"
    with as_sentences(), models.warnings_as_notes():
        # What costs nothing to check comes first: before any table is read.
        outputs = outputs_of(data, target, out, json_out)
        if not overwrite:
            refuse_foreign_files(outputs)
        _check_options(asked)
        if save is not None:
            models.check_model_path(save, overwrite=overwrite)
        usual = ",".join(CompareConfig.losses)
        named = usual if asked["losses"] is None else asked["losses"]
        names = [name.strip() for name in named.split(",") if name.strip()]
        own = own_names(names)
        if len(own) < len(names) or not names:
            check_losses([name for name in names if name not in own])
        if own and (save is not None or test is not None):
            raise ValueError(
                f"--save and --test train a model for a file, which cannot hold a loss "
                f"of your own, got {own[0]}; leave them out, and train it in Python: "
                "comparison.fit_best(X, y, loss=...)"
            )
        losses = with_own_losses(names)

        from offby.cli import comparing

        problem, asked, losses = comparing.problem_of(
            data, target, asked | {"jobs": jobs}, losses, quiet=quiet
        )
        # A test table that cannot be read is no news for after the training.
        rows = None
        if test is not None:
            rows = testing.rows_to_test(test, problem, asked, target, quiet=quiet)
        jobs = comparing.jobs_of(len(problem.y), asked, losses)
        with comparing.cluster(asked["dask"]):
            comparison = comparing.compared(
                problem,
                data,
                target,
                asked
                | {"losses": losses, "run_dir": run_dir, "n_jobs": jobs}
                | {"refit": save is not None or test is not None},
                progress=None if quiet else terminal.progress(),
            )

        # The comparison is not lost for what fails after it.
        fitted, failed = None, ""
        if save is not None or rows is not None:
            if not quiet:
                says = models.refit_in_words(comparison, problem, asked["time_budget"])
                click.echo(says, err=True)
            try:
                fitted = models.best_fitted(comparison, problem, asked, data, target)
            except Exception as error:
                failed = f"the best model could not be trained on all rows: {error}"
        if rows is not None and fitted is not None:
            try:
                comparison = testing.with_test(comparison, fitted, problem, rows, asked)
            except Exception as error:
                failed = f"the test table could not be scored: {error}"
        written = write_all(
            comparison,
            outputs,
            overwrite=overwrite,
            save=save if fitted else None,
            fitted=fitted,
            failed=failed,
        )
    if only_json:
        click.echo(comparison.to_json())
    elif not quiet:
        from offby.cli import answers

        answers.print_comparison(comparison)
    if not quiet:
        for line in written.lines(asked["predictions"]):
            click.echo(line, err=only_json)
        step = terminal.next_step(comparison, jobs, run_dir)
        if step:
            click.echo(step, err=only_json)
    if written.failed:
        raise click.ClickException(written.failed)
    if open_report:
        click.launch(str(written.outputs.report))


def _check_options(asked: dict[str, Any]) -> None:
    """Refuse options that exclude each other, or that need another one."""
    from offby.cli.files import check_writable

    flag_of(asked)
    predictions = asked["predictions"]
    check_writable(predictions)
    if predictions is not None and predictions.suffix not in (".csv", ".parquet"):
        raise ValueError(
            "--predictions must name a csv or parquet file, got "
            f"{str(predictions)!r}; change its ending"
        )
    if asked["unseen_groups"] and not (asked["time_"] and asked["groups"]):
        raise ValueError(
            "--unseen-groups needs the columns --time and --groups, because it scores "
            "later rows of groups that were not trained on; name both"
        )


@dataclass(frozen=True)
class Written:
    """What was written, and what could not be."""

    outputs: Outputs
    renamed: bool
    has_report: bool
    has_explainer: bool
    failed: str = ""
    """Why there is no report or no model, if there is none."""
    model: Path | None = None

    def lines(self, predictions: Path | None) -> list[str]:
        """A line for each file."""
        lines = [""]
        if self.renamed:
            lines.append(
                "The files of a comparison of other data were kept; this one has a new "
                "name (--overwrite replaces them)."
            )
        if self.has_report:
            lines.append(f"Report   {self.outputs.report}")
        if self.has_explainer:
            says = "move the predictions of some rows and see what each loss does"
            lines.append(f"Explain  {self.outputs.explainer}   {says}")
        if self.outputs.json is not None:
            lines.append(f"Data     {self.outputs.json}")
        if predictions is not None:
            lines.append(f"Rows     {predictions}")
        if self.model is not None:
            lines.append(f"Model    {self.model}   the best model, trained on all rows")
            lines.append(f"         {terminal.predict_command(self.model)}")
        return lines


def write_all(
    comparison: "Comparison",
    outputs: Outputs,
    *,
    overwrite: bool,
    save: Path | None = None,
    fitted: "Fitted | None" = None,
    failed: str = "",
) -> Written:
    """Write the numbers first, then what can be made of them again.

    Args:
        comparison: What was found.
        outputs: The files to write.
        overwrite: Whether to replace files of other data.
        save: The file for the best model, trained on all rows.
        fitted: What is written there.
        failed: What could not be done before.
    """
    found = outputs if overwrite else spared(outputs, comparison.data.sha256)
    renamed = found != outputs
    if found.json is not None:
        write(found.json, comparison.to_json())
    drawn = _write_explainer(comparison, found.explainer)
    model, has_report = save, True
    if save is not None and fitted is not None:
        try:
            models.write_model(fitted, save)
        except Exception as error:  # The comparison is not lost for it.
            model, failed = None, f"the model could not be written: {error}"
    try:
        from offby import report

        link = found.explainer.name if drawn else None
        page = report.render(comparison, explainer=link, model=model and str(model))
        write(found.report, page)
    except Exception as error:  # Whatever fails here, the answer is still printed.
        kept = "" if found.json is None else f"; all numbers are in {found.json}"
        failed, has_report = f"the report could not be written: {error}{kept}", False
    return Written(found, renamed, has_report, drawn, failed, model)


def _write_explainer(comparison: "Comparison", path: Path) -> bool:
    """Write the page to which the report links, unless its bins are too many."""
    from offby import explain

    try:
        page = explain.render(comparison)
    except ValueError:
        return False
    write(path, page)
    return True
