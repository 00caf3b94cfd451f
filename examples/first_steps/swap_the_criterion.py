"""The one line that changes in a training loop.

A network learns how far a patient's diabetes had gone on after a year, in eight ordered
classes of equal size (scikit-learn's set of 442 patients). The loop takes
the criterion of PyTorch, and then the squared EMD in its place.
"""

# %% The data
import torch
from sklearn.datasets import load_diabetes

import offby

X, y = (torch.tensor(part).float() for part in load_diabetes(return_X_y=True))
X = (X - X.mean(0)) / X.std(0)
target = torch.bucketize(y, y.quantile(torch.arange(1, 8) / 8))
rows = torch.randperm(len(X), generator=torch.Generator().manual_seed(0))
train, test = rows[:300], rows[300:]


# %% The loop
def trained(criterion: torch.nn.Module, seed: int) -> torch.nn.Module:
    torch.manual_seed(seed)
    network = torch.nn.Sequential(
        torch.nn.Linear(10, 32), torch.nn.ReLU(), torch.nn.Linear(32, 8)
    )
    step = torch.optim.Adam(network.parameters(), lr=1e-2)
    for _ in range(60):
        step.zero_grad()
        criterion(network(X[train]), target[train]).backward()
        step.step()
    return network


# %% What it does to new patients
# The median class is the best guess where it matters how far off one is.
for name, criterion in {
    "torch.nn.CrossEntropyLoss": torch.nn.CrossEntropyLoss(),
    "offby.nn.SquaredEMDLoss": offby.nn.SquaredEMDLoss(),
}.items():
    off, far, score = 0.0, 0.0, 0.0
    for seed in range(5):
        network = trained(criterion, seed)
        probs = network(X[test]).softmax(1).detach().numpy()
        guess = offby.metrics.median_class(probs)
        miss = abs(guess - target[test].numpy())
        off += miss.mean() / 5
        far += 100 * (miss >= 3).mean() / 5
        score += offby.metrics.ranked_probability_score(target[test].numpy(), probs) / 5
    print(f"{name:26s} off by {off:.2f} classes, {far:.0f} % by three, RPS {score:.3f}")

# %% [markdown]
# Five seeds on one split of one small set: enough to see that the line runs, not to say
# which loss is better. `offby compare` answers that for your data.
