"""The interactive figure of the atlas, docs/atlas-figure.html, which needs no network.

python benchmarks/atlas.py page
"""

import html
import json
from collections.abc import Sequence
from pathlib import Path

import altair as alt
import polars as pl
import vl_convert
from atlas import LOSSES
from atlas_problems import BEYOND, KINDS, MODELS, sized

PAGE = Path(__file__).parents[1] / "docs" / "atlas-figure.html"
PROBLEM = ["set", "kind", "rows", "bins", "noise", "edge_noise", "model"]
WORST = 20
"""Values from here on look alike."""
STEP = 52
"""Pixels of a loss, so that a telephone shows all."""
BELOW = alt.Legend(orient="bottom", direction="horizontal")
SCORE = pl.coalesce("crps", "rps")
MEASURES = {
    "score": ("RPS or CRPS: % above the best loss", 100 * (SCORE / SCORE.min() - 1)),
    "mae": (
        "absolute error of the median: % above the best loss",
        100 * (pl.col("mae") / pl.col("mae").min() - 1),
    ),
    "log": (
        "log score: hundredths of a nat above the best loss",
        100 * (pl.col("log_score") - pl.col("log_score").min()),
    ),
    "coverage": (
        "90 % intervals: points of coverage away from 90 %",
        100 * (pl.col("coverage") - 0.9).abs(),
    ),
}
"""Of each measure its name, and how far a loss is from the best of its problem."""
TITLE = "Which loss, where: the atlas"
INTRODUCTION = (
    "Each cell is a data set and a loss: how much worse the loss is there than the "
    "best of all losses that the same model learned by, on the same rows. The bars are "
    "means over the sets. Choose the kind of target, the model and what is measured; "
    '"any" takes the mean over the problems of a set. Point at a cell for its number.'
)
STYLE = """
body{font:16px/1.5 system-ui,sans-serif;margin:1rem auto;max-width:60rem;padding:0 1rem;
color:#1b1f24;background:#fff}
h1{font-size:1.4rem}
.vega-bindings{display:grid;gap:.4rem;margin:1rem 0}
.vega-bind label{display:flex;flex-wrap:wrap;gap:.5rem;align-items:center}
.vega-bind-name{min-width:10rem}
select{font:inherit;max-width:calc(100vw - 3rem)}
#figure{overflow-x:auto;width:100%}
#figure .chart-wrapper{display:flex;flex-direction:column-reverse;align-items:start}
"""


def values(rows: pl.DataFrame) -> list[dict]:
    """A row for each problem and loss: by each measure how far from the best it is."""
    made = [
        found.over(PROBLEM).round(2).alias(key) for key, (_, found) in MEASURES.items()
    ]
    return sized(rows.select(*PROBLEM, "loss", *made)).to_dicts()


def chart(rows: pl.DataFrame) -> alt.VConcatChart:
    """Means over the sets, and a cell for each set and loss."""
    choices = [
        _choice("kind", "target", KINDS),
        _choice("model", "model", MODELS),
        _choice("rows", "rows to learn from", every(rows, "rows")),
        _choice("bins", "bins or classes", every(rows, "bins")),
        _choice("noise", "noise of the labels", every(rows, "noise")),
        _choice("edge_noise", "noise at the edges", every(rows, "edge_noise")),
        alt.param(
            name="measure",
            value="score",
            bind=alt.binding_select(
                options=list(MEASURES),
                labels=[name for name, _ in MEASURES.values()],
                name="measured: ",
            ),
        ),
    ]

    base = (
        alt.Chart(alt.Data(values=values(rows)))
        .transform_calculate(off="datum[measure]")
        .transform_filter(
            "datum.kind == kind && datum.model == model && isValid(datum.off)"
            " && (rows == null || datum.rows == rows)"
            " && (bins == null || datum.bins == bins)"
            " && (noise == null || datum.noise == noise)"
            " && (edge_noise == null || datum.edge_noise == edge_noise)"
        )
    )
    order = list(dict.fromkeys(loss for losses in LOSSES.values() for loss in losses))
    x = alt.X("loss:N", sort=order, title=None)
    x = x.axis(labelAngle=0, orient="top")
    # A loss that is far off must not hide how the others differ.
    y = alt.Y("mean(off):Q", title="mean").scale(domain=[0, WORST], clamp=True)
    bars = base.encode(x=x, y=y).mark_bar(color="#9dc3e6")
    bars = bars.properties(width=alt.Step(STEP), height=110)
    numbers = base.mark_text(fontWeight="bold").encode(
        x=x, y=alt.value(10), text=alt.Text("mean(off):Q", format=".1f")
    )
    color = alt.Color("mean(off):Q", title="worse by", legend=BELOW).scale(
        scheme="yelloworangebrown", domain=[0, WORST], clamp=True
    )
    cells = base.encode(x=x.axis(None), y=alt.Y("set:N", title=None))
    tiles = cells.mark_rect().encode(
        color=color,
        tooltip=[
            alt.Tooltip("set:N"),
            alt.Tooltip("loss:N"),
            alt.Tooltip("mean(off):Q", format=".2f", title="worse by"),
            alt.Tooltip("count():Q", title="problems"),
        ],
    )
    # Dark tiles need light numbers.
    words = cells.mark_text().encode(
        text=alt.Text("mean(off):Q", format=".1f"),
        color=alt.condition(
            f"datum.mean_off > {0.6 * WORST}", alt.value("white"), alt.value("black")
        ),
    )
    map_ = (tiles + words).properties(width=alt.Step(STEP), height=alt.Step(24))
    return alt.vconcat(bars + numbers, map_).add_params(*choices)


def every(rows: pl.DataFrame, column: str) -> list:
    """The values of a column; None, first, is for a mean over all of them."""
    return [None, *sized(rows)[column].unique().sort()]


def _choice(column: str, name: str, options: Sequence) -> alt.Parameter:
    """A list to choose from; it begins with the first."""
    names = {None: "any", BEYOND: "all there are"}
    labels = [names.get(option, f"{option}") for option in options]
    bound = alt.binding_select(options=list(options), labels=labels, name=f"{name}: ")
    return alt.param(name=column, value=options[0], bind=bound)


def render(rows: pl.DataFrame) -> str:
    """The whole page."""
    spec = chart(rows).configure(background="white", font="system-ui").to_dict()
    actions = {"export": True, "source": False, "compiled": False, "editor": False}
    draw = f"vegaEmbed('#figure', window.SPEC, {json.dumps({'actions': actions})});"
    # Within a script, "</" must not end it.
    text = json.dumps(spec, separators=(",", ":")).replace("</", "<\\/")
    script = vl_convert.javascript_bundle(draw).replace("</script", "<\\/script")
    return (
        '<!doctype html><html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>{TITLE}</title><style>{STYLE}</style></head><body><main>"
        f"<h1>{TITLE}</h1><p>{html.escape(INTRODUCTION)}</p>"
        '<div id="figure"></div></main>'
        f"<script>window.SPEC={text}</script><script>{script}</script>"
        "</body></html>\n"
    )


def write_figure(rows: pl.DataFrame) -> None:
    """Write the page."""
    PAGE.write_text(render(rows), encoding="utf-8")
