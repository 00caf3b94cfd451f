"""A made-up comparison, complete and reproducible, for tests of what renders it."""

import math
import random
from typing import Literal

from offby.results import (
    Answer,
    Calibration,
    Column,
    Comparison,
    Coverage,
    Data,
    Difference,
    Forecasts,
    Grid,
    Guess,
    Importance,
    Measure,
    Method,
    Metric,
    Noise,
    NoiseShare,
    Pushes,
    Region,
    Reliability,
    Row,
    Run,
    Score,
    Timing,
    Training,
)

METHODS = (
    Method("ce", "Cross-entropy", False),
    Method("emd1", "EMD, p=1", False),
    Method("emd2", "Squared EMD", False),
    Method("hl", "Histogram loss", False),
    Method("cumulative", "Cumulative", False),
    Method("prior", "Class shares only", True),
    Method("mse", "Squared error", True),
)
METRICS = (
    Metric("rps", "RPS", True, "", "for the whole distribution"),
    Metric("log_score", "log score", True, "nats", "for class probabilities"),
    Metric("mae", "MAE", True, "classes", "for a point"),
    Metric("qwk", "QWK", False, "", "for ranking"),
)


STAGES: tuple[tuple[Literal["start", "middle", "end"], float], ...] = (
    ("start", 1.0),
    ("middle", 0.45),
    ("end", 0.2),
)


def comparison(
    kind: Literal["classes", "number"] = "classes",
    bins=6,
    target="quality",
    methods=METHODS,
):
    """A comparison over `bins` classes, or over `bins` bins of a number."""
    rng = random.Random(3)
    losses = [method.key for method in methods if not method.reference]
    labels = tuple(str(place + 3) for place in range(bins))
    edges = ()
    positions = tuple(float(place) for place in range(bins))
    if kind == "number":
        edges = tuple(10.0 + 2.5 * place for place in range(bins + 1))
        positions = tuple(edge + 1.25 for edge in edges[:-1])
        labels = tuple(f"{edge:g} to {edge + 2.5:g}" for edge in edges[:-1])
    shares = _bump(bins, bins * 0.45, bins / 6)
    scores = []
    base = {"rps": 0.42, "log_score": 0.96, "mae": 0.48, "qwk": 0.55}
    for place, method in enumerate(methods):
        for metric in METRICS:
            sign = 1 if metric.lower_is_better else -1
            for fold in range(5):
                for seed in range(2):
                    value = base[metric.key] + sign * 0.012 * place
                    value += rng.gauss(0, 0.008)
                    infinite = 0
                    if metric.key == "log_score" and method.key == "emd1":
                        infinite = 2 if fold == 1 else 0
                    if metric.key == "log_score" and method.key == "mse":
                        value = None
                    scores.append(
                        Score(method.key, fold, seed, metric.key, value, infinite)
                    )
    verdicts = ("practically equal", "not settled", "worse", "worse")
    differences = tuple(
        Difference(
            metric=metric.key,
            method=key,
            other="ce",
            mean=sign * 0.012 * place,
            low=sign * 0.012 * place - 0.011,
            high=sign * 0.012 * place + 0.011,
            relative=0.012 * place / size,
            wins=max(0, 5 - place),
            pairs=10,
            verdict=verdicts[(place - 1) % 4],
            worse_by=0.012 * place / size,
            worse_by_low=(0.012 * place - 0.011) / size,
            worse_by_high=(0.012 * place + 0.011) / size,
            unit=unit,
        )
        for metric in METRICS
        for size, unit in [
            (1.0, "nats") if metric.unit == "nats" else (base[metric.key], "%")
        ]
        for sign in [1 if metric.lower_is_better else -1]
        for place, key in enumerate(losses)
        if place
    )
    rows = tuple(
        Row(
            why,
            number,
            true,
            positions[true],
            {
                key: _bump(bins, true + shift * place, bins / (7 + place), second)
                for place, key in enumerate(losses)
            },
            Grid(
                labels, positions, edges, "none", Measure(0.2 if edges else 1.0, edges)
            ),
            positions[true] if edges else None,
        )
        for why, number, true, shift, second in (
            ("typical", 17, bins // 2, 0.1, 0.0),
            ("two peaks", 423, bins // 4, 0.2, 0.8),
            ("most disputed", 1031, bins - 2, -bins / 12, 0.3),
        )
    )
    offsets = tuple(range(1 - bins, bins))
    pushes = tuple(
        Pushes(
            key,
            stage,
            offsets,
            tuple(
                size
                * (0.8 if not o else (0.3 * place - 0.5) * math.exp(-abs(o) / bins * 3))
                for o in offsets
            ),
        )
        for place, key in enumerate(losses)
        for stage, size in STAGES
    )
    levels = tuple(step / 50 for step in range(51))
    calibration = tuple(
        Calibration(
            key,
            levels,
            tuple(u + 0.04 * place * math.sin(2 * math.pi * u) / 2 for u in levels),
            0.034,
        )
        for place, key in enumerate(losses)
    )
    cuts = [positions[round(share * (bins - 2))] for share in (0.25, 0.5, 0.75)]
    grid = tuple(step / 20 for step in range(21))
    reliability = tuple(
        Reliability(
            key,
            cut,
            grid,
            tuple(p + 0.08 * place * p * (1 - p) * (1 - 2 * p) for p in grid),
            tuple(p - 0.4 * p * (1 - p) for p in grid),
            tuple(p + 0.4 * p * (1 - p) for p in grid),
            0.002 * (1 + place),
            0.06 + 0.01 * rank,
            0.21,
        )
        for place, key in enumerate(losses)
        for rank, cut in enumerate(cuts)
    )
    forecasts = tuple(
        Forecasts(
            key,
            0.6 - 0.03 * place,
            (0.01 + 0.004 * place, 0.12, 0.42),
            tuple(
                Guess(rule, 0.43 + 0.01 * place + extra, 0.7 - extra)
                for rule, extra in (("mode", 0.01), ("median", 0.0), ("mean", 0.05))
            ),
        )
        for place, key in enumerate(losses)
    )
    noise = tuple(
        Noise(
            what,
            key,
            levels,
            tuple(0.4 * level + 0.02 * place * level for level in levels),
            {
                metric.key: tuple(
                    base[metric.key] + (0.1 - 0.02 * place) * level for level in levels
                )
                for metric in METRICS
            },
            tuple(0.03 + 0.1 * level for level in levels),
        )
        for what, levels in (("inputs", (0.0, 0.1, 0.5)), ("neighbor", (0.0, 0.2)))
        for place, key in enumerate(losses)
    )
    training = tuple(
        Training(
            key,
            40.0 + 9 * place,
            tuple(
                0.42 + 0.01 * place + 0.4 * math.exp(-epoch / (6 + 2 * place))
                for epoch in range(40 + 9 * place)
            ),
        )
        for place, key in enumerate(losses)
    )
    return Comparison(
        data=Data(
            name="wine.csv",
            n_rows=1599,
            n_features=11,
            target=target,
            kind=kind,
            labels=labels,
            positions=positions,
            edges=edges,
            counts=tuple(round(1599 * share) for share in shares),
            sha256="9f2c" * 16,
            notes=("240 rows are copies of another row.", "No value was missing."),
        ),
        columns=(
            Column("alcohol", "numbers", 65, 0),
            Column("region", "words", 4, 12),
            Column("id", "", 0, 0, "only names or numbers the rows"),
        ),
        importances=(
            Importance(losses[0], "alcohol", 0.214, 0.18, 0.25),
            Importance(losses[0], "region", 0.004, -0.002, 0.011),
        ),
        regions=tuple(
            Region(
                losses[0], "target", label, 100 + 10 * place, 0.4 + 0.02 * place, -0.1
            )
            for place, label in enumerate(
                (f"{position:.4g}" for position in positions)
                if kind == "classes"
                else ("10 to 14", "14 to 20")
            )
        ),
        coverage=tuple(
            Coverage(key, level, level + 0.01 * place, 2.0 * level)
            for place, key in enumerate(losses)
            for level in (0.5, 0.9)
        ),
        methods=methods,
        metrics=METRICS,
        scores=tuple(scores),
        differences=differences,
        verdicts=(
            Answer(
                "rps",
                "ce",
                ("emd1",),
                ("emd2",),
                "For the whole distribution (RPS), ce scores best of 5 losses. emd1 is "
                "practically equal to it. Whether emd2 is as good is not settled: it "
                "is between 0.2 % better and 5.5 % worse. About 9 seeds would settle "
                "this.",
            ),
            Answer(
                "mae", "ce", (), (), "For a point (MAE), ce scores best of 5 losses."
            ),
        ),
        why=(
            "4 % of the errors are two classes or more: distance has little to teach.",
            "The two rarest classes hold 2 % of the rows.",
        ),
        rows=rows,
        pushes=pushes,
        calibration=calibration,
        reliability=reliability,
        forecasts=forecasts,
        noise_share=NoiseShare(0.5, 0.34, "neighbors"),
        noise=noise,
        takeovers=("By RPS, emd2 takes the place of ce with noise in the inputs.",),
        training=training,
        run=Run(
            command=f"offby compare wine.csv --target {target}",
            folds=5,
            seeds=2,
            seed=0,
            stop_on="score",
            rope=0.01,
            versions={"offby": "0.1.0", "torch": "2.9.0", "python": "3.13.1"},
            not_tested=("Other network sizes.", "Other learning rates."),
        ),
        timing=Timing(
            seconds=38.4,
            fits={key: 1.5 + place for place, key in enumerate(losses)},
        ),
    )


def _bump(bins, center, width, second=0.0):
    """Shares with a peak at `center`, and a second one across the middle."""
    raw = [
        math.exp(-(((place - center) / width) ** 2) / 2)
        + second * math.exp(-(((place - (bins - 1 - center)) / width) ** 2) / 2)
        for place in range(bins)
    ]
    total = sum(raw)
    return tuple(value / total for value in raw)
