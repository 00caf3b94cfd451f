"""The numbers of docs/choosing.md: every named loss on classes and on a number.

    python benchmarks/choosing.py DATA [--seeds N] [--again]
    python benchmarks/choosing.py table

compares on the packaged wine-red (6 classes) and on concrete.csv.gz in the folder DATA
(50 bins), with the network of the estimators and with a plain perceptron, by the
defaults of `compare`. What is done is kept in docs/choosing.json, and is not done again
unless --again says so. `table` writes the tables into docs/choosing.md.
"""

import argparse
import json
import sys
import time
from collections.abc import Sequence
from pathlib import Path

import torch
from sections import with_tables

from offby import compare, datasets, tables
from offby.comparison import Comparison
from offby.comparison.config import CompareConfig
from offby.losses.registry import TABLE

DOCS = Path(__file__).parents[1] / "docs"
OUT, PAGE = DOCS / "choosing.json", DOCS / "choosing.md"
SUMS = ("ce+emd2", "ce+0.3*emd1")
NETWORKS = {"ensemble": "", "perceptron": ", perceptron"}
"""Network -> what is added to the name of the data."""
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


def compared(name: str, network: str, data: str, seeds: int) -> Comparison:
    """One comparison, by defaults but for the network and the number of seeds."""
    # Boosting under each loss is a question of its own (docs/atlas.md).
    asked = {"network": network, "seeds": seeds, "models": ["network"], "n_jobs": 1}
    if name == "wine-red":
        read = tables.read(str(datasets.load(name)))
        wine = tables.prepare(read, "quality", source=name)
        return compare(
            wine.X,
            wine.y,
            losses=[*(entry.name for entry in TABLE if not entry.needs_bins), *SUMS],
            labels=wine.labels,
            positions=wine.positions,
            name=name,
            **asked,
        )
    frame = tables.read(f"{data}/concrete.csv.gz")
    target = "compressive_strength"
    return compare(
        frame.drop(target),
        frame[target].to_numpy(),
        kind="number",
        losses=[*(entry.name for entry in TABLE), *SUMS],
        name=name,
        **asked,
    )


def run(data: str, seeds: int, again: bool) -> None:
    """Compare what is not known yet; keep means, verdicts and CPU seconds."""
    torch.set_num_threads(1)
    for name in COLUMNS:
        for network, added in NETWORKS.items():
            known = json.loads(OUT.read_text()) if OUT.exists() else {}
            if name + added in known and not again:
                continue
            begun = time.process_time()
            found = summary(compared(name, network, data, seeds))
            found["CPU seconds"] = time.process_time() - begun
            known = json.loads(OUT.read_text()) if OUT.exists() else {}
            known[name + added] = found
            OUT.write_text(json.dumps(known, indent=1) + "\n")
            print(f"{name}{added}: {found['CPU seconds']:.0f} CPU s", flush=True)


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
    metrics = COLUMNS[name.partition(",")[0]]
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
    said = f"{found['rows']:,} rows, {found['folds']} folds, seeds: {found['seeds']}"
    # An earlier measurement knows no seconds.
    if "CPU seconds" in found:
        said += f"; {found['CPU seconds']:.0f} CPU seconds"
    said += "."
    return "\n".join([*lines, "", said])


def made(page: str) -> str:
    """The page with its tables made anew."""
    known = json.loads(OUT.read_text())
    return with_tables(page, lambda name: table(name, known[name]))


def main(words: Sequence[str]) -> None:
    """Measure, or write the tables."""
    if list(words) == ["table"]:
        PAGE.write_text(made(PAGE.read_text()))
        return
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("data", help="folder with concrete.csv.gz")
    parser.add_argument("--seeds", type=int, default=CompareConfig.seeds)
    parser.add_argument("--again", action="store_true")
    asked = parser.parse_args(words)
    run(asked.data, asked.seeds, asked.again)


if __name__ == "__main__":
    main(sys.argv[1:])
