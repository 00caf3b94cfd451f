"""The comparison as one HTML file, readable without network and without script."""

import base64
import math
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.resources import files

from jinja2 import Environment, StrictUndefined
from markupsafe import Markup

from offby.comparison._result import Comparison, Metric, Row
from offby.report._charts import Charts, from_best, unique

__all__ = ["render"]

_TIED = "no clear difference"
_CLEAR = ("worse", "slightly worse")
_LARGEST_JSON = 700_000
"""Bytes of JSON up to which the page carries it; beyond, the page would be too big."""


@dataclass(frozen=True)
class Table:
    """A table of plain text; the first column names the rows."""

    caption: str
    head: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    words: tuple[str, ...] = ()
    """Heads of the columns that hold words, and so start at the left."""


@dataclass(frozen=True)
class Figure:
    """A chart, the finding it shows, and the numbers behind it."""

    title: str
    svg: Markup
    table: Table
    note: str = ""


@dataclass(frozen=True)
class Cell:
    """One score in the leaderboard."""

    text: str
    best: bool
    note: str


@dataclass(frozen=True)
class Line:
    """One method in the leaderboard."""

    name: str
    title: str
    swatch: Markup
    cells: tuple[Cell, ...]


def render(comparison: Comparison) -> str:
    """The report on `comparison`, as the text of one HTML file.

    The same comparison gives the same bytes. Nothing is loaded from elsewhere.
    """
    page = _Page(comparison)
    environment = Environment(
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    source = files(__name__).joinpath("page.html").read_text(encoding="utf-8")
    return environment.from_string(source).render(
        c=comparison,
        heads=page.heads(),
        losses=page.lines(reference=False),
        references=page.lines(reference=True),
        differences=page.differences(),
        rows=[page.row(row) for row in comparison.rows],
        pushes=page.pushes(),
        calibration=page.calibration(),
        forecasts=page.forecasts(),
        scores=page.scores(),
        training=page.training(),
        noise=page.noise(),
        share=page.share(),
        refit_folds=min(3, comparison.run.folds),
        histogram=page.histogram(),
        json=_as_link(comparison),
        seconds=_duration(comparison.timing.seconds),
        rope=f"{100 * comparison.run.rope:g} %",
    )


class _Page:
    """Everything the template shows, ready made."""

    def __init__(self, comparison: Comparison):
        self._c = comparison
        self._charts = Charts(comparison)
        self._names = [method.key for method in comparison.methods]
        self._metrics = {metric.key: metric for metric in comparison.metrics}
        self._labels = unique(comparison.data.labels)

    def heads(self) -> list[dict[str, str]]:
        """The columns of the leaderboard."""
        return [
            {
                "title": metric.title,
                "arrow": "↓" if metric.lower_is_better else "↑",
                "says": "lower is better"
                if metric.lower_is_better
                else "higher is better",
                "unit": metric.unit,
                "use": metric.use,
            }
            for metric in self._c.metrics
        ]

    def lines(self, *, reference: bool) -> list[Line]:
        """The rows of the leaderboard: the losses, or the references."""
        best = {metric.key: self._best(metric) for metric in self._c.metrics}
        return [
            Line(
                method.key,
                method.title if method.title != method.key else "",
                Markup(self._charts.swatch(method.key)),
                tuple(
                    self._cell(method.key, metric, method.key in best[metric.key])
                    for metric in self._c.metrics
                ),
            )
            for method in self._c.methods
            if method.reference == reference
        ]

    def differences(self) -> Figure | None:
        """The differences from the best, drawn."""
        if not self._c.differences:
            return None
        shown = from_best(self._c.differences)
        clear = [d for d in shown if d.verdict in _CLEAR]
        title = (
            f"{len(clear)} of {len(shown)} differences from the best are clear of "
            "chance"
        )
        return self._figure(
            title,
            self._charts.differences(title),
            self.difference_table(),
            "Dot: mean difference. Line: 95 % interval. Each panel has its own scale.",
        )

    def difference_table(self) -> Table:
        """Every two losses, by each metric."""
        rows = []
        for d in self._c.differences:
            digits = _digits([d.mean, d.low, d.high])
            rows.append(
                (
                    self._metrics[d.metric].title,
                    d.method,
                    d.other,
                    _signed(d.mean, digits),
                    f"{_signed(d.low, digits)} to {_signed(d.high, digits)}",
                    f"{_signed(100 * d.relative, 1)} %",
                    f"{d.wins} of {d.pairs}",
                    "–" if d.p_value is None else f"{d.p_value:.3f}",
                    d.verdict,
                )
            )
        head = (
            "metric",
            "loss",
            "against",
            "difference",
            "95 % interval",
            "relative",
            "wins",
            "p (Holm)",
            "verdict",
        )
        words = ("loss", "against", "verdict")
        caption = (
            "Every two losses: the worse one against the better one by that metric"
        )
        return Table(caption, head, tuple(rows), words)

    def row(self, row: Row) -> Figure:
        """What each loss predicts for one row."""
        keys = [key for key in self._names if key in row.probs]
        given = {key: row.probs[key][row.true] for key in keys}
        true = self._labels[row.true]
        title = f"{row.why[:1].upper()}{row.why[1:]}: row {row.number}, truth {true}"
        if given:
            most = max(given, key=lambda name: given[name])
            least = min(given, key=lambda name: given[name])
            title += (
                f". {most} gives it {100 * given[most]:.0f} %, "
                f"{least} {100 * given[least]:.0f} %"
            )
        table = Table(
            f"Predicted probability of each class or bin, row {row.number}",
            ("class or bin", *keys),
            tuple(
                (
                    f"{label} (true)" if place == row.true else label,
                    *(f"{row.probs[key][place]:.4f}" for key in keys),
                )
                for place, label in enumerate(self._labels)
            ),
        )
        return self._figure(title, self._charts.predicted(row, title), table)

    def pushes(self) -> Figure | None:
        """How each loss pushes the logits."""
        pushes = self._c.pushes
        if not pushes:
            return None
        up = []
        for push in pushes:
            near = [
                value
                for offset, value in zip(push.offsets, push.mean_push, strict=True)
                if abs(offset) == 1
            ]
            if push.stage == "end" and near and sum(near) > 0:
                up.append(push.method)
        if up:
            verb = "pushes" if len(up) == 1 else "push"
            title = (
                f"At the end, {_listed(up)} {verb} the neighbors of the true class up"
            )
        else:
            title = "At the end, no loss pushes the neighbors of the true class up"
        offsets = sorted({offset for push in pushes for offset in push.offsets})
        columns = [
            (push, dict(zip(push.offsets, push.mean_push, strict=True)))
            for push in pushes
        ]
        table = Table(
            "Mean push on the logit, by class minus true class",
            ("loss", "stage", *(_signed(offset, 0) for offset in offsets)),
            tuple(
                (
                    push.method,
                    push.stage,
                    *(
                        _signed(known[offset], 4) if offset in known else "–"
                        for offset in offsets
                    ),
                )
                for push, known in columns
            ),
            words=("stage",),
        )
        note = "Above zero: the logit is pushed up. Each loss has its own scale."
        return self._figure(title, self._charts.pushes(pushes, title), table, note)

    def calibration(self) -> Figure | None:
        """Whether predicted probabilities come true."""
        items = self._c.calibration
        if not items:
            return None
        gaps = {
            item.method: max(
                (
                    abs(reached - level)
                    for level, reached in zip(item.levels, item.reached, strict=True)
                ),
                default=0.0,
            )
            for item in items
        }
        out = [item.method for item in items if gaps[item.method] > item.band]
        if not out:
            title = "Every loss stays inside the band of a calibrated forecast"
        elif len(out) == len(items):
            title = "No loss stays inside the band of a calibrated forecast"
        else:
            verb = "leaves" if len(out) == 1 else "leave"
            title = f"{_listed(out)} {verb} the band of a calibrated forecast"
        table = Table(
            "Largest distance from the level",
            ("loss", "largest distance", "half-width of the band", "inside"),
            tuple(
                (
                    item.method,
                    f"{gaps[item.method]:.4f}",
                    f"{item.band:.4f}",
                    "yes" if gaps[item.method] <= item.band else "no",
                )
                for item in items
            ),
        )
        note = (
            "Line: share of rows whose PIT lies at or below a level, minus the level. "
            "Gray: where a calibrated forecast stays in 95 of 100 cases."
        )
        return self._figure(title, self._charts.calibration(items, title), table, note)

    def forecasts(self) -> Table | None:
        """Sharpness, parts of the RPS, and the errors of three guesses."""
        items = self._c.forecasts
        if not items:
            return None
        parts = any(item.corp for item in items)
        head = ["loss", "sharpness"]
        if parts:
            head += ["miscalibration", "discrimination", "uncertainty"]
        head += [
            f"{measure} of the {guess.rule}"
            for measure in ("MAE", "RMSE")
            for guess in items[0].guesses
        ]
        digits = _digits([guess.rmse for item in items for guess in item.guesses])
        rows = [
            (
                item.method,
                _number(item.sharpness, digits),
                *(_number(part, 4) for part in item.corp or (None,) * 3 * parts),
                *(_number(guess.mae, digits) for guess in item.guesses),
                *(_number(guess.rmse, digits) for guess in item.guesses),
            )
            for item in items
        ]
        return Table("Over all held-out rows, first seed", tuple(head), tuple(rows))

    def scores(self) -> Figure | None:
        """Every score of every fold and seed."""
        c = self._c
        known = [score for score in c.scores if score.value is not None]
        if not known:
            return None
        title = f"Every score: {c.run.folds} folds, {_count(c.run.seeds, 'seed')}"
        infinite = sum(score.infinite_rows for score in c.scores)
        note = "A gray line joins the scores of one fold and seed."
        if infinite:
            note += (
                f" {_count(infinite, 'infinite row score')} cannot be drawn: a dot is "
                "the mean over the finite rows."
            )
        found = {(s.method, s.fold, s.seed, s.metric): s for s in c.scores}
        fits = dict.fromkeys((s.method, s.fold, s.seed) for s in c.scores)
        rows = []
        for method, fold, seed in fits:
            texts = []
            for metric in c.metrics:
                score = found.get((method, fold, seed, metric.key))
                text = "–" if score is None else _number(score.value, 4)
                if score is not None and score.infinite_rows:
                    text = _infinite(score.infinite_rows)
                texts.append(text)
            rows.append((method, str(fold), str(seed), *texts))
        head = ("method", "fold", "seed", *(metric.title for metric in c.metrics))
        table = Table("Score of each fold and seed", head, tuple(rows))
        return self._figure(title, self._charts.scores(title), table, note)

    def training(self) -> Figure | None:
        """How long each loss trained."""
        items = [item for item in self._c.training if item.curve]
        if not items:
            return None
        fast = min(items, key=lambda item: item.epochs)
        slow = max(items, key=lambda item: item.epochs)
        title = (
            f"{fast.method} stops first, after {fast.epochs:.0f} epochs; "
            f"{slow.method} last, after {slow.epochs:.0f}"
        )
        if fast.epochs == slow.epochs:
            title = f"Every loss trains for {fast.epochs:.0f} epochs"
        table = Table(
            "Training, mean over the fits",
            ("loss", "epochs", "seconds", "best validation score", "last"),
            tuple(
                (
                    item.method,
                    f"{item.epochs:.1f}",
                    f"{self._c.timing.fits.get(item.method, 0.0):.2f}",
                    f"{min(item.curve):.4f}",
                    f"{item.curve[-1]:.4f}",
                )
                for item in items
            ),
        )
        note = "Mean over the nets that still train, so late parts rest on few nets."
        return self._figure(title, self._charts.training(title), table, note)

    def share(self) -> str:
        """How many rows the noise of the target would move, in words."""
        found = self._c.noise_share
        if found is None:
            return ""
        what = "class" if self._c.data.kind == "classes" else "bin"
        told = "as given" if found.source == "given" else "as near neighbors tell it"
        return (
            f"The target has a noise of {found.spread:.3g} ({told}). Under such noise "
            f"{100 * found.share:.0f} % of the rows would change their {what}."
        )

    def noise(self) -> list[Figure]:
        """What each kind of noise does to each loss."""
        metric = next((m for m in self._c.metrics if m.answers), None)
        if metric is None:
            return []
        kinds = dict.fromkeys(noise.kind for noise in self._c.noise)
        return [self._noise_of(kind, metric) for kind in kinds]

    def _noise_of(self, kind: str, metric: Metric) -> Figure:
        noises = [noise for noise in self._c.noise if noise.kind == kind]
        title = _NOISES[kind]
        sign = 1 if metric.lower_is_better else -1
        hurt = {
            noise.method: sign * (last - first)
            for noise in noises
            for first, last in [_ends(noise.scores[metric.key])]
            if first is not None and last is not None
        }
        if len(hurt) > 1 and kind not in ("counts", "strategy"):
            least, most = (f(hurt, key=lambda m: hurt[m]) for f in (min, max))
            title += (
                f": by {metric.title}, {least} loses least "
                f"({_signed(sign * hurt[least], _digits([hurt[least]]))}), {most} most "
                f"({_signed(sign * hurt[most], _digits([hurt[most]]))})"
            )
        others = [m for m in self._c.metrics if m.key in noises[0].scores]
        rows = [
            (
                noise.method,
                f"{100 * level:g} %",
                _number(noise.moved[i], 4),
                _number(noise.miscalibration[i], 4),
                *(_number(noise.scores[m.key][i], 4) for m in others),
            )
            for noise in noises
            for i, level in enumerate(noise.levels)
        ]
        table = Table(
            _NOISES[kind],
            (
                "loss",
                "level",
                "forecasts move",
                "miscalibration",
                *(m.title for m in others),
            ),
            tuple(rows),
        )
        svg = self._charts.noise(noises, metric, title)
        return self._figure(title, svg, table, "Level: " + _LEVELS[kind] + ".")

    def histogram(self) -> Figure:
        """Rows per class or bin."""
        data = self._c.data
        total = sum(data.counts) or 1
        what = "class" if data.kind == "classes" else "bin"
        title = f"Rows per {what}"
        if data.counts:
            top = max(range(len(data.counts)), key=lambda place: data.counts[place])
            share = 100 * data.counts[top] / total
            title = (
                f"The largest {what}, {self._labels[top]}, holds {share:.0f} % of "
                f"the rows; the smallest {_count(min(data.counts), 'row')}"
            )
        table = Table(
            f"Rows per {what}",
            (what, "rows", "share"),
            tuple(
                (label, str(count), f"{100 * count / total:.1f} %")
                for label, count in zip(self._labels, data.counts, strict=False)
            ),
        )
        return self._figure(title, self._charts.histogram(title), table)

    def _figure(self, title: str, svg: str, table: Table, note: str = "") -> Figure:
        # The drawing library escapes the text it draws; `_inline` escapes the label.
        return Figure(title, Markup(svg), table, note)

    def _best(self, metric: Metric) -> set[str]:
        """The best loss by a metric, and those with no clear difference from it."""
        scores = {}
        for method in self._c.methods:
            value = self._c.mean(method.key, metric.key)
            infinite = self._c.infinite_rows(method.key, metric.key)
            if not method.reference and value is not None and not infinite:
                scores[method.key] = value if metric.lower_is_better else -value
        if not scores:
            return set()
        first = min(scores, key=lambda key: scores[key])
        tied = {
            d.method
            for d in self._c.differences
            if d.metric == metric.key and d.other == first and d.verdict == _TIED
        }
        return {first} | (tied & scores.keys())

    def _cell(self, method: str, metric: Metric, best: bool) -> Cell:
        value = self._c.mean(method, metric.key)
        infinite = self._c.infinite_rows(method, metric.key)
        every = [self._c.mean(other.key, metric.key) for other in self._c.methods]
        text = _number(value, _digits([v for v in every if v is not None]))
        if infinite:
            note = "" if value is None else f"{text} over the finite rows"
            return Cell(_infinite(infinite), False, note)
        return Cell(text, best, "")


_NOISES = {
    "edges": "Noise in the bin edges",
    "counts": "Another number of bins",
    "strategy": "Bins by the other strategy",
    "inputs": "Noise in the inputs",
    "neighbor": "Training labels moved to a neighbor",
    "random": "Training labels moved at random",
}
_LEVELS = {
    "edges": "noise as a share of the bin width",
    "counts": "number of bins as a share of the one chosen",
    "strategy": "0 % is the strategy chosen, 100 % the other one",
    "inputs": "noise as a share of the standard deviation of each input",
    "neighbor": "share of the labels moved",
    "random": "share of the labels moved",
}


def _ends(scores: Sequence[float | None]) -> tuple[float | None, float | None]:
    return scores[0], scores[-1]


def _as_link(comparison: Comparison) -> str:
    """The JSON as the target of a link, or nothing where it is too long."""
    raw = comparison.to_json().encode()
    if len(raw) > _LARGEST_JSON:
        return ""
    return "data:application/json;base64," + base64.b64encode(raw).decode()


def _infinite(rows: int) -> str:
    return f"∞ ({_count(rows, 'row')})"


def _count(number: int, what: str) -> str:
    return f"{number} {what}" if number == 1 else f"{number} {what}s"


def _listed(names: Sequence[str]) -> str:
    if len(names) < 2:
        return "".join(names)
    return f"{', '.join(names[:-1])} and {names[-1]}"


def _digits(values: Sequence[float]) -> int:
    """Decimals that give the largest of the values four digits."""
    top = max((abs(value) for value in values if math.isfinite(value)), default=0.0)
    if not top:
        return 3
    return min(6, max(0, 3 - max(0, math.floor(math.log10(top)))))


def _number(value: float | None, digits: int) -> str:
    if value is None or math.isnan(value):
        return "–"
    if math.isinf(value):
        return "∞" if value > 0 else "−∞"
    return f"{value:.{digits}f}".replace("-", "−")


def _signed(value: float, digits: int) -> str:
    text = _number(value, digits)
    # What rounds to zero has no sign.
    if not any(char in "123456789∞" for char in text):
        return text.lstrip("−")
    return f"+{text}" if value > 0 else text


def _duration(seconds: float) -> str:
    if seconds < 120:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min"
