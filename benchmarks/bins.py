"""A picture of docs/choosing.md: CRPS against the number of bins, on one data set.

    python benchmarks/bins.py concrete.csv.gz compressive_strength docs/bins

writes docs/bins.svg and docs/bins.json. Takes about 5 minutes on two cores.
"""

import json
import sys
from pathlib import Path
from typing import Literal

import altair as alt
import polars as pl
import vl_convert

from offby.comparison import compare

RUNS: tuple[tuple[str, Literal["own", "score"], str], ...] = (
    ("ce", "own", "ce"),
    ("ce", "score", "ce, stopped on CRPS"),
    ("emd2", "own", "emd2"),
    ("ce+emd2", "own", "ce+emd2"),
)


def main(data: str, target: str, out: str) -> None:
    """Measure, then draw."""
    frame = pl.read_csv(data)
    X, y = frame.drop(target), frame[target].to_numpy()
    points = []
    for bins in (10, 30, 100, 300):
        for loss, stop_on, label in RUNS:
            found = compare(
                X,
                y,
                kind="number",
                losses=[loss],
                bins=bins,
                strategy="quantile",
                bounds=None,
                seeds=1,
                stop_on=stop_on,
                network="perceptron",
                references=False,
            )
            crps = found.mean(loss, "crps")
            points.append({"bins": bins, "loss": label, "CRPS": crps})
            print(f"{label:22s} {bins:4d} bins   CRPS {crps:.3f}", flush=True)
    Path(out + ".json").write_text(json.dumps(points, indent=1) + "\n")
    Path(out + ".svg").write_text(draw(points))


def draw(points: list[dict]) -> str:
    """The picture as SVG."""
    labels = [label for _, _, label in RUNS]
    chart = (
        alt.Chart(alt.Data(values=points), width=480, height=260)
        .mark_line(point=True)
        .encode(
            x=alt.X("bins:Q", scale=alt.Scale(type="log"), title="number of bins").axis(
                values=[10, 30, 100, 300]
            ),
            y=alt.Y("CRPS:Q", title="CRPS on held-out rows (lower is better)").scale(
                zero=True
            ),
            color=alt.Color("loss:N", sort=labels, title="trained with").scale(
                domain=labels, range=["#d55e00", "#e69f00", "#0072b2", "#009e73"]
            ),
            strokeDash=alt.StrokeDash("loss:N", sort=labels).scale(
                domain=labels, range=[[1, 0], [6, 3], [2, 2], [8, 2, 2, 2]]
            ),
        )
        .configure(background="white")
    )
    return vl_convert.vegalite_to_svg(chart.to_dict())


if __name__ == "__main__":
    main(*sys.argv[1:4])
