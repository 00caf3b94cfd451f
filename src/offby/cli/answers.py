"""What the command line says of a comparison: card, leaderboard, uses, reasons."""

from typing import Any

import click

from offby.cli.terminal import console, plain
from offby.results import Comparison, Metric, phrases, ranking, said, test
from offby.results.card import card

_BEST = "\u203a"
_EQUAL = "="
_MARKS = (_BEST, _EQUAL)
_MODELS = {"network": "network", "boosting": "boosted trees", "both": "mean of both"}


def print_comparison(comparison: Comparison) -> None:
    """The answer at a glance, then the scores, the uses, and the reasons."""
    screen = console()
    found = card(comparison)
    if found:
        click.echo("\n" + "\n".join((*found.sentences, found.how)).rstrip() + "\n")
    screen.print(_leaderboard(comparison))
    click.echo(f"{_BEST} best model   {_EQUAL} practically equal to it\n")
    screen.print(_uses(comparison))
    if comparison.test:
        click.echo(f"\n{test.title(comparison)}")
        for line in test.lines(comparison):
            click.echo(f"  {line}")
    parts = ("Why", comparison.why), ("Noise", comparison.takeovers)
    for title, sentences in parts:
        if sentences:
            click.echo(f"\n{title}")
            for sentence in sentences:
                click.echo(f"  {sentence}")


def _leaderboard(comparison: Comparison) -> Any:
    """Every method, the best one first."""
    from rich.table import Table
    from rich.text import Text

    shown = [metric for metric in comparison.metrics if metric.answers]
    table = Table(box=None, pad_edge=False)
    table.add_column("loss", no_wrap=True)
    table.add_column("model")
    for metric in shown:
        arrow = "↓" if metric.lower_is_better else "↑"
        table.add_column(plain(f"{metric.title} {arrow}"), justify="right")
    table.add_column(plain(f"by {shown[0].title}, compared with the best model"))
    table.add_column("s, all fits", justify="right")
    seconds = comparison.timing.fits
    columns = [_column(comparison, metric) for metric in shown]
    compared = {k: said.answer(d) for k, d in comparison.from_best(shown[0]).items()}
    for method in comparison.ranked:
        cells = [column[method.key] for column in columns]
        best = method.key == comparison.best(shown[0])
        took = f"{seconds[method.key]:.1f}" if method.key in seconds else "–"
        table.add_row(
            plain(method.loss or ("" if method.reference else method.key)),
            plain(_MODELS.get(method.model, method.title)),
            *(Text(cell, style="bold" * (cell[:1] in _MARKS)) for cell in cells),
            plain("best model" if best else compared.get(method.key, "–")),
            took,
        )
    return table


def _column(comparison: Comparison, metric: Metric) -> dict[str, str]:
    """The cells of a metric, with a mark for its best model and for its equals."""
    values = {m.key: comparison.mean(m.key, metric.key) for m in comparison.methods}
    best, equal = comparison.best(metric), comparison.equals(metric)
    decimals = phrases.digits([v for v in values.values() if v is not None])
    cells = {}
    for key, value in values.items():
        infinite = comparison.infinite_rows(key, metric.key)
        cell = (
            phrases.infinite(infinite) if infinite else phrases.number(value, decimals)
        )
        mark = _BEST if key == best else _EQUAL if key in equal else ""
        cells[key] = f"{mark} {cell}" if mark else cell
    return cells


def _uses(comparison: Comparison) -> Any:
    """The answer for each use: what is best, what is as good, what is worse."""
    from rich.table import Table

    table = Table(box=None, pad_edge=False)
    for head in ("for", "best loss", "practically equal", "not settled", "worse"):
        table.add_column(head, overflow="fold")
    metrics = {metric.key: metric for metric in comparison.metrics}
    for answer in comparison.verdicts:
        metric = metrics[answer.metric]
        rivals = ranking.from_best(comparison.differences, metric.key, answer.best)
        worse = [f"{d.method} {said.size(d)}" for d in rivals if d.verdict == "worse"]
        cells = (
            f"{metric.use} ({metric.title})",
            answer.best or "none: every loss has an infinite score",
            ", ".join(answer.ties) or "–",
            ", ".join(answer.unsure) or "–",
            ", ".join(worse) or "–",
        )
        table.add_row(*map(plain, cells))
    return table
