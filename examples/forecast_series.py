"""Hourly temperatures, 24 hours ahead: a histogram where Student's t stood.

    python examples/forecast_series.py

The series is a year of hourly temperatures in Seattle from the package vega_datasets.
GluonTS's feed-forward network is trained on the first nine months, and forecasts each
day of the last three from the three days before. Its outputs: Student's t, nine
quantiles, and bins under the log density and under the CRPS: around a location that the
network gives, and fixed ones.

Needs gluonts[torch] and vega_datasets.
"""

import argparse
import logging
import tempfile
import warnings

import lightning.pytorch
import numpy as np
import pandas as pd
from gluonts.dataset.common import ListDataset
from gluonts.torch import SimpleFeedForwardEstimator
from gluonts.torch.distributions import QuantileOutput, StudentTOutput
from vega_datasets import data

from offby.integrations.gluonts import BinnedOutput

HOURS, SEEN = 24, 72
# %% The outputs
LEVELS = [0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9]
OUTPUTS = {
    "Student's t": StudentTOutput,
    "9 quantiles": lambda: QuantileOutput(LEVELS),
    "bins, log density": lambda: BinnedOutput(criterion="nll"),
    "bins, CRPS": lambda: BinnedOutput(criterion="crps"),
    "fixed bins, CRPS": lambda: BinnedOutput(location_scale=False),
}


# %% Training and forecasting
def main(
    seeds: int = 3,
    epochs: int = 20,
    batches: int = 50,
    days: int = 90,
    first_seed: int = 0,
) -> dict[str, list[dict[str, float]]]:
    """Prints the means over the seeds, and gives all scores."""
    logging.getLogger("lightning.pytorch").setLevel(logging.ERROR)
    warnings.simplefilter("ignore")  # of Lightning, about data loaders
    temperature = data.seattle_temps().temp.to_numpy(dtype=np.float32)
    start = pd.Period("2010-01-01", freq="h")
    cut = len(temperature) - days * HOURS
    train = ListDataset([{"start": start, "target": temperature[:cut]}], freq="h")
    seen = [temperature[: cut + HOURS * day] for day in range(days)]
    truth = temperature[cut : cut + HOURS * days].reshape(days, HOURS)
    asked = ListDataset([{"start": start, "target": each} for each in seen], freq="h")
    found: dict[str, list[dict[str, float]]] = {name: [] for name in OUTPUTS}
    folder = tempfile.mkdtemp()
    for seed in range(first_seed, first_seed + seeds):
        for name, output in OUTPUTS.items():
            lightning.pytorch.seed_everything(seed, verbose=False)
            estimator = SimpleFeedForwardEstimator(
                prediction_length=HOURS,
                context_length=SEEN,
                distr_output=output(),
                num_batches_per_epoch=batches,
                trainer_kwargs={
                    "max_epochs": epochs,
                    "accelerator": "cpu",
                    "logger": False,
                    "enable_progress_bar": False,
                    "enable_model_summary": False,
                    "default_root_dir": folder,  # of its checkpoints
                },
            )
            forecasts = list(estimator.train(train).predict(asked))
            q = np.stack([[f.quantile(a) for a in LEVELS] for f in forecasts])
            levels = np.array(LEVELS)[:, None]
            short = truth[:, None] - q
            pinball = np.maximum(levels * short, (levels - 1) * short)
            inside = (q[:, 0] <= truth) & (truth <= q[:, -1])
            scores = {
                "quantile loss": float(2 * pinball.mean()),
                "median error": float(np.abs(short[:, 4]).mean()),
                "in 80 %": 100 * float(inside.mean()),
            }
            found[name].append(scores)
    columns = list(found["bins, CRPS"][0])
    print(f"{'output':18s}" + "".join(f"{name:>15s}" for name in columns))
    for name, runs in found.items():
        means = [sum(run[column] for run in runs) / len(runs) for column in columns]
        print(f"{name:18s}" + "".join(f"{value:15.3f}" for value in means))
    return found


# %% Run it
if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--epochs", type=int, default=20)
    main(**vars(parser.parse_args()))
