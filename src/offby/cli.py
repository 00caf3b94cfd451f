"""The command line: it parses and prints, the library does the work.

Heavy modules are imported inside the commands, so that `offby --help` answers at once.
"""

import os
import shlex
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from offby.comparison import Comparison

Progress = Callable[[int, int, str], None]


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
@click.option("--losses", help="Losses by name, as ce,emd2,ce+0.3*emd1.")
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
    losses: str | None,
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
    out = out or Path(f"{_file_name(target)}_compare.html")
    only_json = json_out == "-"
    try:
        _check_writable(out)
        json_path = None if only_json else Path(json_out or out.with_suffix(".json"))
        _check_writable(json_path)
        if json_path == out:
            raise ValueError(
                f"--out and --json must be two files, got {str(out)!r} for both; "
                "rename one"
            )
        _check_writable(predictions)
        n_folds, n_seeds = _SIZES[size]
        with _cluster(dask):
            comparison = _compared(
                data,
                target,
                table={
                    "order": order,
                    "drop": drop,
                    "groups": groups,
                    "time": time_,
                    "weights": weights,
                    "min_class": min_class,
                    "sample": sample,
                    "seed": seed,
                },
                bins=bins,
                folds=folds or n_folds,
                progress=None if quiet else _progress(),
                quiet=quiet,
                settings={
                    "losses": losses,
                    "strategy": strategy,
                    "seeds": seeds or n_seeds,
                    "seed": seed,
                    "stop_on": stop_on,
                    "rope": rope,
                    "metric": metric,
                    "noise": size != "quick" if noise is None else noise,
                    "target_noise": target_noise,
                    "predictions": predictions,
                    "run_dir": run_dir,
                    "n_jobs": jobs,
                },
            )
    except ValueError as error:
        raise _Refusal(str(error)) from error
    except (RuntimeError, ImportError) as error:
        raise click.ClickException(str(error)) from error
    try:
        from offby import report

        beside = _explainer(comparison, out)
        _write(out, report.render(comparison, explainer=beside and beside.name))
        if json_path is not None:
            _write(json_path, comparison.to_json())
    except (OSError, RuntimeError, ImportError) as error:
        raise click.ClickException(str(error)) from error
    if only_json:
        click.echo(comparison.to_json())
    elif not quiet:
        _print_comparison(comparison)
    if not quiet:
        click.echo(f"\nReport  {out}", err=only_json)
        if beside is not None:
            click.echo(f"Explain {beside}   drag the mass of its rows", err=only_json)
        if json_path is not None:
            click.echo(f"Data    {json_path}")
        if predictions is not None:
            click.echo(f"Rows    {predictions}", err=only_json)
        if (settling := comparison.settling()) is not None:
            click.echo(_next_step(*settling, jobs, run_dir), err=only_json)
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
        _check_writable(out)
        if comparison is not None and out.resolve() == comparison.resolve():
            raise ValueError(
                f"--out must not be the comparison itself, got {str(out)!r} for both; "
                "choose another name"
            )
        from offby import explain as explainer

        read = None if comparison is None else explainer.read(comparison)
        _write(out, explainer.render(read))
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
    from offby.catalog import TABLE

    try:
        from rich.table import Table
    except ImportError as error:
        raise click.ClickException(_NEEDS_RICH) from error
    table = Table(box=None, pad_edge=False)
    for head in ("name", "loss", "formula", "feels distance", "proper", "also called"):
        table.add_column(head, overflow="fold", no_wrap=head == "name")
    for entry in TABLE:
        feels = "yes" if entry.feels_distance else "no"
        table.add_row(
            *map(
                _plain,
                (entry.name, entry.title, entry.formula, feels),
            ),
            _plain(entry.proper),
            _plain(entry.also),
        )
    _console().print(table)
    click.echo("\nSums work as well: --losses ce,emd2,ce+0.3*emd1")


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


_BEST = "\u203a"
_NEEDS_RICH = 'tables on the terminal need rich; run pip install "offby[compare]"'


def _compared(
    data: str,
    target: str,
    *,
    table: dict[str, Any],
    bins: int | None,
    folds: int,
    progress: "Progress | None",
    quiet: bool,
    settings: dict[str, Any],
) -> "Comparison":
    from offby import tables

    frame = tables.read(data)
    for name in ("order", "drop"):
        table[name] = tables.split_list(table[name])
    problem = tables.prepare(
        frame,
        target,
        **table,
        kind="auto" if bins is None else "number",
        folds=folds,
        source=data,
    )
    names = settings.pop("losses")
    if names is not None:
        settings["losses"] = tables.split_list(names)
        if not settings["losses"]:
            raise ValueError("--losses must name a loss, got none; run offby losses")
    if bins is not None:
        settings["bins"] = bins
    if problem.kind == "classes":
        settings |= {"labels": problem.labels, "positions": problem.positions}
    if not quiet:
        what = (
            f"{len(problem.labels)} ordered classes {', '.join(problem.labels)}"
            if problem.kind == "classes"
            else "a number"
        )
        click.echo(
            f"{data}  {frame.height:,} rows, {frame.width} columns  target {target}: "
            f"{what}",
            err=True,
        )
        for note in problem.notes:
            click.echo(f"! {note}", err=True)

    import offby

    try:
        return offby.compare(
            problem.X,
            problem.y,
            kind=problem.kind,
            folds=folds,
            name=Path(data).name,
            target=target,
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
        if isinstance(progress, _Bar):
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


def _explainer(comparison: "Comparison", out: Path) -> Path | None:
    """The page beside the report to which it links; none where it cannot be drawn."""
    from offby import explain

    try:
        page = explain.render(comparison)
    except ValueError:  # Too many bins.
        return None
    beside = out.with_name(f"{out.stem}_explain.html")
    _write(beside, page)
    return beside


def _next_step(seeds: int, seconds: float, jobs: int, run_dir: Path | None) -> str:
    """How to end a "can't tell"."""
    cores = jobs if jobs > 0 else os.cpu_count() or 1
    where = f" --run-dir {shlex.quote(str(run_dir))}" if run_dir else ""
    return (
        f"Next    --seeds {seeds}{where} would settle part of what can't be told yet; "
        f"the seeds to add take about {_duration(seconds / cores)}"
    )


def _file_name(target: str) -> str:
    """A column's name without what a file's name cannot hold."""
    kept = "".join(c if c.isalnum() or c in "-_." else "_" for c in target)
    return kept.lstrip(".") or "target"


def _check_writable(path: Path | None) -> None:
    """Refuse before an hour of training, not after it."""
    if path is None:
        return
    if path.is_dir():
        raise ValueError(
            f"the output must be a file, got the folder {str(path)!r}; name a file"
        )
    if not path.parent.is_dir():
        raise ValueError(
            f"the output must lie in a folder that exists, got {str(path)!r}; make "
            f"{str(path.parent)!r} first"
        )
    if not os.access(path.parent, os.W_OK):
        raise ValueError(
            f"the output must lie where you may write, got {str(path)!r}; choose "
            "another folder with --out"
        )


def _write(path: Path, text: str) -> None:
    """The whole file or none of it."""
    draft = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        draft.write_text(text, encoding="utf-8")
        os.replace(draft, path)
    finally:
        draft.unlink(missing_ok=True)


def _progress() -> "Progress":
    # Not rich's own test: it takes FORCE_COLOR for a terminal and floods CI logs.
    if sys.stderr.isatty():
        try:
            return _Bar()
        except ImportError:
            pass
    return _Lines()


class _Lines:
    """A line for each finished group of fits."""

    def __init__(self) -> None:
        self._start = time.monotonic()

    def __call__(self, done: int, total: int, text: str) -> None:
        left = ""
        if 0 < done < total:
            seconds = (time.monotonic() - self._start) / done * (total - done)
            left = f"  about {_duration(seconds)} left"
        click.echo(f"{done}/{total}  {text}{left}", err=True)


class _Bar:
    """A bar that moves."""

    def __init__(self) -> None:
        from rich.console import Console
        from rich.progress import Progress, TimeRemainingColumn

        self._bar = Progress(
            *Progress.get_default_columns()[:-1],
            TimeRemainingColumn(elapsed_when_finished=True),
            console=Console(stderr=True),
        )
        self._task = None

    def __call__(self, done: int, total: int, text: str) -> None:
        from rich.markup import escape

        if self._task is None:
            self._bar.start()
            self._task = self._bar.add_task("", total=total)
        self._bar.update(
            self._task, completed=done, total=total, description=escape(text)
        )

    def close(self) -> None:
        """Leave the terminal as it was."""
        self._bar.stop()


def _duration(seconds: float) -> str:
    return f"{seconds / 60:.0f} min" if seconds >= 90 else f"{seconds:.0f} s"


def _console() -> Any:
    try:
        from rich.console import Console
    except ImportError as error:
        raise click.ClickException(_NEEDS_RICH) from error
    tty = sys.stdout.isatty()
    # A pipe has no width: rich would take 80 and break the table.
    return Console(force_terminal=tty, width=None if tty else 160, highlight=False)


def _plain(text: str) -> Any:
    """Text in which brackets are brackets, not markup."""
    from rich.text import Text

    return Text(text)


def _print_comparison(comparison: "Comparison") -> None:
    from rich.table import Table
    from rich.text import Text

    console = _console()
    table = Table(box=None, pad_edge=False)
    table.add_column("loss", no_wrap=True)
    table.add_column("")
    for metric in comparison.metrics:
        arrow = "↓" if metric.lower_is_better else "↑"
        table.add_column(_plain(f"{metric.title} {arrow}"), justify="right")
    table.add_column("fit s", justify="right")
    seconds = comparison.timing.fits
    columns = [_column(comparison, metric) for metric in comparison.metrics]
    methods = sorted(comparison.methods, key=lambda method: method.reference)
    for place, method in enumerate(methods):
        if method.reference and place and not methods[place - 1].reference:
            table.add_row("")
            table.add_row(Text("for scale", style="dim"))
        cells = [column[method.key] for column in columns]
        took = f"{seconds[method.key]:.1f}" if method.key in seconds else "-"
        table.add_row(
            _plain(method.key),
            _plain("" if method.title == method.key else method.title),
            *(Text(cell, style="bold" * cell.startswith(_BEST)) for cell in cells),
            took,
        )
    console.print(table)
    verdicts = [answer.sentence for answer in comparison.verdicts]
    parts = ("", verdicts), ("Why", comparison.why), ("Noise", comparison.flips)
    for title, sentences in parts:
        if sentences:
            click.echo(f"\n{title}".rstrip(" "))
            for sentence in sentences:
                click.echo(f"  {sentence}")


def _column(comparison: "Comparison", metric: Any) -> dict[str, str]:
    """The cells of a metric, its best loss marked."""
    values, infinite = {}, {}
    for method in comparison.methods:
        values[method.key] = comparison.mean(method.key, metric.key)
        infinite[method.key] = comparison.infinite_rows(method.key, metric.key)
    rivals = {
        method.key: values[method.key]
        for method in comparison.methods
        if not method.reference
        and values[method.key] is not None
        and not infinite[method.key]
    }
    choose = min if metric.lower_is_better else max
    best = choose(rivals, key=rivals.__getitem__) if rivals else None
    size = max(
        (abs(value) for value in values.values() if value is not None), default=1
    )
    # Three digits behind the point, or more where all scores are tiny; none from 1000.
    digits = next((d for d in range(3, 9) if size >= 10.0 ** (2 - d)), 9)
    digits = 0 if size >= 10_000 else digits
    cells = {}
    for key, value in values.items():
        if infinite[key]:
            cell = f"∞ ({infinite[key]} row{'s' * (infinite[key] != 1)})"
        elif value is None:
            cell = "-"
        else:
            cell = f"{value:,.{digits}f}"
        cells[key] = f"{_BEST} {cell}" if key == best else cell
    return cells


if __name__ == "__main__":
    main()
