"""Comparisons and models in MLflow, on a store in a folder."""

import importlib
import sys
from typing import Any

import numpy as np
import pytest

pytest.importorskip("mlflow.pyfunc")

import pandas as pd

from offby import BinnedRegressor, Comparison, OrdinalClassifier
from offby.integrations import mlflow as ours
from tests import report_data

# Its lazily loaded parts and optional arguments are not in its types.
mlflow: Any = importlib.import_module("mlflow")
pytestmark = pytest.mark.filterwarnings("ignore")  # those of MLflow


@pytest.fixture
def run(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    # MLflow 3 advises a data base instead of files, which mlflow-skinny cannot read.
    monkeypatch.setenv("MLFLOW_ALLOW_FILE_STORE", "true")
    mlflow.set_tracking_uri((tmp_path / "runs").as_uri())
    with mlflow.start_run() as started:
        yield started
    mlflow.set_tracking_uri(None)


@pytest.fixture
def no_report(monkeypatch):
    """As without the extra: the report takes seconds, and one test looks at it."""
    monkeypatch.setitem(sys.modules, "offby.report", None)
    monkeypatch.delattr("offby.report", raising=False)


def text_of(run, name: str) -> str:
    return mlflow.artifacts.load_text(f"{run.info.artifact_uri}/{name}")


@pytest.mark.usefixtures("no_report")
def test_a_comparison(run):
    comparison = report_data.comparison()
    ours.log_comparison(comparison)
    logged = mlflow.get_run(run.info.run_id).data
    best = comparison.best("rps")
    assert best is not None
    assert logged.tags["offby.best.rps"] == best
    assert comparison.verdicts[0].sentence in logged.tags["offby.answer"]
    assert logged.metrics[f"{best}/rps"] == comparison.mean(best, "rps")
    assert logged.params["offby.losses"] == ", ".join(comparison.losses)
    assert Comparison.from_json(text_of(run, "comparison.json")) == comparison
    methods = [method.key for method in comparison.ranked]
    lines = text_of(run, "leaderboard.csv").splitlines()[1:]
    assert [line.split(",")[0] for line in lines] == methods


def test_the_report_of_a_comparison(run):
    pytest.importorskip("altair")
    ours.log_comparison(report_data.comparison())
    page = text_of(run, "report.html")
    assert "<svg" in page
    assert "wine.csv" in page


@pytest.mark.usefixtures("no_report")
def test_without_the_extra_the_rest_is_logged(run):
    with pytest.warns(UserWarning, match="report.html was not logged"):
        ours.log_comparison(report_data.comparison())
    assert text_of(run, "comparison.json")


@pytest.mark.usefixtures("no_report")
def test_names_of_sums_are_allowed(run):
    losses = ("ce+0.3*emd1", "ce+emd2")
    methods = tuple(
        report_data.Method(key, key, False) for key in (*losses, "squared_mass")
    )
    ours.log_comparison(report_data.comparison(methods=methods))
    logged = mlflow.get_run(run.info.run_id).data.metrics
    assert {"ce and 0.3 emd1/rps", "ce and emd2/rps"} <= set(logged)


@pytest.fixture(scope="module")
def frame():
    return pd.DataFrame({"x": np.linspace(0, 1, 60)}, index=np.arange(60) + 5)


def test_a_model_of_numbers(run, frame):
    number = BinnedRegressor(n_bins=5, max_iter=2, random_state=0).fit(frame, frame.x)
    signature = mlflow.models.infer_signature(frame)
    uri = ours.log_model(number, quantiles=[0.25], signature=signature).model_uri
    found = mlflow.pyfunc.load_model(uri).predict(frame)
    assert list(found) == ["mean", "median", "quantile_0.25", "low_90", "high_90"]
    assert list(found.index) == list(frame.index)
    np.testing.assert_array_equal(found["mean"], number.predict(frame))
    np.testing.assert_array_equal(
        found["quantile_0.25"], number.predict_quantiles(frame, [0.25])[:, 0]
    )
    again = ours.load_model(uri)
    np.testing.assert_array_equal(again.predict(frame), number.predict(frame))


def test_a_folder_of_classes(tmp_path, frame):
    classes = OrdinalClassifier(max_iter=2, random_state=0).fit(frame, frame.x > 0.5)
    folder = tmp_path / "model"
    ours.save_model(classes, folder, pip_requirements=["offby"])
    assert (folder / "requirements.txt").read_text() == "offby"
    assert not list(folder.glob("*.pkl"))
    found = mlflow.pyfunc.load_model(str(folder)).predict(frame)
    np.testing.assert_array_equal(found["median"], classes.predict(frame))
    with pytest.raises(FileExistsError):
        ours.save_model(classes, folder)
    with pytest.raises(ValueError, match="between 0 and 1, got 5"):
        ours.save_model(classes, tmp_path / "other", quantiles=[5])
    assert not (tmp_path / "other").exists()
