"""Comparisons and models in MLflow: docs/integrations.md.

The module is a flavor as MLflow knows them: `save_model`, `log_model`, `load_model`,
and `mlflow.pyfunc.load_model` reads what they wrote.
"""

import json
import re
import sys
import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from mlflow.artifacts import download_artifacts
from mlflow.models import Model
from mlflow.pyfunc import add_to_model
from mlflow.tracking import fluent

import offby
from offby import models
from offby.results import Comparison

__all__ = ["FLAVOR", "load_model", "log_comparison", "log_model", "save_model"]

FLAVOR = "offby"
"""Name of the flavor in the file `MLmodel`."""
_FILE, _COLUMNS = "model.offby", "columns.json"


def log_comparison(comparison: Comparison) -> None:
    """What a comparison found, in the active run of MLflow.

    Mean scores are metrics named "method/metric", infinite ones left out; the size of
    the comparison is in the parameters; the best model by each metric, and the answer
    in words, are tags. Artifacts are `comparison.json`, which `Comparison.from_json`
    reads, `leaderboard.csv`, and `report.html` with all pictures. The report needs
    the extra "compare"; without it a warning says so and the rest is logged.

    Args:
        comparison: What `offby.compare` found.
    """
    data, run = comparison.data, comparison.run
    fluent.log_params(
        {
            "offby.data": data.name,
            "offby.target": data.target,
            "offby.rows": data.n_rows,
            "offby.losses": ", ".join(comparison.losses),
            "offby.folds": run.folds,
            "offby.seeds": run.seeds,
            "offby.seed": run.seed,
            "offby.version": run.versions.get("offby", offby.__version__),
        }
    )
    fluent.log_metrics(
        {
            _name(f"{method.key}/{metric.key}"): mean
            for method in comparison.methods
            for metric in comparison.metrics
            if not comparison.infinite_rows(method.key, metric.key)
            and (mean := comparison.mean(method.key, metric.key)) is not None
        }
    )
    best = {
        _name(f"offby.best.{metric.key}"): comparison.best(metric)
        for metric in comparison.metrics
    }
    fluent.set_tags({name: key for name, key in best.items() if key is not None})
    answer = " ".join(each.sentence for each in comparison.verdicts)
    fluent.set_tag("offby.answer", answer)
    fluent.log_text(comparison.to_json(), "comparison.json")
    fluent.log_text(comparison.leaderboard().to_csv(index=False), "leaderboard.csv")
    try:
        from offby import report
    except ImportError as error:
        warnings.warn(
            f"report.html was not logged: it needs {error.name}, which "
            'pip install "offby[compare]" brings; the other results are logged',
            stacklevel=2,
        )
        return
    fluent.log_text(report.render(comparison), "report.html")


def save_model(
    estimator: Any,
    path: str | Path,
    *,
    quantiles: Sequence[float] = (),
    coverage: float | None = 0.9,
    pip_requirements: Sequence[str] | None = None,
    signature: Any = None,
    metadata: dict[str, Any] | None = None,
    mlflow_model: Any = None,
) -> None:
    """Write a fitted estimator as a folder that MLflow reads.

    The folder holds the file of `offby.models.save`, without pickle.

    Args:
        estimator: A fitted estimator of offby.
        path: The folder, which must not be there yet.
        quantiles: Levels of quantiles that `predict` of the pyfunc gives, of a model of
            numbers.
        coverage: Of the interval that it gives; None for none.
        pip_requirements: What serving installs; by default this version of offby.
        signature: The columns, as `mlflow.models.infer_signature` finds them.
        metadata: For the file `MLmodel`.
        mlflow_model: The description to fill in; MLflow gives it.

    Raises:
        TypeError: If the estimator holds what only pickle could store.
        ValueError: If a quantile or the coverage is not between 0 and 1.
        FileExistsError: If there is such a folder.
    """
    wanted = models.Wanted(quantiles=tuple(quantiles), coverage=coverage)
    folder = Path(path)
    folder.mkdir(parents=True)
    models.save(estimator, folder / _FILE)
    columns = {"quantiles": list(wanted.quantiles), "coverage": wanted.coverage}
    (folder / _COLUMNS).write_text(json.dumps(columns), encoding="utf-8")

    needs = pip_requirements
    if needs is None:
        needs = [f"offby=={offby.__version__}", "pandas"]
    (folder / "requirements.txt").write_text("\n".join(needs), encoding="utf-8")
    python = f"python: {sys.version.split()[0]}\ndependencies:\n- -r requirements.txt\n"
    (folder / "python_env.yaml").write_text(python, encoding="utf-8")

    described = Model() if mlflow_model is None else mlflow_model
    if signature is not None:
        described.signature = signature
    if metadata is not None:
        described.metadata = metadata
    described.add_flavor(FLAVOR, offby_version=offby.__version__, data=_FILE)
    add_to_model(described, loader_module=__name__, python_env="python_env.yaml")
    described.save(str(folder / "MLmodel"))


def log_model(estimator: Any, name: str = "model", **settings: Any) -> Any:
    """Log a fitted estimator to MLflow, in the active run if there is one.

    Args:
        estimator: A fitted estimator of offby.
        name: Of the model.
        settings: Go to `save_model`, as `quantiles`, or to MLflow's `Model.log`, as
            `registered_model_name`.

    Returns:
        MLflow's `ModelInfo`; its `model_uri` is what the functions that load take.
    """
    return Model.log(
        None, sys.modules[__name__], name=name, estimator=estimator, **settings
    )


def load_model(model_uri: str) -> Any:
    """The estimator that was saved or logged, with all its methods.

    Args:
        model_uri: A folder, or the `model_uri` of a logged model.
    """
    return models.load(Path(download_artifacts(artifact_uri=model_uri)) / _FILE)


class _Forecaster:
    """What `mlflow.pyfunc.load_model` calls: frames in, frames of forecasts out."""

    def __init__(self, folder: Path) -> None:
        self.estimator = models.load(folder / _FILE)
        columns = json.loads((folder / _COLUMNS).read_text(encoding="utf-8"))
        self.wanted = models.Wanted(**columns)

    def predict(self, rows: Any, params: Any = None) -> Any:
        """The columns of `offby predict`, in a frame with the index of the rows."""
        del params  # MLflow's; there are none
        import pandas as pd

        found = models.forecast_columns(self.estimator, rows, self.wanted)
        return pd.DataFrame(found, index=getattr(rows, "index", None))


def _load_pyfunc(folder: str) -> _Forecaster:
    """MLflow calls it by this name, with the folder of the model."""
    return _Forecaster(Path(folder))


def _name(key: str) -> str:
    """A key as MLflow allows it: it takes no "+" as in "ce+emd2"."""
    return re.sub(r"[^\w\-./: ]", " ", key.replace("+", " and "))
