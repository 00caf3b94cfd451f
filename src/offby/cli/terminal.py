"""What the command line shows: progress, tables, durations."""

import os
import shlex
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from offby.cli.grounds import classes_in_words
from offby.models.kinds import MODELS
from offby.results import phrases
from offby.results.phrases import duration

if TYPE_CHECKING:
    from offby.comparison import Comparison
    from offby.losses.registry import Loss
    from offby.models import About, Fitted
    from offby.tables import Column, Problem, Table

Progress = Callable[[int, int, str], None]

_CLASSES_ON = {
    "Circle": "classes on a circle:",
    "Tree": "classes of a tree:",
    "Costs": "classes at costs of their own:",
}
"""What the ground of a model says of its classes."""
_NEEDS_RICH = 'tables on the terminal need rich; run pip install "offby[compare]"'


def print_problem(
    data: str, table: "Table", target: str, problem: "Problem", asked: dict[str, Any]
) -> None:
    """What was read, and how, on stderr."""
    what = (
        classes_in_words(asked, problem.labels)
        if problem.kind == "classes"
        else "a number"
    )
    click.echo(
        f"{data}  {table.n_rows:,} rows, {len(table.columns)} columns  "
        f"target {target}: {what}",
        err=True,
    )
    print_notes(problem.notes)


def print_notes(notes: Sequence[str]) -> None:
    """What a reader must know of the data, a line each, on stderr."""
    for note in notes:
        click.echo(f"! {note}", err=True)


_LONGEST_HINT = 3600
"""Seconds: nobody is told to wait for longer than an hour."""


def next_step(comparison: "Comparison", jobs: int, run_dir: Path | None) -> str | None:
    """How to settle what is open, if that takes less than an hour."""
    settling = comparison.settling()
    if settling is None:
        return None
    seeds, core_seconds = settling
    cores = jobs if jobs > 0 else os.cpu_count() or 1
    seconds = core_seconds / cores
    if seconds > _LONGEST_HINT:
        return None
    where = f" --run-dir {shlex.quote(str(run_dir))}" if run_dir else ""
    return (
        f"Next     The same command with --seeds {seeds}{where} should settle more, in "
        f"about {duration(seconds)} more."
    )


def progress() -> Progress:
    """A bar where somebody looks on, else lines."""
    # Not rich's own test: it takes FORCE_COLOR for a terminal and floods CI logs.
    if sys.stderr.isatty():
        try:
            return Bar()
        except ImportError:
            pass
    return _Lines()


class _Lines:
    """A line for each finished group of fits."""

    def __call__(self, done: int, total: int, text: str) -> None:
        click.echo(f"{done}/{total}  {text}", err=True)


class Bar:
    """A bar that moves."""

    def __init__(self) -> None:
        from rich.console import Console
        from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn

        # The text says how much time is left: fits of one method take as long as ten
        # of another, so their number alone says little.
        self._bar = Progress(
            BarColumn(),
            MofNCompleteColumn(),
            TextColumn("{task.description}"),
            console=Console(stderr=True),
        )
        self._task = None

    def __call__(self, done: int, total: int, text: str) -> None:
        """Show how many fits are done."""
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


def console() -> Any:
    """Where tables are printed.

    Raises:
        ClickException: If rich is missing.
    """
    try:
        from rich.console import Console
    except ImportError as error:
        raise click.ClickException(_NEEDS_RICH) from error
    tty = sys.stdout.isatty()
    # A pipe has no width: rich would take 80 and break the table.
    return Console(force_terminal=tty, width=None if tty else 160, highlight=False)


def plain(text: str) -> Any:
    """Text in which brackets are brackets, not markup."""
    from rich.text import Text

    return Text(text)


def print_losses(entries: Sequence["Loss"]) -> None:
    """The losses and what each is good for."""
    screen = console()
    from rich.table import Table

    table = Table(box=None, pad_edge=False)
    for head in ("name", "loss", "formula", "feels distance", "proper", "also called"):
        table.add_column(head, overflow="fold", no_wrap=head == "name")
    for entry in entries:
        feels = "yes" if entry.feels_distance else "no"
        cells = (
            entry.name,
            entry.title,
            entry.formula,
            feels,
            entry.proper,
            entry.also,
        )
        table.add_row(*map(plain, cells))
    screen.print(table)
    click.echo("\nSums work as well: --losses ce,emd2,ce+0.3*emd1")
    click.echo(
        "Not in this list, because they give no loss for a row of class logits: "
        "weighted_kappa (one number for a batch) and the losses of levels (K - 1 "
        "outputs), both in offby.losses."
    )


def print_fitted(fitted: "Fitted", path: Path) -> None:
    """Where the model is, how good it is, and how to use it."""
    about = fitted.about
    print_notes([fitted.scale] if fitted.scale else [])
    click.echo(
        f"{path}  {MODELS[about.model].title}, trained with {about.loss} on "
        f"{phrases.count(about.n_rows, 'row')} in {duration(fitted.seconds)}"
    )
    if about.scores:
        click.echo(f"Scores on {about.scored_on}:")
        for line in _score_lines(about.scores):
            click.echo(f"  {line}")
    click.echo(f"\nNext     {predict_command(path)}")


def predict_command(path: Path) -> str:
    """The command that applies a model to new rows."""
    return shlex.join(
        ["offby", "predict", str(path), "NEW.csv", "--out", "predictions.csv"]
    )


def print_about(about: "About", path: Path) -> None:
    """What a model was trained on, how good it is, and what it needs."""
    model = MODELS[about.model].title if about.model in MODELS else about.model
    settings = [f"{k} {v}" for k, v in about.settings.items() if v is not None]
    ground = str(about.settings.get("ground", "")).partition("(")[0]
    what = (
        f"{len(about.labels)} {_CLASSES_ON.get(ground, 'ordered classes')} "
        f"{', '.join(about.labels)}"
        if about.kind == "classes"
        else "a number"
    )
    lines = [("Model", f"{model}, trained with {about.loss}")]
    if settings:
        lines.append(("Settings", ", ".join(settings)))
    lines.append(("Target", f"{about.target}: {what}" if about.target else what))
    if about.data:
        count = phrases.count(about.n_rows, "row")
        when = about.created.replace("T", " ").removesuffix("Z")
        lines.append(("Data", f"{about.data}, {count}; trained on {when} UTC"))
    for kind, title in (("number", "Numbers"), ("text", "Text"), ("date", "Dates")):
        names = [_column_in_words(c) for c in about.columns if c.kind == kind]
        if names:
            lines.append((title, ", ".join(names)))
    if not about.columns:
        lines.append(("Columns", "without names: trained on an array"))
    if about.unused:
        lines.append(("Not used", ", ".join(about.unused)))
    if about.versions:
        lines.append(
            ("Versions", ", ".join(f"{k} {v}" for k, v in about.versions.items()))
        )
    if about.command:
        lines.append(("Command", about.command))
    for title, text in lines:
        click.echo(_wrapped(title, text))
    if about.scores:
        click.echo(f"\nScores on {about.scored_on}:")
        for line in _score_lines(about.scores):
            click.echo(f"  {line}")
    if about.notes:
        click.echo("\nHow the table was read:")
        for note in about.notes:
            click.echo(f"  {note}")
    if about.columns:
        click.echo(f"\nNext     {predict_command(path)}")


def print_scores(scores: Mapping[str, float], of: str, about: "About") -> None:
    """Scores of a model on other rows, beside those it had when it was trained."""
    beside = f", beside those on {about.scored_on}" if about.scores else ""
    click.echo(f"Scores on {of}{beside}:")
    for line in _score_lines(scores, about.scores):
        click.echo(f"  {line}")


def _score_lines(
    scores: Mapping[str, float], before: Mapping[str, float] | None = None
) -> list[str]:
    """A line for each score: name, value, value before, which way is better."""
    from offby.models import SCORES

    rows = []
    for key, value in scores.items():
        kind = SCORES[key]
        better = kind.better if "near" in kind.better else f"{kind.better} is better"
        cells = [_score_in_words(key, value)]
        if before:
            cells.append(_score_in_words(key, before[key]) if key in before else "–")
        rows.append((kind.title, cells, better))
    name_width = max(len(title) for title, _, _ in rows)
    width = max(len(cell) for _, cells, _ in rows for cell in cells)
    return [
        f"{title:<{name_width}}  "
        + "  ".join(f"{cell:>{width}}" for cell in cells)
        + f"   {better}"
        for title, cells, better in rows
    ]


def _score_in_words(key: str, value: float) -> str:
    from offby.models import SCORES

    if SCORES[key].is_share:
        return f"{100 * value:.1f}\u00a0%"
    decimals = phrases.digits([value])
    return phrases.number(value, decimals) if abs(value) < 1e4 else f"{value:,.0f}"


def _column_in_words(column: "Column") -> str:
    if column.words is None or column.kind != "text":
        return column.name
    return f"{column.name} ({phrases.count(len(column.words), 'value')})"


def _wrapped(title: str, text: str) -> str:
    """A title, and its text beside it over as many lines as it takes."""
    import textwrap

    return textwrap.fill(
        text,
        width=100,
        initial_indent=f"{title:<9}",
        subsequent_indent=" " * 9,
        break_long_words=False,
        break_on_hyphens=False,
    )
