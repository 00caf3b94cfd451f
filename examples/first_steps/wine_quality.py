"""Ordered classes with scikit-learn: the quality of wine.

`OrdinalClassifier` is an estimator like others of scikit-learn. Its forecast is a
distribution over ordered classes, and `predict` gives the median of it.
"""

# %% The data, which come with offby
import numpy as np
import pandas as pd
from matplotlib import pyplot
from sklearn.model_selection import train_test_split

from offby import OrdinalClassifier, metrics, tables

wine = pd.DataFrame(tables.read("wine-red").to_dict(as_series=False))
X, y = wine.drop(columns="quality"), wine["quality"]
X_train, X_test, y_train, y_test = train_test_split(
    X, y, test_size=400, random_state=0, stratify=y
)

# %% Fit and forecast
model = OrdinalClassifier(
    loss="ce+emd2", n_bags=1, n_members=2, max_iter=30, random_state=0
).fit(X_train, y_train)
forecast = model.predict_dist(X_test)
print(forecast)
print(f"classes {model.classes_}, first row {np.round(forecast.probs[0], 2)}")

# %% How good it is
probs, at = forecast.probs, np.searchsorted(model.classes_, y_test)
print(f"RPS {metrics.ranked_probability_score(at, probs):.3f}")
print(
    f"off by two or more: {metrics.far_error_rate(y_test, model.predict(X_test)):.1%}"
)

# %% Sets of classes that hold the truth in nine rows of ten
low, high = model.predict_interval(X_test, 0.9, conformal=True).T
inside = ((low <= y_test) & (y_test <= high)).mean()
print(f"inside {inside:.1%}, {np.mean(high - low + 1):.1f} classes wide")

# %% Alcohol and the forecast
by_alcohol = pd.qcut(X_test["alcohol"], 4)
figure, axes = pyplot.subplots(figsize=(6, 2.6))
means = (
    pd.DataFrame(probs, columns=model.classes_).groupby(by_alcohol.to_numpy()).mean()
)
means.plot.bar(stacked=True, ax=axes, colormap="viridis", rot=0)
axes.set(xlabel="alcohol, %", ylabel="mean probability")
axes.legend(title="quality", bbox_to_anchor=(1, 1))
