"""The options of `offby compare`, by subject; each group is one decorator."""

from collections.abc import Callable
from functools import reduce
from pathlib import Path
from typing import Any, get_args

import click

from offby.bins.names import DEFAULT_STRATEGY, Bounds, Strategy
from offby.bins.support import checked_bounds
from offby.comparison.config import CompareConfig, Network, StopOn, TransformChoice
from offby.models.kinds import MODELS

Decorator = Callable[[Any], Any]


def _together(*options: Decorator) -> Decorator:
    """Several options as one decorator, shown by --help in this order."""
    return lambda command: reduce(lambda f, add: add(f), reversed(options), command)


def _not_zero(
    ctx: click.Context, param: click.Parameter, value: int | None
) -> int | None:
    if value == 0:
        raise click.BadParameter("must not be 0; give a number of fits, or -1.")
    return value


def _models(ctx: click.Context, param: click.Parameter, value: str) -> Any:
    """The names of the models, or "auto"."""
    names = [name.strip() for name in value.split(",") if name.strip()]
    return "auto" if names == ["auto"] else names


def _bounds(ctx: click.Context, param: click.Parameter, value: str) -> Bounds:
    """The bounds of a number: a pair, "auto", or None for none."""
    words = [word.strip().lower() for word in value.split(",")]
    if words == ["auto"]:
        return "auto"
    if words == ["none"]:
        return None
    try:
        low, high = (None if word in ("", "none") else float(word) for word in words)
        return checked_bounds((low, high))
    except ValueError as error:
        raise click.BadParameter(
            "must be two numbers in increasing order with a comma between them, as "
            f"0,100, where none is no bound, as 0,none; or auto; or none; got {value}."
        ) from error


def _one_size(ctx: click.Context, param: click.Parameter, value: bool) -> bool:
    """Refuse --quick together with --full: neither is what the other asks for."""
    if value and ctx.meta.setdefault("offby.size", param.name) != param.name:
        raise click.UsageError("--quick and --full exclude each other; give one.")
    return value


_transform_option = click.option(
    "--transform",
    type=click.Choice(get_args(TransformChoice)),
    default=CompareConfig.transform,
    show_default=True,
    help="Scale on which a number is cut into bins and distances are measured: log for "
    "positive numbers whose ratios matter, quantile for very skewed ones; auto chooses "
    "one for a skewed target, on held-out training rows.",
)

output_options = _together(
    click.option(
        "-o",
        "--out",
        type=click.Path(path_type=Path),
        help="Report to write.  [default: DATA-TARGET.html]",
    ),
    click.option(
        "--json",
        "json_out",
        metavar="PATH|-",
        help="JSON file with all numbers of the report; - prints it, and nothing "
        "else, on stdout.  [default: the report's name with .json]",
    ),
    click.option(
        "--overwrite",
        is_flag=True,
        help="Replace files of other data that have these names.",
    ),
    click.option(
        "--predictions",
        type=click.Path(path_type=Path),
        help="Write every held-out prediction to this csv or parquet file.",
    ),
    click.option(
        "--save",
        type=click.Path(path_type=Path),
        help="Train the best model on all rows and write the model to this file, as "
        "wine.offby, for offby predict.",
    ),
    click.option(
        "--test",
        metavar="FILE",
        help="A table of other rows with the target: the best model, trained on all "
        "rows of DATA, is scored on it once, at the end.",
    ),
    click.option("-q", "--quiet", is_flag=True, help="Show no progress and no table."),
    click.option(
        "--open/--no-open", "open_report", default=False, help="Show the report."
    ),
)

bounds_option = click.option(
    "--bounds",
    default=CompareConfig.bounds,
    show_default=True,
    metavar="LOW,HIGH|none|auto",
    callback=_bounds,
    help="Numbers beyond which no mass lies, as 0,100 or 0,none; auto finds 0 for "
    "numbers that are never negative, and 1 or 100 for shares.",
)

target_options = _together(
    click.option(
        "--bins",
        type=click.IntRange(min=2),
        help="Treat the target as a number, cut into this many bins.  "
        f"[default: {CompareConfig.bins}]",
    ),
    click.option(
        "--strategy",
        type=click.Choice(get_args(Strategy)),
        default=CompareConfig.strategy,
        show_default=True,
        help="Bins around the means of nearby numbers, with equal numbers of rows, "
        "halfway between these two, of equal width, or each wider by the same factor.",
    ),
    bounds_option,
    _transform_option,
)

reading_options = _together(
    click.option(
        "--missing",
        multiple=True,
        metavar="TEXT",
        help="Text that stands for a missing value, beside ?, NA, - and their like. "
        "May be given several times.",
    ),
    click.option("--separator", metavar="CHAR", help="What separates cells of a csv."),
    click.option(
        "--decimal",
        type=click.Choice([".", ","]),
        help="What stands before the decimals of a number.",
    ),
    click.option("--encoding", help="Text encoding, such as windows-1252."),
    click.option("--sheet", help="Sheet of a spreadsheet.  [default: the first]"),
    click.option("--table", "table_name", help="Table of a database file."),
    click.option(
        "--dates",
        type=click.Choice(["day-first", "month-first"]),
        help="How 03/04/2026 is read.",
    ),
)
"""How a file is written."""

text_options = _together(
    click.option(
        "--text",
        default="",
        metavar="COLUMNS",
        help="Columns that are text even if they look like numbers, as zip,code.",
    ),
)

row_options = _together(
    click.option("--drop", default="", help="Columns to leave out, as id,name."),
    click.option(
        "--groups",
        help="Column of groups: the rows of a group are never split between training "
        "and scoring.",
    ),
    click.option(
        "--time",
        "time_",
        help="Column of times: models learn from earlier rows and are scored on later "
        "ones.",
    ),
    click.option(
        "--unseen-groups",
        is_flag=True,
        help="With --time and --groups: score only groups that were not trained on.",
    ),
    click.option("--weights", help="Column with the weight of each row."),
    click.option(
        "--sample",
        type=click.IntRange(min=10),
        help="Use this many rows, chosen at random.",
    ),
)

order_options = _together(
    click.option(
        "--order", default="", help="Classes from lowest to highest, as low,mid,high."
    ),
    click.option(
        "--min-class",
        type=click.IntRange(min=1),
        help="A class with fewer rows is joined with its neighbor.  "
        f"[default: the number of folds, {CompareConfig.folds}]",
    ),
)

model_options = _together(
    click.option(
        "-o",
        "--out",
        type=click.Path(path_type=Path),
        help="Model file to write.  [default: DATA-TARGET.offby]",
    ),
    click.option(
        "--overwrite", is_flag=True, help="Replace a file that is no model of offby."
    ),
    click.option("-q", "--quiet", is_flag=True, help="Say nothing."),
    click.option(
        "--model",
        type=click.Choice(list(MODELS)),
        default="network",
        show_default=True,
        help="What is trained.",
    ),
    click.option(
        "--loss",
        default="ce+emd2",
        show_default=True,
        help="Loss by name, or a sum as ce+0.3*emd1; see offby losses.",
    ),
    _transform_option,
    click.option(
        "--bins",
        type=click.IntRange(min=2),
        help="Treat the target as a number, cut into this many bins.  "
        "[default: that of the model]",
    ),
    click.option(
        "--strategy",
        type=click.Choice(get_args(Strategy)),
        help="Bins around the means of nearby numbers, with equal numbers of rows, "
        "halfway between these two, of equal width, or each wider by the same factor.  "
        f"[default: {DEFAULT_STRATEGY}]",
    ),
    bounds_option,
    click.option(
        "--calibration",
        type=click.Choice(["temperature", "isotonic"]),
        help="Correct the probabilities on the validation rows.  [default: no]",
    ),
    click.option(
        "--max-time",
        type=click.FloatRange(min=0, min_open=True),
        help="Seconds after which no further epoch of training begins.",
    ),
    click.option(
        "--scores/--no-scores",
        default=True,
        show_default=True,
        help="Train a model on four fifths of the rows first, to score it on the "
        "others.",
    ),
    click.option(
        "--seed",
        type=click.IntRange(min=0),
        default=0,
        show_default=True,
        help="Seed of all random numbers.",
    ),
)

run_options = _together(
    click.option(
        "--losses",
        help="Losses by name, or sums as ce+0.3*emd1; your own as module:function.  "
        f"[default: {','.join(CompareConfig.losses)}; without emd1 on large tables]",
    ),
    click.option(
        "--metric",
        help="The metric that matters most, as rps, log_score or mae. It comes first.",
    ),
    click.option(
        "--quick",
        is_flag=True,
        callback=_one_size,
        help="A first look: 3 folds (2 for large tables), 1 seed, 2,000 rows and "
        "120 epochs at most, fewer references.",
    ),
    click.option(
        "--full",
        is_flag=True,
        callback=_one_size,
        help="The most reliable answer: 10 folds, 5 seeds and the study of noise.",
    ),
    click.option(
        "--folds",
        type=click.IntRange(min=2),
        help=f"Number of folds.  [default: {CompareConfig.folds}, fewer for large "
        "tables]",
    ),
    click.option(
        "--seeds",
        type=click.IntRange(min=1),
        help="Networks trained for each fold and loss, at most.  "
        f"[default: {CompareConfig.seeds}, fewer for large tables]",
    ),
    click.option(
        "--seed",
        type=click.IntRange(min=0),
        default=CompareConfig.seed,
        show_default=True,
        help="Seed of all random numbers.",
    ),
    click.option(
        "--models",
        default="auto",
        show_default=True,
        callback=_models,
        help="What learns by each loss, as network,boosting; auto is both if LightGBM "
        "is installed, else the network.",
    ),
    click.option(
        "--network",
        type=click.Choice(get_args(Network)),
        default=CompareConfig.network,
        show_default=True,
        help="What every loss trains: the network of the estimators, or a plain "
        "perceptron.",
    ),
    click.option(
        "--stop-on",
        type=click.Choice(get_args(StopOn)),
        default=CompareConfig.stop_on,
        show_default=True,
        help="Stop training early by the same score for every loss, or by each loss "
        "itself.",
    ),
    click.option(
        "--rope",
        type=click.FloatRange(min=0, max=1, max_open=True),
        default=CompareConfig.rope,
        show_default=True,
        help="Relative difference that is too small to matter; of log scores, the "
        "difference in nats.",
    ),
    click.option(
        "--all-fits",
        is_flag=True,
        help="Train every seed of every loss, also when the answer is settled.",
    ),
    click.option(
        "--time-budget",
        metavar="TIME",
        help="Begin no seed after the first, and no reference, that would not end in "
        "time: 90s, 2m, 1h. What --save and --test train is counted.",
    ),
    click.option(
        "--noise/--no-noise",
        default=None,
        help="Study what noise in bin edges, inputs and targets does.  "
        "It trains about as many networks again.  [default: only with --full]",
    ),
    click.option(
        "--target-noise",
        type=click.FloatRange(min=0),
        help="Standard deviation of the noise in the target, if you know it.",
    ),
)

machine_options = _together(
    click.option(
        "--run-dir",
        type=click.Path(path_type=Path),
        help="Keep finished fits in this folder, so that the same command continues "
        "from them.",
    ),
    click.option(
        "--dask", metavar="ADDRESS", help="Fit on a Dask cluster, as tcp://host:8786."
    ),
    click.option(
        "-j",
        "--jobs",
        type=int,
        callback=_not_zero,
        help="Fits made at the same time; -1 is one per core.  [default: -1, but 1 for "
        "small tables]",
    ),
)
