"""How fits and forecasts grow with rows, columns and classes, and where they end.

    python benchmarks/scale.py [rows columns classes]
    python benchmarks/scale.py page

Drawn tables; network and trees with their defaults on one thread, each fit in a process
of its own. CPU seconds of the fit and of forecasts of 1,000 other rows, and the most
memory that the process held. An axis ends for a model where the next size would take
more than five minutes by the sizes before, or where a fit failed: what it said then
is kept. Writes docs/scale.json and, from that, tables and picture of docs/scale.md.
What is measured already is not measured again.
"""

import json
import os
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
from sections import with_tables

DOCS = Path(__file__).parents[1] / "docs"
OUT, PAGE, PICTURE = DOCS / "scale.json", DOCS / "scale.md", DOCS / "scale.svg"
AXES: dict[str, tuple[int, ...]] = {
    "rows": (1_000, 10_000, 100_000, 1_000_000),
    "columns": (5, 20, 100, 500, 2_000),
    "classes": (2, 10, 100, 1_000, 5_000),
}
USUAL = {"rows": 2_000, "columns": 20, "classes": 10}
"""Of what does not grow; with 1,000 classes and more, there are five rows of each."""
MODELS = ("network", "trees")
N_NEW = 1_000
LONGEST = 300.0
"""CPU seconds of a fit."""
FIGURES = ("fit, CPU s", "forecast, CPU s", "peak, MiB")


def sizes(axis: str, size: int) -> dict[str, int]:
    """Rows, columns and classes of a table."""
    found = USUAL | {axis: size}
    return found | {"rows": max(found["rows"], 5 * found["classes"])}


def fit(model: str, rows: int, columns: int, classes: int) -> None:
    """Fit and forecast in this process, and print what it took."""
    import resource

    import torch

    from offby import BoostedOrdinalClassifier, OrdinalClassifier

    torch.set_num_threads(1)
    draws = np.random.default_rng(0)
    X = draws.normal(size=(rows + N_NEW, columns)).astype(np.float32)
    value = X[:, 0] * X[:, 1] + np.sin(3 * X[:, 2]) + draws.normal(size=len(X)) / 2
    places = np.argsort(np.argsort(value))
    y = places * classes // len(X)
    kind = OrdinalClassifier if model == "network" else BoostedOrdinalClassifier
    begun = time.process_time()
    made = kind(random_state=0, n_jobs=1).fit(X[:rows], y[:rows])
    fitted = time.process_time()
    made.predict_proba(X[rows:])
    done = time.process_time()
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    figures = fitted - begun, done - fitted, peak
    print(json.dumps(dict(zip(FIGURES, figures, strict=True))))


def measured(model: str, axis: str, size: int) -> dict[str, Any]:
    """The figures of a fit, or what it said where it failed."""
    given = [str(each) for each in sizes(axis, size).values()]
    child = subprocess.run(
        [sys.executable, "-W", "ignore", __file__, "fit", model, *given],
        capture_output=True,
        text=True,
        env=os.environ | {"OMP_NUM_THREADS": "1"},
    )
    about = {"axis": axis, "size": size, "model": model}
    if child.returncode == 0:
        return about | json.loads(child.stdout.splitlines()[-1])
    last = (child.stderr.strip().splitlines() or [f"signal {-child.returncode}"])[-1]
    return about | {"ended": last[:300]}


def expected_seconds(rows: list[dict[str, Any]], size: int) -> float:
    """Of a fit of that size, by the slope between the two largest ones before."""
    known = [row for row in rows if FIGURES[0] in row][-2:]
    if len(known) < 2:
        return 0.0
    (n1, t1), (n2, t2) = ((row["size"], row[FIGURES[0]]) for row in known)
    slope = max(0.0, np.log(t2 / t1) / np.log(n2 / n1))
    return float(t2 * (size / n2) ** slope)


def measure(axes: list[str]) -> None:
    """Measure what is not known, from small to large."""
    found: list[dict[str, Any]] = json.loads(OUT.read_text()) if OUT.exists() else []
    for axis in axes:
        for model in MODELS:
            for size in AXES[axis]:
                same = [r for r in found if r["axis"] == axis and r["model"] == model]
                if any(row["size"] == size for row in same):
                    continue
                seconds = expected_seconds(same, size)
                if any("ended" in row for row in same):
                    break
                row = (
                    {"axis": axis, "size": size, "model": model}
                    | {"ended": f"not run: about {seconds:,.0f} CPU s expected"}
                    if seconds > LONGEST
                    else measured(model, axis, size)
                )
                print(row, flush=True)
                found.append(row)
                OUT.write_text(json.dumps(found, indent=1) + "\n")
    page(found)


def table(found: list[dict[str, Any]], axis: str) -> str:
    """A row for each size: seconds and memory of each model."""
    heads = [f"{model}: {figure}" for model in MODELS for figure in FIGURES]
    lines = [f"| {axis} | {' | '.join(heads)} |", "|---:|" + "---:|" * len(heads)]
    for size in AXES[axis]:
        cells = []
        for model in MODELS:
            row = _row(found, axis, size, model)
            cells += [_cell(row, figure) for figure in FIGURES]
        lines.append(f"| {size:,} | {' | '.join(cells)} |")
    return "\n".join(lines)


def slopes(found: list[dict[str, Any]], axis: str) -> str:
    """By which power of the size the seconds of a fit grow, over its upper half."""
    parts = []
    for model in MODELS:
        rows = [_row(found, axis, size, model) for size in AXES[axis]]
        known = [row for row in rows if FIGURES[0] in row][-3:]
        if len(known) < 2:
            continue
        size, seconds = (
            np.log([row[key] for row in known]) for key in ("size", FIGURES[0])
        )
        parts.append(f"{model} {np.polyfit(size, seconds, 1)[0]:.2f}")
    return f"Power of the {axis} with which a fit's seconds grow: {', '.join(parts)}."


def endings(found: list[dict[str, Any]], axis: str) -> list[str]:
    """Where a model ended, and what it said."""
    return [
        f"- {row['model']}, {row['size']:,} {axis}: {row['ended']}"
        for row in found
        if row["axis"] == axis and "ended" in row
    ]


def draw(found: list[dict[str, Any]]) -> str:
    """Seconds and memory against each axis, as SVG."""
    import altair as alt
    import vl_convert

    rows = []
    for axis in AXES:
        panels = []
        for figure in FIGURES:
            points = [row for row in found if row["axis"] == axis and figure in row]
            panels.append(
                alt.Chart(alt.Data(values=points), width=200, height=150)
                .mark_line(point=True)
                .encode(
                    x=alt.X("size:Q", scale=alt.Scale(type="log"), title=axis),
                    y=alt.Y(
                        figure.replace(",", "\\,") + ":Q",
                        scale=alt.Scale(type="log"),
                        title=figure,
                    ),
                    color=alt.Color("model:N", title=None),
                )
            )
        rows.append(alt.hconcat(*panels))
    chart = alt.vconcat(*rows).configure(background="white")
    return vl_convert.vegalite_to_svg(chart.to_dict())


def made(text: str, found: list[dict[str, Any]]) -> str:
    """The text of the page with its tables made anew."""

    def shown(axis: str) -> str:
        ended = endings(found, axis)
        lines = [table(found, axis), "", slopes(found, axis)]
        return "\n".join([*lines, *[""] * bool(ended), *ended])

    return with_tables(text, shown)


def page(found: list[dict[str, Any]]) -> None:
    """Put tables and picture into the page."""
    PICTURE.write_text(draw(found))
    PAGE.write_text(made(PAGE.read_text(encoding="utf-8"), found), encoding="utf-8")


def _row(found, axis: str, size: int, model: str) -> dict[str, Any]:
    wanted = {"axis": axis, "size": size, "model": model}
    return next((row for row in found if wanted.items() <= row.items()), {})


def _cell(row: dict[str, Any], figure: str) -> str:
    value = row.get(figure)
    if value is None:
        return "–"
    return f"{value:,.0f}" if value >= 10 else f"{value:.2f}"


def main(words: list[str]) -> None:
    """Measure, or write the page, or be one of the processes that fit."""
    match words:
        case ["fit", model, *given]:
            fit(model, *map(int, given))
        case ["page"]:
            page(json.loads(OUT.read_text()))
        case _:
            measure(words or list(AXES))


if __name__ == "__main__":
    main(sys.argv[1:])
