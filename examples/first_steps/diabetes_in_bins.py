"""Numbers with scikit-learn: a whole distribution for each patient.

`BinnedRegressor` chooses its bins itself. Mean, quantiles, intervals and chances all
come from one forecast, and agree with each other.
"""

# %% The data
import numpy as np
from matplotlib import pyplot
from sklearn.datasets import load_diabetes
from sklearn.model_selection import train_test_split

from offby import BinnedRegressor

X, y = load_diabetes(return_X_y=True, as_frame=True)
X_train, X_test, y_train, y_test = train_test_split(X, y, random_state=0)

# %% Fit and forecast
model = BinnedRegressor(n_bags=1, n_members=2, max_iter=40, random_state=0)
forecast = model.fit(X_train, y_train).predict_dist(X_test)
print(forecast.to_frame().head(3).round(1))

# %% One forecast answers many questions
print(f"mean error of the median {np.abs(y_test - forecast.median()).mean():.1f}")
print(f"CRPS {forecast.crps(y_test).mean():.1f}")
print(f"first patient above 200: {forecast[0].sf(200):.0%}")
print(f"the best guess under relative error: {forecast[0].decide('mape'):.0f}")
low, high = forecast.interval(0.9)
print(f"inside the 90 % interval: {((low <= y_test) & (y_test <= high)).mean():.0%}")

# %% Is it as sure as it should be?
# If it is, a tenth of the patients lies in each tenth of the forecast.
figure, axes = pyplot.subplots(figsize=(6, 2.4))
axes.hist(forecast.pit(y_test), bins=10, range=(0, 1), color="#afb8c1")
axes.axhline(len(y_test) / 10, color="#d55e00")
axes.set(xlabel="share of the forecast below the truth", ylabel="patients")
