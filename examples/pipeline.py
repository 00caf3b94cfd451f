"""A forecast in a scikit-learn pipeline: searched, calibrated, explained, saved.

    python examples/pipeline.py

Wine with 11 measurements, and its quality from 3 to 8; and one of the measurements,
the alcohol, forecast from the others. What it prints:

1. which loss a search by the RPS prefers, in a pipeline with a scaler;
2. whether a temperature on held-out rows makes the probabilities better;
3. which columns matter for the whole forecast (permutation importance by the CRPS);
4. how the median and the width of the 90 % interval depend on one column (partial
   dependence);
5. that the saved model forecasts as before.
"""

import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from sklearn.inspection import partial_dependence, permutation_importance
from sklearn.model_selection import GridSearchCV, train_test_split
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import StandardScaler

import offby
from offby import BinnedRegressor, OrdinalClassifier, tables
from offby.metrics import scorers


# %% Two estimators that answer other questions
class Median(BinnedRegressor):
    """Predicts the median: what partial dependence then shows."""

    def predict(self, X) -> np.ndarray:
        return self.predict_dist(X).median()


class Width(BinnedRegressor):
    """Predicts the width of the 90 % interval: how unsure the forecast is."""

    def predict(self, X) -> np.ndarray:
        low, high = self.predict_dist(X).interval(0.9)
        return high - low


# %% The pipeline
def main(rows: int | None = None, **settings: Any) -> None:
    wine = pd.DataFrame(tables.read("wine-red").to_dict(as_series=False))
    wine = wine.head(rows or len(wine))
    settings = {"n_bags": 1, "random_state": 0, **settings}
    X, y = wine.drop(columns="quality"), wine["quality"]
    train, test = train_test_split(np.arange(len(wine)), random_state=0)

    pipeline = Pipeline(
        [("scale", StandardScaler()), ("model", OrdinalClassifier(**settings))]
    ).set_output(transform="pandas")
    search = GridSearchCV(
        pipeline,
        {"model__loss": ["ce", "ce+emd2", offby.nn.SquaredEMDLoss()]},
        scoring=scorers["neg_rps"],
        cv=3,
    ).fit(X.iloc[train], y.iloc[train])
    for loss, score in zip(
        search.cv_results_["param_model__loss"],
        search.cv_results_["mean_test_score"],
        strict=True,
    ):
        print(f"RPS in the search {-score:.4f}  loss {loss}")

    for calibration in (None, "temperature"):
        model = search.best_estimator_.set_params(model__calibration=calibration)
        model.fit(X.iloc[train], y.iloc[train])
        score = -scorers["neg_log_score"](model, X.iloc[test], y.iloc[test])
        print(f"log score on new rows {score:.4f}  calibration {calibration}")

    columns = X.drop(columns="alcohol")
    alcohol = wine["alcohol"]
    median: Any = Median(**settings).fit(columns.iloc[train], alcohol.iloc[train])
    matter = permutation_importance(
        median,
        columns.iloc[test],
        alcohol.iloc[test],
        scoring=scorers["neg_crps"],
        n_repeats=3,
        random_state=0,
    )
    for place in np.argsort(-matter.importances_mean)[:3]:
        gain = matter.importances_mean[place]
        print(f"CRPS without {columns.columns[place]}: {gain:+.3f}")

    # The same fitted network, asked for another number.
    width: Any = Width(**settings)
    vars(width).update(vars(median))
    most = columns.columns[np.argmax(matter.importances_mean)]
    for name, model in (("median", median), ("width of 90 %", width)):
        shown = partial_dependence(
            model, columns.iloc[test], [most], grid_resolution=5, kind="average"
        )
        values = ", ".join(
            f"{x:.4g}: {v:.2f}"
            for x, v in zip(shown["grid_values"][0], shown["average"][0], strict=True)
        )
        print(f"{name} of alcohol by {most}: {values}")

    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "quality.offby"
        final = search.best_estimator_
        final["model"].save(path)
        scaled = final[:-1].transform(X.iloc[test])
        same = offby.load(path).predict_proba(scaled) == final.predict_proba(
            X.iloc[test]
        )
        print(f"the saved model forecasts as before: {bool(same.all())}")


# %% Run it
if __name__ == "__main__":
    main()
