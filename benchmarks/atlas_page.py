"""The tables of docs/atlas.md and one of docs/choosing.md, made of docs/atlas.parquet.

python benchmarks/atlas.py page
"""

from collections import Counter
from collections.abc import Callable
from pathlib import Path

import numpy as np
import polars as pl
from atlas import LOSSES, known_rows
from atlas_cost import CORES, SETS, cost
from atlas_figure import write_figure
from atlas_problems import MODELS
from atlas_settings import Regrets, bold_least, by_setting, measured
from sections import between
from sklearn.tree import DecisionTreeRegressor, export_text

DOCS = Path(__file__).parents[1] / "docs"
PAGE, CHOOSING = DOCS / "atlas.md", DOCS / "choosing.md"
CHOSEN = ("<!-- atlas: benchmarks/atlas.py page -->", "<!-- end of the atlas -->")
MARKERS = ("<!-- results: benchmarks/atlas.py page -->", "<!-- end of results -->")
SCORE = {"classes": "rps", "numbers": "crps"}
TITLES = {"classes": "Ordered classes, RPS", "numbers": "Numbers in bins, CRPS"}
PROBLEM = ["set", "kind", "rows", "bins", "noise", "edge_noise", "model"]
FEATURES = (
    "rows",
    "bins",
    "rows per bin",
    "columns",
    "imbalance",
    "skewness",
    "distinct",
    "is boosting",
    "is perceptron",
)
DRAWS = 1_000


def regrets(rows: pl.DataFrame, kind: str) -> Regrets:
    """How much worse each loss is than the best of its problem, in percent."""
    some = rows.filter(pl.col("kind") == kind)
    wide = some.pivot(
        on="loss", index=PROBLEM, values=SCORE[kind], aggregate_function="first"
    )
    losses = [loss for loss in LOSSES[kind] if loss in wide.columns]
    best = pl.min_horizontal(losses)
    known = ("columns", "imbalance", "skewness", "distinct")
    features = some.group_by(PROBLEM, maintain_order=True).first()
    return wide.with_columns(
        [(100 * (pl.col(loss) / best - 1)).alias(loss) for loss in losses]
    ).join(
        features.select(
            *PROBLEM,
            *known,
            (pl.col("rows") / pl.col("bins")).alias("rows per bin"),
            (pl.col("model") == "boosting").cast(float).alias("is boosting"),
            (pl.col("model") == "perceptron").cast(float).alias("is perceptron"),
        ),
        on=PROBLEM,
        maintain_order="left",
    )


def shared(found: Regrets, kind: str) -> list[str]:
    """The losses that every model of the atlas has learned by."""
    return [
        loss
        for loss in LOSSES[kind]
        if loss in found.columns and found[loss].null_count() == 0
    ]


def by_model(found: Regrets, kind: str) -> list[str]:
    """Mean regret of each loss by model, the least in bold."""
    models = [m for m in MODELS if m in found["model"]]
    heads = [f"{m} ({found.filter(pl.col('model') == m).height})" for m in models]
    lines = [f"| loss | {' | '.join(heads)} |", "|---" * (len(models) + 1) + "|"]
    means = {
        loss: [found.filter(pl.col("model") == m)[loss].mean() for m in models]
        for loss in LOSSES[kind]
        if loss in found.columns
    }
    least = [
        min(row[place] for row in means.values() if row[place] is not None)
        for place in range(len(models))
    ]
    for loss, row in means.items():
        cells = [
            bold_least(value, best) for value, best in zip(row, least, strict=True)
        ]
        lines.append(f"| {loss} | {' | '.join(cells)} |")
    return lines


def chosen_by_trees(found: Regrets, losses: list[str]) -> np.ndarray:
    """Regret of the loss that a shallow tree chooses, which has not seen the set."""
    X, costs = found.select(FEATURES).to_numpy(), found.select(losses).to_numpy()
    sets = found["set"].to_numpy()
    regret = np.empty(len(costs))
    for name in np.unique(sets):
        away = sets == name
        chosen = tree().fit(X[~away], costs[~away]).predict(X[away]).argmin(1)
        regret[away] = costs[away][np.arange(away.sum()), chosen]
    return regret


def tree() -> DecisionTreeRegressor:
    """A tree of at most four leaves, which predicts the regret of every loss."""
    return DecisionTreeRegressor(max_depth=2, min_samples_leaf=0.1, random_state=0)


def policies(found: Regrets, kind: str) -> list[str]:
    """Mean regret of rules, with intervals over sets drawn anew, whole."""
    losses = shared(found, kind)
    rules = {f"always {loss}": found[loss].to_numpy() for loss in losses}
    rules["the tree, left-out sets"] = chosen_by_trees(found, losses)
    rules["a loss drawn at random"] = found.select(losses).to_numpy().mean(1)
    n_sets = found["set"].n_unique()
    lines = [
        f"| rule ({found.height} problems of {n_sets} sets) | mean regret | "
        "95 % interval | within 1 % of the best |",
        "|---|---|---|---|",
    ]
    for name, regret in rules.items():
        low, high = interval(regret, found["set"].to_numpy())
        near = (regret <= 1).mean()
        lines.append(
            f"| {name} | {regret.mean():.2f} % | {low:.2f} to {high:.2f} | {near:.0%} |"
        )
    return lines


def advice(rows: pl.DataFrame) -> list[str]:
    """For each target and model: the loss that other sets advise, beside ce."""
    lines = [
        "| target, model | the loss that is best on all others, for how many sets "
        "| its mean regret | of `ce` | `ce` is worse by, 95 % interval |",
        "|---|---|---|---|---|",
    ]
    for kind, model in [(kind, model) for kind in LOSSES for model in MODELS]:
        found = regrets(rows.filter(pl.col("model") == model), kind)
        if found["set"].n_unique() < 2:
            continue
        sets, costs = found["set"].to_numpy(), found.select(shared(found, kind))
        names, regret = advised(costs, sets)
        of_ce = costs["ce"].to_numpy()
        low, high = interval(of_ce - regret, sets)
        told = ", ".join(f"`{name}` ({n})" for name, n in names.most_common())
        off = f"{(of_ce - regret).mean():.1f} % ({low:.1f} to {high:.1f})"
        means = f"{regret.mean():.1f} % | {of_ce.mean():.1f} %"
        lines.append(f"| {kind}, {model} | {told} | {means} | {off} |")
    return lines


def advised(costs: pl.DataFrame, sets: np.ndarray) -> tuple[Counter, np.ndarray]:
    """How often each loss was best on the other sets, and what this cost on each."""
    names, regret = Counter(), np.empty(len(sets))
    for name in np.unique(sets):
        away = sets == name
        elsewhere = costs.filter(~away).mean().row(0)
        best = costs.columns[int(np.argmin(elsewhere))]
        names[best] += 1
        regret[away] = costs.filter(away)[best].to_numpy()
    return names, regret


def interval(values: np.ndarray, sets: np.ndarray) -> tuple[float, float]:
    """Of the mean, by a bootstrap over whole sets."""
    rng = np.random.default_rng(0)
    parts = [values[sets == name] for name in np.unique(sets)]
    means = [
        np.concatenate([parts[i] for i in rng.integers(len(parts), size=len(parts))])
        for _ in range(DRAWS)
    ]
    low, high = np.quantile([part.mean() for part in means], (0.025, 0.975))
    return float(low), float(high)


def drawn_tree(found: Regrets, kind: str) -> str:
    """The tree of all sets, each leaf with the loss that it names."""
    losses = shared(found, kind)
    costs = found.select(losses).to_numpy()
    grown = tree().fit(found.select(FEATURES).to_numpy(), costs)
    text = export_text(grown, feature_names=list(FEATURES), decimals=1)
    leaves = grown.tree_.value[:, :, 0]
    ends = iter(np.flatnonzero(grown.tree_.children_left == -1))
    lines = []
    for line in text.splitlines():
        if "value:" in line:
            leaf = leaves[next(ends)]
            mean, name = leaf.min(), losses[leaf.argmin()]
            line = f"{line.partition('value:')[0]}{name} (mean regret {mean:.2f} %)"
        lines.append(line)
    return "\n".join(lines)


def covered(rows: pl.DataFrame) -> list[str]:
    """How often nominal 90 % intervals held, by model and loss."""
    every = dict.fromkeys(loss for losses in LOSSES.values() for loss in losses)
    lines = [
        f"| 90 % intervals | {' | '.join(every)} |",
        "|---" * (len(every) + 1) + "|",
    ]
    for kind in LOSSES:
        for model in MODELS:
            part = rows.filter(pl.col("kind") == kind, pl.col("model") == model)
            if not part.height:
                continue
            cells = [
                part.filter(pl.col("loss") == loss)["coverage"].mean() for loss in every
            ]
            texts = ["–" if cell is None else f"{cell:.3f}" for cell in cells]
            lines.append(f"| {kind}, {model} | {' | '.join(texts)} |")
    return lines


def parts(rows: pl.DataFrame) -> list[str]:
    """All tables of the page."""
    n_fits = int(rows["draws"].sum())
    seconds = float((rows["cpu_seconds"] * rows["draws"]).sum())
    lines = [
        "## Results",
        "",
        f"{rows.select(PROBLEM).n_unique()} problems (set, rows, bins, noise, edge "
        f"noise, model), {rows.height} pairs of a problem and a loss, {n_fits} fits, "
        f"{seconds:.0f} CPU seconds of fits on one thread.",
        "",
    ]
    by_kind: tuple[Callable[[Regrets, str], list[str]], ...] = (
        by_model,
        by_setting,
        policies,
    )
    lines += ["### What has been measured", "", *measured(rows), ""]
    for kind, title in TITLES.items():
        found = regrets(rows, kind)
        if not found.height:
            continue
        lines += [f"### {title}: regret in percent", ""]
        for each in by_kind:
            lines += [*each(found, kind), ""]
        lines += ["```text", drawn_tree(found, kind), "```", ""]
    lines += ["### Coverage", "", *covered(rows), ""]
    title = f"### What {SETS:,} sets would take on {CORES} cores"
    return [*lines, title, "", *cost(rows)]


def made(page: str) -> str:
    """The page with its tables made anew, between the markers."""
    rows = known_rows()
    lines = [] if rows is None else parts(rows)
    return between(page, *MARKERS, "\n" + "\n".join(lines) + "\n")


def write_page() -> None:
    """Write the tables into both pages, and the figure beside them."""
    PAGE.write_text(made(PAGE.read_text()))
    if (rows := known_rows()) is not None:
        text = "\n" + "\n".join(advice(rows)) + "\n"
        CHOOSING.write_text(between(CHOOSING.read_text(), *CHOSEN, text))
        write_figure(rows)
