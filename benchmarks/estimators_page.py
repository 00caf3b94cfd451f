"""The tables of docs/estimators.md, made of what the benchmarks have measured.

    python benchmarks/estimators_page.py

writes them between the markers of the page: from docs/rivals.json and docs/boosted.json
(benchmarks/rivals.py, boosted.py), docs/before.json (before.py) and
docs/estimators.json (estimators.py), docs/decide.json (decide.py).
"""

import json
from pathlib import Path

import before
import decide
import rivals
from boosted import INTERVALS, NETWORK, known_folds
from boosted_scores import common, mean
from sections import with_tables

DOCS = Path(__file__).parents[1] / "docs"
PAGE = DOCS / "estimators.md"
LOSSES = ("ce", "emd2", "ce+emd2", "cce", "crps+nll")


def beside_rivals() -> str:
    """Scores beside gradient boosting of other libraries, and how often we lead."""
    known = json.loads((DOCS / "rivals.json").read_text())
    lines = []
    for part, score in rivals.TABLES:
        table = rivals.table(known, part, score)
        rows = table.splitlines()[2:]
        ahead = sum(row.split(" | ")[1].startswith("**") for row in rows)
        lines += [table, f"offby is in bold in {ahead} of {len(rows)} rows."]
    return "\n\n".join(lines)


def intervals() -> str:
    """How often intervals of numbers hold, as they are and conformal."""
    heads = [
        f"{level:.0%}{kind}" for kind in ("", ", conformal") for level in _levels()
    ]
    lines = [
        f"| numbers | {' | '.join(heads)} |",
        "|---" * (len(heads) + 1) + "|",
    ]
    for name, cells in known_folds().get("numbers", {}).items():
        folds = common(cells, [NETWORK])
        keys = [
            key.replace("coverage", kind)
            for kind in ("coverage", "conformal")
            for key in _levels().values()
        ]
        shares = [mean(cells, NETWORK, key, folds) for key in keys]
        if folds and None not in shares:
            texts = " | ".join(f"{share:.3f}" for share in shares)
            lines.append(f"| {name}, {_folds(len(folds))} | {texts} |")
    return "\n".join(lines)


def _levels() -> dict[float, str]:
    return {level: key for key, level in sorted(INTERVALS.items(), key=lambda x: x[1])}


def _folds(n: int) -> str:
    return "1 fold" if n == 1 else f"{n} folds"


def _measured(part: str) -> list[dict]:
    return json.loads((DOCS / "estimators.json").read_text()).get(part, [])


def published() -> str:
    """The splits of Hernandez-Lobato and Adams."""
    lines = [
        "| data | splits | RMSE | log likelihood | CRPS |",
        "|---|---|---|---|---|",
    ]
    for row in _measured("uci"):
        cells = (
            f"{row[key]:.3f} ± {row[f'{key}, standard error']:.3f}"
            for key in ("RMSE", "log likelihood", "CRPS")
        )
        lines.append(f"| {row['data']} | {row['splits']} | {' | '.join(cells)} |")
    return "\n".join(lines)


def by_loss() -> str:
    """Score and log score by the loss that was trained on."""
    lines = [f"| data | {' | '.join(LOSSES)} |", "|---" * (len(LOSSES) + 1) + "|"]
    for row in _measured("losses"):
        cells = [
            f"{row[loss]['score']:.4g} / {row[loss]['log score']:.4g}"
            if loss in row
            else "–"
            for loss in LOSSES
        ]
        lines.append(f"| {row['data']} | {' | '.join(cells)} |")
    return "\n".join(lines)


def by_bins() -> str:
    """CRPS by the number of bins."""
    lines = [
        "| data | 10 bins | 30 | 100 | 300 | boosting |",
        "|---|---|---|---|---|---|",
    ]
    for row in _measured("bins"):
        cells = [f"{row[f'{n} bins']:.2f}" for n in (10, 30, 100, 300)]
        cells.append(f"{row['boosting, 19 quantiles']:.2f}")
        lines.append(f"| {row['data']} | {' | '.join(cells)} |")
    return "\n".join(lines)


def seconds() -> str:
    """Seconds and memory of fits and forecasts."""
    keys = {
        "fit, CPU s": "fit, CPU s",
        "forecast, CPU s": "forecast of 20,000 rows, CPU s",
        "forecast, MiB of the result": "MiB of the result",
        "forecast, MiB at the peak": "MiB more at the peak",
    }
    lines = [
        f"| learned from | {' | '.join(keys.values())} |",
        "|---|---|---|---|---|",
    ]
    for row in _measured("time"):
        cells = [
            f"{row[key]:.1f}" if row[key] < 100 else f"{row[key]:.0f}" for key in keys
        ]
        lines.append(f"| {row['data']} | {' | '.join(cells)} |")
    return "\n".join(lines)


def decided() -> str:
    """Guesses from a proper forecast beside training on the metric itself."""
    known = json.loads(decide.OUT.read_text()) if decide.OUT.exists() else []
    return decide.table(known)


SECTIONS = {
    "decide": decided,
    "rivals": beside_rivals,
    "before": before.tables,
    "intervals": intervals,
    "published": published,
    "losses": by_loss,
    "bins": by_bins,
    "seconds": seconds,
}


def made(page: str) -> str:
    """The page with every table made anew."""
    return with_tables(page, lambda name: SECTIONS[name]())


if __name__ == "__main__":
    PAGE.write_text(made(PAGE.read_text()))
