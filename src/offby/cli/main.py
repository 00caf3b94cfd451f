"""The command line: it parses and prints, the library does the work.

Heavy modules are imported inside the commands, so that `offby --help` answers at once.
"""

import shlex
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from offby.cli import terminal as _terminal
from offby.cli.files import check_writable, file_name, write
from offby.cli.terminal import Progress

if TYPE_CHECKING:
    from offby.comparison import Comparison
    from offby.tables import Problem


class _Commands(click.Group):
    """Errors as sentences, and exit code 130 for Ctrl-C (click alone gives 1)."""

    def invoke(self, ctx: click.Context) -> Any:
        """Run the command."""
        try:
            return super().invoke(ctx)
        except (KeyboardInterrupt, click.Abort):
            click.echo("\nStopped; no report was written.", err=True)
            ctx.exit(130)


class _Refusal(click.ClickException):
    """Wrong usage or data."""

    exit_code = 2


def _check_jobs(ctx: click.Context, param: click.Parameter, value: int) -> int:
    if value == 0:
        raise click.BadParameter("must not be 0; give a number of fits, or -1.")
    return value


@click.group(cls=_Commands, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="offby")
def main() -> None:
    """Losses that know how far off you are.

    Nothing is sent anywhere: no telemetry, no network.
    """


@main.command()
@click.argument("data")
@click.option("-t", "--target", required=True, help="Column to predict.")
@click.option(
    "-o",
    "--out",
    type=click.Path(path_type=Path),
    help="Report to write.  [default: TARGET_compare.html]",
)
@click.option(
    "--json",
    "json_out",
    metavar="PATH|-",
    help="Data of the report to write; - prints them, and nothing else, on stdout.  "
    "[default: the report's name with .json]",
)
@click.option(
    "--losses",
    default="ce,emd1,emd2,cce,ce+emd2",
    show_default=True,
    help="Losses by name, or sums as ce+0.3*emd1.",
)
@click.option(
    "--bins",
    type=click.IntRange(min=2),
    help="Treat the target as a number, cut into this many bins.  [default: 50]",
)
@click.option(
    "--strategy",
    type=click.Choice(["quantile", "uniform"]),
    default="quantile",
    show_default=True,
    help="Bins of equal counts or of equal widths.",
)
@click.option("--order", default="", help="Classes, lowest first, as low,mid,high.")
@click.option("--drop", default="", help="Columns to leave out, as id,name.")
@click.option("--groups", help="Column of groups: none is on both sides of a cut.")
@click.option("--time", "time_", help="Column of times: learn earlier, judge later.")
@click.option("--weights", help="Column of weights of rows.")
@click.option(
    "--min-class",
    type=click.IntRange(min=1),
    help="A class with fewer rows joins its neighbor.  [default: the folds]",
)
@click.option(
    "--sample", type=click.IntRange(min=10), help="Take this many rows at random."
)
@click.option(
    "--quick",
    "size",
    flag_value="quick",
    help="3 folds and 1 seed: a first look.",
)
@click.option(
    "--full", "size", flag_value="full", help="10 folds and 5 seeds: a last word."
)
@click.option("--folds", type=click.IntRange(min=2), help="Folds.  [default: 5]")
@click.option(
    "--seeds",
    type=click.IntRange(min=1),
    help="Trainings per fold and loss.  [default: 3]",
)
@click.option(
    "--seed",
    type=click.IntRange(min=0),
    default=0,
    show_default=True,
    help="Where all randomness starts.",
)
@click.option(
    "--stop-on",
    type=click.Choice(["score", "own"]),
    default="score",
    show_default=True,
    help="Stop training on the same score for all, or on the loss itself.",
)
@click.option(
    "--rope",
    type=click.FloatRange(min=0, max=1, max_open=True),
    default=0.01,
    show_default=True,
    help="Relative difference too small to matter.",
)
@click.option(
    "--metric", help="What matters most, as rps, log_score or mae: comes first."
)
@click.option(
    "--noise/--no-noise",
    default=None,
    help="Ask what noise in edges, inputs and targets does.  [default: noise, unless "
    "--quick]",
)
@click.option(
    "--target-noise",
    type=click.FloatRange(min=0),
    help="Standard deviation of the noise in the target, where it is known.",
)
@click.option(
    "--predictions",
    type=click.Path(path_type=Path),
    help="Write every held-out prediction, as csv or parquet.",
)
@click.option(
    "--run-dir",
    type=click.Path(path_type=Path),
    help="Keep finished fits here; the same command goes on from them.",
)
@click.option("--dask", metavar="ADDRESS", help="Fit on a Dask cluster, tcp://...")
@click.option(
    "-j",
    "--jobs",
    type=int,
    default=-1,
    show_default=True,
    callback=_check_jobs,
    help="Fits made at the same time; -1 is one per core.",
)
@click.option("-q", "--quiet", is_flag=True, help="No progress, no table.")
@click.option("--open/--no-open", "open_report", default=False, help="Show the report.")
def compare(
    data: str,
    target: str,
    out: Path | None,
    json_out: str | None,
    losses: str,
    bins: int | None,
    strategy: str,
    order: str,
    drop: str,
    groups: str | None,
    time_: str | None,
    weights: str | None,
    min_class: int | None,
    sample: int | None,
    size: str | None,
    folds: int | None,
    seeds: int | None,
    seed: int,
    stop_on: str,
    rope: float,
    metric: str | None,
    noise: bool | None,
    target_noise: float | None,
    predictions: Path | None,
    run_dir: Path | None,
    dask: str | None,
    jobs: int,
    quiet: bool,
    open_report: bool,
) -> None:
    """Compare losses on the table DATA and write a report.

    DATA is a csv, tsv, parquet, arrow or ndjson file (or .gz of it), or wine-red, which
    comes with offby.

    Exit code: 0 if the report is written, also if no loss is better; 1 if a run failed;
    2 for wrong usage or data; 130 on Ctrl-C.
    """
    out = out or Path(f"{file_name(target)}_compare.html")
    only_json = json_out == "-"
    try:
        from offby.tables import split_list

        check_writable(out)
        json_path = None if only_json else Path(json_out or out.with_suffix(".json"))
        check_writable(json_path)
        beside = out.with_name(f"{out.stem}_explain.html")
        check_writable(beside)
        if json_path in (out, beside):
            raise ValueError(
                "a page (--out) and the data (--json) must be two files, got "
                f"{str(json_path)!r} for both; rename one"
            )
        check_writable(predictions)
        named = split_list(losses)
        if not named:
            raise ValueError("--losses must name a loss, got none; run offby losses")
        n_folds, n_seeds = _SIZES[size]
        folds, seeds = folds or n_folds, seeds or n_seeds
        problem = _prepared(
            data,
            target,
            table={
                "order": split_list(order),
                "drop": split_list(drop),
                "groups": groups,
                "time": time_,
                "weights": weights,
                "min_class": min_class,
                "sample": sample,
                "seed": seed,
            },
            bins=bins,
            folds=folds,
            seeds=seeds,
            losses=named,
            quiet=quiet,
        )
        with _cluster(dask):
            comparison = _compared(
                problem,
                progress=None if quiet else _terminal.progress(),
                settings={
                    "losses": named,
                    "name": Path(data).name,
                    "target": target,
                    "strategy": strategy,
                    "folds": folds,
                    "seeds": seeds,
                    "seed": seed,
                    "stop_on": stop_on,
                    "rope": rope,
                    "metric": metric,
                    "noise": size != "quick" if noise is None else noise,
                    "target_noise": target_noise,
                    "predictions": predictions,
                    "run_dir": run_dir,
                    "n_jobs": jobs,
                }
                | ({} if bins is None else {"bins": bins}),
            )
    except ValueError as error:
        raise _Refusal(str(error)) from error
    except (RuntimeError, ImportError) as error:
        raise click.ClickException(str(error)) from error
    try:
        from offby import report

        # The numbers first: from them the pages can be made anew.
        if json_path is not None:
            write(json_path, comparison.to_json())
        drawn = _write_explainer(comparison, beside)
        link = beside.name if drawn else None
        write(out, report.render(comparison, explainer=link))
    except (OSError, RuntimeError, ImportError) as error:
        raise click.ClickException(str(error)) from error
    if only_json:
        click.echo(comparison.to_json())
    elif not quiet:
        _terminal.print_comparison(comparison)
    if not quiet:
        click.echo(f"\nReport  {out}", err=only_json)
        if drawn:
            click.echo(f"Explain {beside}   drag the mass of its rows", err=only_json)
        if json_path is not None:
            click.echo(f"Data    {json_path}")
        if predictions is not None:
            click.echo(f"Rows    {predictions}", err=only_json)
        if (settling := comparison.settling()) is not None:
            click.echo(_terminal.next_step(*settling, jobs, run_dir), err=only_json)
    if open_report:
        click.launch(str(out))


@main.command()
@click.argument(
    "comparison",
    required=False,
    type=click.Path(path_type=Path),
    metavar="[COMPARISON]",
)
@click.option(
    "-o",
    "--out",
    type=click.Path(path_type=Path),
    default=Path("explain.html"),
    show_default=True,
    help="Page to write.",
)
@click.option("--open/--no-open", "open_page", default=False, help="Show the page.")
def explain(comparison: Path | None, out: Path, open_page: bool) -> None:
    """Write the explainer: one page on which to drag a prediction's mass.

    COMPARISON is the JSON that offby compare writes beside its report; the page then
    opens on a row of your own data, predicted under each loss.
    """
    try:
        check_writable(out)
        if comparison is not None and out.resolve() == comparison.resolve():
            raise ValueError(
                f"--out must not be the comparison itself, got {str(out)!r} for both; "
                "choose another name"
            )
        from offby import explain as explainer

        read = None if comparison is None else explainer.read(comparison)
        write(out, explainer.render(read))
    except ValueError as error:
        raise _Refusal(str(error)) from error
    except OSError as error:
        raise click.ClickException(str(error)) from error
    click.echo(f"Page  {out}")
    if open_page:
        click.launch(str(out))


@main.command()
def losses() -> None:
    """Show the losses and what each is good for."""
    from offby.losses.registry import TABLE

    _terminal.print_losses(TABLE)


@main.command()
def doctor() -> None:
    """Say which kernels run here, and why not the others.

    Exit code: 0; 1 if the form that OFFBY_KERNELS asks for cannot run.
    """
    import platform
    from importlib.metadata import version

    from offby import kernels

    versions = f"offby {version('offby')}, PyTorch {version('torch')}"
    click.echo(f"{versions}, Python {platform.python_version()}, {platform.machine()}")
    found = kernels.diagnosis()
    for check in found:
        click.echo(f"{check.form:7s}{'runs' if check.runs else 'off':6s}{check.says}")
    try:
        asked = kernels.wanted()
    except ValueError as error:
        raise _Refusal(str(error)) from error
    click.echo(f"In use: {asked} (OFFBY_KERNELS=auto, torch, cpp or triton sets it)")
    if any(check.form == asked and not check.runs for check in found):
        raise click.ClickException(f"OFFBY_KERNELS={asked} cannot run here")


def _prepared(
    data: str,
    target: str,
    *,
    table: dict[str, Any],
    bins: int | None,
    folds: int,
    seeds: int,
    losses: Sequence[str],
    quiet: bool,
) -> "Problem":
    """What there is to learn, as the flags ask; said on stderr."""
    from offby import tables

    scanned = tables.scan(data)
    tables.check_room(
        scanned,
        target,
        drop=table["drop"],
        sample=table["sample"],
        folds=folds,
        losses=len(losses),
        seeds=seeds,
        bins=bins,
    )
    problem = tables.prepare(
        scanned,
        target,
        **table,
        kind="auto" if bins is None else "number",
        folds=folds,
        source=data,
    )
    if not quiet:
        _terminal.print_problem(data, scanned, target, problem)
    return problem


def _compared(
    problem: "Problem", *, progress: Progress | None, settings: dict[str, Any]
) -> "Comparison":
    import offby

    if problem.kind == "classes":
        settings |= {"labels": problem.labels, "positions": problem.positions}
    try:
        return offby.compare(
            problem.X,
            problem.y,
            kind=problem.kind,
            notes=problem.notes,
            groups=problem.groups,
            time=problem.time,
            weights=problem.weights,
            command=shlex.join(["offby", *sys.argv[1:]]),
            progress=progress,
            **settings,
        )
    except KeyboardInterrupt:
        kept = settings["run_dir"]
        click.echo(
            "\nwith --run-dir DIR a stopped command can go on where it was"
            if kept is None
            else f"\nfinished fits are kept in {kept}; the same command goes on there",
            err=True,
        )
        raise
    finally:
        if isinstance(progress, _terminal.Bar):
            progress.close()


_SIZES = {None: (5, 3), "quick": (3, 1), "full": (10, 5)}
"""Folds and seeds."""


@contextmanager
def _cluster(address: str | None) -> Iterator[None]:
    """Fits go to a Dask cluster, if one is named."""
    if address is None:
        yield
        return
    try:
        from distributed import Client
    except ImportError as error:
        raise RuntimeError(
            '--dask needs Dask; run pip install "offby[dask]"'
        ) from error
    import joblib

    try:
        client = Client(address, timeout=10)
    except (OSError, ValueError) as error:
        raise ValueError(
            f"--dask must name a scheduler that answers, as tcp://host:8786, got "
            f"{address!r}: {error}; check that it runs"
        ) from error
    with client, joblib.parallel_config("dask"):
        yield


def _write_explainer(comparison: "Comparison", path: Path) -> bool:
    """The page to which the report links, unless its bins are too many to draw."""
    from offby import explain

    try:
        page = explain.render(comparison)
    except ValueError:
        return False
    write(path, page)
    return True


if __name__ == "__main__":
    main()
