"""Tables of docs/atlas.md: what was measured, and regret by rows, bins and noise."""

import polars as pl
from atlas import LOSSES
from atlas_problems import BEYOND, MODELS, sized

Regrets = pl.DataFrame
"""A row for each problem: its keys, its features, and the regret of each loss in %."""
VARIED = ("kind", "rows", "bins", "noise", "edge_noise")
CLASSES = pl.col("kind") == "classes"
CLEAN = (pl.col("noise") == 0) & (pl.col("edge_noise") == 0)
BLOCKS = {
    "rows": CLEAN & (CLASSES | (pl.col("bins") == 50)),
    "noise": (pl.col("rows") <= 500)
    & (pl.col("edge_noise") == 0)
    & (CLASSES | pl.col("bins").is_in([10, 50])),
    "edge_noise": ~CLASSES
    & (pl.col("rows") == 500)
    & (pl.col("bins") == 10)
    & (pl.col("noise") == 0),
    "bins": ~CLASSES & CLEAN & (pl.col("rows") == 500),
}
"""What is compared, and the problems that differ in nothing else."""


def by_setting(found: Regrets, kind: str) -> list[str]:
    """Mean regret under each model by rows, bins and noise, all else being the same."""
    tables = [
        _of_model(found.filter(pl.col("model") == model), model, kind)
        for model in MODELS
        if model in found["model"]
    ]
    return [line for table in tables for line in (*table, "")][:-1]


def _of_model(some: Regrets, model: str, kind: str) -> list[str]:
    losses = [
        loss
        for loss in LOSSES[kind]
        if loss in some.columns and some[loss].null_count() == 0
    ]
    lines = [f"| {model} | {' | '.join(losses)} |", "|---" * (len(losses) + 1) + "|"]
    some = sized(some)
    for name, chosen in BLOCKS.items():
        block = some.filter(chosen)
        if name != "bins":  # of which few sets have all
            block = _of_every_level(block, name)
        levels = sorted(block[name].unique())
        for value in levels if len(levels) > 1 else []:
            part = block.filter(pl.col(name) == value)
            row = [part[loss].mean() for loss in losses]
            cells = " | ".join(bold_least(mean, min(row)) for mean in row)
            said = (
                "all rows" if value == BEYOND else f"{name.replace('_', ' ')} {value:g}"
            )
            lines.append(f"| {said} ({part.height}) | {cells} |")
    return lines


def _of_every_level(block: Regrets, name: str) -> Regrets:
    """Problems of the sets that have them with every value of what is compared."""
    most = block.group_by("set").agg(pl.col(name).n_unique())
    every = most.filter(pl.col(name) == block[name].n_unique())["set"]
    return block.filter(pl.col("set").is_in(every.to_list()))


def measured(rows: pl.DataFrame) -> list[str]:
    """Which problems have been measured: on how many sets, with which models."""
    heads = "| target | rows | bins | noise | edge noise | draws | sets |"
    one = pl.when(CLASSES).then(pl.lit(0)).otherwise("bins")
    some = sized(rows).with_columns(one.alias("bins"))
    lines = []
    for key, part in some.sort(*VARIED).group_by(*VARIED, maintain_order=True):
        kind, n_rows, bins, noise, edge_noise = key
        by_model = part.group_by("model").agg(pl.col("set").n_unique())
        counts = dict(by_model.iter_rows())
        n_sets = {counts.get(model, 0) for model in MODELS}
        told = ", ".join(f"{model} {counts.get(model, 0)}" for model in MODELS)
        cells = (
            kind,
            "all" if n_rows == BEYOND else f"{n_rows:,}",
            f"{bins or 'its classes'}",
            f"{noise:g}",
            f"{edge_noise:g}",
            f"{part['draws'].max()}",
            told if len(n_sets) > 1 else f"{n_sets.pop()}",
        )
        lines.append(f"| {' | '.join(cells)} |")
    return [heads, "|---" * 7 + "|", *lines]


def bold_least(value: float | None, least: float) -> str:
    """A number for a table; a dash for none."""
    if value is None:
        return "–"
    return f"**{value:.2f}**" if value == least else f"{value:.2f}"
