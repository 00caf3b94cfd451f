"""What the study in benchmarks/why.py says, and the tables of docs/why.md."""

from collections.abc import Sequence
from itertools import product

import numpy as np
from scipy import stats

from offby.comparison.why import tells

LOSSES = ("emd2", "ce+emd2", "cce")
FACTORS = {
    "far": "far errors under ce",
    "rows": "rows per class or bin",
    "bins": "classes or bins",
    "imbalance": "rows of the largest class, in even shares",
    "noise": "rows that noise would move",
}
METRICS = {"classes": ("rps", "log_score"), "number": ("crps", "log_score")}
_DRAWS = 200


def gain(cell: dict, loss: str, metric: str) -> float:
    """How much better than ce: a share of its RPS or CRPS, or nats."""
    ce, other = cell["scores"]["ce"][metric], cell["scores"][loss][metric]
    if other is None:
        return -np.inf
    return ce - other if metric == "log_score" else 1 - other / ce


def summary(cells: Sequence[dict]) -> dict:
    """Per kind of target and factor: does it tell the gain, and what was it where."""
    found = []
    for kind, factor in product(METRICS, FACTORS):
        some = [cell for cell in cells if cell["kind"] == kind]
        values = np.array([cell["factors"][factor] for cell in some])
        if kind == "number" and factor == "imbalance":
            continue  # bins of equal count are never uneven, but for ties
        edges = [_short(edge) for edge in np.quantile(values, (1 / 3, 2 / 3))]
        sets = np.unique([cell["name"] for cell in some], return_inverse=True)[1]
        families = np.array([family(cell["name"]) for cell in some])
        for loss, metric in product(LOSSES, METRICS[kind]):
            gains = np.array([gain(cell, loss, metric) for cell in some])
            rank, low, high = rank_correlation(values, gains, sets)
            found.append(
                {
                    "kind": kind,
                    "factor": factor,
                    "loss": loss,
                    "metric": metric,
                    "rank_correlation": [_short(v) for v in (rank, low, high)],
                    "left_out": left_out(values, gains, families),
                    "edges": edges,
                    "bands": [
                        band(gains[np.searchsorted(edges, values) == place])
                        for place in range(3)
                    ],
                }
            )
    count = {kind: sum(cell["kind"] == kind for cell in cells) for kind in METRICS}
    return {"problems": count, "found": found}


def rank_correlation(x, y, sets) -> tuple[float, float, float]:
    """Of Spearman, with its 95 % interval over sets drawn anew, whole."""
    rng = np.random.default_rng(0)
    members = [np.flatnonzero(sets == place) for place in range(sets.max() + 1)]
    drawn = []
    for _ in range(_DRAWS):
        chosen = rng.integers(len(members), size=len(members))
        rows = np.concatenate([members[place] for place in chosen])
        drawn.append(float(stats.spearmanr(x[rows], y[rows]).statistic))
    return (
        float(stats.spearmanr(x, y).statistic),
        *map(float, np.quantile(drawn, (0.025, 0.975))),
    )


def family(name: str) -> str:
    """What problems have in common that are no news to each other.

    >>> family("two peaks, noise 0.4, even classes"), family("abalone rings")
    ('two peaks', 'abalone')
    """
    kind, _, rest = name.partition(", ")
    return kind if rest else name.partition(" ")[0]


def left_out(x, y, families: np.ndarray) -> tuple[int, int]:
    """In how many families the correlation has the sign that all others foretell.

    And of how many: those in which the factor and the gain both differ.
    """
    agrees = []
    for name in np.unique(families):
        away = families == name
        if min(len(np.unique(x[away])), len(np.unique(y[away]))) > 1:
            here, elsewhere = (
                float(stats.spearmanr(x[rows], y[rows]).statistic)
                for rows in (away, ~away)
            )
            agrees.append(here * elsewhere > 0)
    return sum(agrees), len(agrees)


def band(gains: np.ndarray) -> dict:
    """Quartiles of the gains of some problems, and how many gained."""
    low, median, high = np.quantile(gains, (0.25, 0.5, 0.75), method="nearest")
    return {
        "problems": len(gains),
        "gained": int((gains > 0).sum()),
        "quartiles": [
            None if np.isinf(value) else _short(value) for value in (low, median, high)
        ],
    }


def _short(value: float) -> float:
    return float(f"{value:.3g}")


def ranks_table(found: dict, kind: str, metric: str) -> str:
    """Rank correlations in Markdown; in bold those that tell the gain.

    These differ from zero, and have their sign where a family is left out, too.
    """
    lines = [f"| factor | {' | '.join(LOSSES)} |", f"|---|{'---|' * len(LOSSES)}"]
    for factor, title in FACTORS.items():
        cells = []
        for loss in LOSSES:
            for each in _chosen(found, kind, factor, loss, metric):
                rank, low, high = each["rank_correlation"]
                text = f"{rank:+.2f}"
                text = f"**{text}**" if tells(each) else text
                same, of = each["left_out"]
                cells.append(f"{text} ({low:+.2f} to {high:+.2f}), {same} of {of}")
        if cells:
            lines.append(f"| {title} | {' | '.join(cells)} |")
    return "\n".join(lines)


def bands_table(found: dict, kind: str, metric: str) -> str:
    """Median gain in each third of the problems, and the middle half."""
    heads = " | ".join(LOSSES)
    lines = [f"| factor | where | {heads} |", f"|---|---|{'---|' * len(LOSSES)}"]
    unit = 1 if metric == "log_score" else 100
    for factor, title in FACTORS.items():
        rows = [_chosen(found, kind, factor, loss, metric) for loss in LOSSES]
        if not rows[0]:
            continue
        low, high = rows[0][0]["edges"]
        places = (f"to {low:g}", f"{low:g} to {high:g}", f"over {high:g}")
        for place, where in enumerate(places):
            cells = []
            for (each,) in rows:
                band = each["bands"][place]
                q1, q2, q3 = (
                    "-∞" if q is None else f"{unit * q:+.2g}" for q in band["quartiles"]
                )
                gained = f"{band['gained']} of {band['problems']}"
                cells.append(f"{q2} ({q1} to {q3}), {gained}")
            lines.append(f"| {title} | {where} | {' | '.join(cells)} |")
    return "\n".join(lines)


def _chosen(found: dict, kind: str, factor: str, loss: str, metric: str) -> list[dict]:
    wanted = (kind, factor, loss, metric)
    keys = ("kind", "factor", "loss", "metric")
    return [e for e in found["found"] if tuple(e[key] for key in keys) == wanted]
