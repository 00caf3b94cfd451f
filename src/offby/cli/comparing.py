"""From the options of `offby compare` to a comparison."""

import shlex
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from offby.cli import terminal
from offby.cli.effort import effort_of
from offby.cli.grounds import ground_of
from offby.cli.reading import prepared, reading
from offby.comparison.config import CompareConfig
from offby.results.phrases import listed

if TYPE_CHECKING:
    from offby.results import Comparison
    from offby.tables import Problem

PASSED_ON = (
    "losses",
    "folds",
    "seeds",
    "references",
    "noise",
    "strategy",
    "bounds",
    "transform",
    "seed",
    "network",
    "models",
    "stop_on",
    "rope",
    "all_fits",
    "time_budget",
    "refit",
    "metric",
    "target_noise",
    "predictions",
    "run_dir",
    "n_jobs",
)
"""Options that `offby.compare` takes under the same name."""


_FEW_ROWS = 6_000
"""Training rows over all fits below which workers take longer to start than to help."""


def jobs_of(n_rows: int, asked: dict[str, Any], losses: Sequence[str]) -> int:
    """Fits made at the same time: one for small tables, else one per core."""
    if asked["jobs"] is not None:
        return asked["jobs"]
    if asked["dask"] is not None:
        return -1
    fits = asked["folds"] * len(losses)
    return 1 if n_rows * fits < _FEW_ROWS else -1


def problem_of(
    data: str,
    target: str,
    asked: dict[str, Any],
    losses: Sequence[str],
    *,
    quiet: bool,
) -> "tuple[Problem, dict[str, Any], Sequence[str]]":
    """Read the table and prepare what there is to learn; said on stderr.

    Returns:
        The problem, the options with what its size asks for, and the losses: those of
        its size, if none are named.
    """
    from offby import tables

    drop = tables.split_list(asked["drop"])
    scanned = tables.scan(data, reading(asked))
    effort = effort_of(asked, scanned.n_rows, len(scanned.columns) - 1 - len(drop))
    if asked["losses"] is None:
        losses = effort.losses
    asked = asked | effort.options()
    tables.check_room(
        scanned,
        target,
        drop=drop,
        sample=asked["sample"],
        folds=effort.folds,
        losses=len(losses),
        seeds=effort.seeds,
        bins=asked["bins"],
        usual_bins=CompareConfig.bins,
    )
    rows = min(scanned.n_rows, asked["sample"] or scanned.n_rows)
    jobs = jobs_of(rows, asked, losses)
    if asked["dask"] is not None or target not in scanned.columns:
        jobs = 1
    from offby.comparison.scheduler import workers_starting

    with workers_starting(jobs):
        problem = prepared(scanned, data, target, asked, folds=effort.folds)
        # What this process needs, it loads as well.
        import offby

        _ = offby.compare
    problem = replace(problem, notes=(*problem.notes, *effort.notes))
    if not quiet:
        terminal.print_problem(data, scanned, target, problem, asked)
    return problem, asked, losses


def compared(
    problem: "Problem",
    data: str,
    target: str,
    asked: dict[str, Any],
    *,
    progress: terminal.Progress | None,
) -> "Comparison":
    """Fit and score every loss on the problem."""
    import offby
    from offby.comparison.networks import Settings
    from offby.models.fitting import check_bounds

    check_bounds(problem.kind, asked["bounds"])
    settings = {name: asked[name] for name in PASSED_ON}
    if asked["bins"] is not None:
        settings["bins"] = asked["bins"]
    if asked["unseen_groups"]:
        settings["unseen_groups"] = True
    if asked["max_iter"] is not None:
        settings["settings"] = Settings(max_iter=asked["max_iter"])
    if problem.kind == "classes":
        settings["labels"] = problem.labels
        ground = ground_of(asked, problem)
        settings |= (
            {"positions": problem.positions} if ground is None else {"ground": ground}
        )
    try:
        comparison = offby.compare(
            problem.X,
            problem.y,
            kind=problem.kind,
            name=Path(data).name,
            target=target,
            notes=problem.notes,
            left_out=problem.left_out,
            groups=problem.groups,
            time=problem.time,
            weights=problem.weights,
            command=shlex.join(["offby", *sys.argv[1:]]),
            progress=progress,
            **settings,
        )
    except KeyboardInterrupt:
        kept = asked["run_dir"]
        click.echo(
            "\nWith --run-dir DIR a stopped command can continue where it was."
            if kept is None
            else f"\nFinished fits are kept in {kept}; the same command continues from "
            "them.",
            err=True,
        )
        raise
    finally:
        if isinstance(progress, terminal.Bar):
            progress.close()
    comparison = with_note_on_epochs(comparison, asked["max_iter"])
    if progress is not None:
        known = set(problem.notes)
        terminal.print_notes([n for n in comparison.data.notes if n not in known])
    return comparison


def with_note_on_epochs(comparison: "Comparison", max_iter: int | None) -> "Comparison":
    """Say which losses were still being trained when the first look had to end."""
    if max_iter is None:
        return comparison
    # A curve begins before the first epoch.
    cut = [each.method for each in comparison.training if len(each.curve) > max_iter]
    if not cut:
        return comparison
    note = (
        f"--quick trains a network for {max_iter} epochs at most; with more, "
        f"{listed(cut)} might have done better."
    )
    data = replace(comparison.data, notes=(*comparison.data.notes, note))
    return replace(comparison, data=data)


@contextmanager
def cluster(address: str | None) -> Iterator[None]:
    """Send the fits to a Dask cluster, if one is named."""
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
