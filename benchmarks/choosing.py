"""The numbers of docs/choosing.md: every named loss on classes and on a number.

    python benchmarks/choosing.py concrete.csv.gz compressive_strength docs/choosing

compares on the packaged wine-red (6 classes) and on that table (50 bins). Takes about
15 minutes on two cores.
"""

import json
import sys
from pathlib import Path

from offby import compare, datasets, tables
from offby.comparison import Comparison
from offby.losses.registry import TABLE

SUMS = ("ce+emd2", "ce+0.3*emd1")
COLUMNS = {
    "wine-red": {
        "rps": "RPS",
        "log_score": "log score",
        "mae": "MAE of the median",
        "qwk": "QWK",
        "accuracy": "accuracy",
        "far": "far errors",
    },
    "concrete": {
        "crps": "CRPS",
        "log_score": "log score",
        "mae": "MAE of the median",
        "rmse": "RMSE of the mean",
        "far": "far errors",
    },
}


def main(data: str, target: str, out: str) -> None:
    """Compare twice, keep means and verdicts."""
    of_classes = [entry.name for entry in TABLE if not entry.needs_bins]
    of_numbers = [entry.name for entry in TABLE]
    wine = tables.prepare(
        tables.read(str(datasets.load("wine-red"))), "quality", source="wine-red"
    )
    classes = compare(
        wine.X,
        wine.y,
        losses=[*of_classes, *SUMS],
        labels=wine.labels,
        positions=wine.positions,
        name="wine-red",
        network="perceptron",
    )
    frame = tables.read(data)
    numbers = compare(
        frame.drop(target),
        frame[target].to_numpy(),
        kind="number",
        losses=[*of_numbers, *SUMS],
        bins=50,
        network="perceptron",
        strategy="quantile",
        bounds=None,
        name=Path(data).name.split(".")[0],
    )
    found = {result.data.name: summary(result) for result in (classes, numbers)}
    Path(out + ".json").write_text(json.dumps(found, indent=1) + "\n")


def summary(found: Comparison) -> dict:
    """Mean of every method by every metric, and what is said against the best loss."""
    means = {
        method.key: {
            metric.key: found.mean(method.key, metric.key) for metric in found.metrics
        }
        for method in found.methods
    }
    verdicts = {
        each.metric: {"best": each.other, "said": {}} for each in found.differences
    }
    for each in found.differences:
        verdicts[each.metric]["said"][each.method] = each.verdict
    return {
        "rows": found.data.n_rows,
        "folds": found.run.folds,
        "seeds": found.run.seeds,
        "stop_on": found.run.stop_on,
        "means": means,
        "verdicts": verdicts,
    }


def table(name: str, found: dict) -> str:
    """Means as a table in Markdown, the best loss of each column in bold."""
    metrics = COLUMNS[name]
    lines = [
        f"| loss | {' | '.join(metrics.values())} |",
        f"|---|{'---|' * len(metrics)}",
    ]
    for method, means in found["means"].items():
        cells = []
        for key in metrics:
            value = means[key]
            cell = "–" if value is None else f"{value:.3f}"
            best = found["verdicts"].get(key, {}).get("best") == method
            cells.append(f"**{cell}**" if best else cell)
        lines.append(f"| {method} | {' | '.join(cells)} |")
    return "\n".join(lines)


if __name__ == "__main__":
    main(*sys.argv[1:4])
