"""Which loss for these data? Let `compare` measure it.

`compare` trains a model with each loss, over folds and seeds, scores all of them on
rows that they have not seen, and says what is settled. This run is small: 300 rows, ten
epochs, one seed. `offby compare data.csv --target column` does it from the command
line, and writes a report.
"""

# %% The data
import offby
from offby import tables
from offby.comparison.networks import Settings

wine = tables.read("wine-red").sample(300, seed=0)
X, y = wine.drop("quality"), wine["quality"].to_numpy()

# %% Compare
found = offby.compare(
    X,
    y,
    losses=["ce", "emd2"],
    folds=2,
    seeds=1,
    models=["network"],
    references=False,
    settings=Settings(max_iter=10),
)
for method in found.ranked:
    print(f"{method.key:10s} RPS {found.mean(method.key, 'rps'):.3f}")

# %% What is settled
for verdict in found.verdicts:
    print(verdict.sentence)

# %% [markdown]
# `found.fit_best(X, y)` then trains the best one on all rows. A notebook shows `found`
# as a report with pictures.
