"""Products in a tree: oils of one region are nearer to each other than to the rest.

    python examples/oils.py

572 Italian olive oils of nine areas in three regions, told apart by eight fatty acids.
To take an oil of one area for that of the next is a small mistake; the wrong region is
a large one. Four losses on `Tree`, where the cumulative cross-entropy is defined as
well, and the cross-entropy, which knows no distance, beside them. Takes about two
minutes on one core.
"""

import argparse
from pathlib import Path

import numpy as np
import polars as pl
import torch
from ground_table import show

import offby
from offby.comparison.networks import Settings


# %% The oils, and their tree
def table(rows: int | None) -> tuple[pl.DataFrame, np.ndarray, offby.Tree]:
    """Acids, the class of each oil, and the tree of the classes."""
    oils = pl.read_csv(Path(__file__).parent / "data" / "olives.csv.gz")
    oils = oils.sample(rows or len(oils), seed=0, shuffle=True)
    names = oils["region"] + "/" + oils["area"]
    paths = sorted(set(names))
    tree = offby.Tree.from_paths(paths, lengths=[2, 1])
    y = np.array([paths.index(name) for name in names])
    return oils.drop("region", "area"), y, tree


# %% The comparison
def main(
    seeds: int, rows: int | None = None, epochs: int = 200, folds: int = 5
) -> None:
    """Compares the losses, then sums one forecast up by regions."""
    X, y, tree = table(rows)
    found = offby.compare(
        X,
        y,
        ground=tree,
        labels=tree.leaves,
        losses=["ce", "emd1", "emd2", "cce", "ce+emd2"],
        folds=folds,
        seeds=seeds,
        references=False,
        models=["network"],
        settings=Settings(max_iter=epochs),
    )
    show(found, "lengths of the tree: 2 within a region, 6 to another")

    print("Trained on all oils but 50, by the best loss:")
    model = offby.OrdinalClassifier(
        found.best_loss() or "ce",
        categories=list(range(tree.n_classes)),
        ground=tree,
        n_bags=1,
        max_iter=epochs,
        random_state=0,
    ).fit(X[50:], y[50:])
    probs = model.predict_dist(X[:50]).probs
    unsure = int(probs.max(1).argmin())
    print(f"The least sure forecast, of an oil from {tree.leaves[y[unsure]]}:")
    for region in tree.branches:
        share = float(tree.mass(torch.tensor(probs[unsure]), region))
        print(f"  {region:16s} {share:.2f}")


# %% Run it
if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seeds", type=int, default=2)
    main(**vars(parser.parse_args()))
