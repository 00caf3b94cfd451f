"""A number as a forecast of many bins.

Instead of one number a network can give a probability for each of many bins, and so
say how sure it is, and whether two answers are possible. The exact CRPS trains it on
the numbers themselves.
"""

# %% Numbers that have two answers
import torch
from matplotlib import pyplot

import offby

generator = torch.Generator().manual_seed(0)
x = 4 * torch.rand(2000, 1, generator=generator)
branch = (torch.rand(2000, generator=generator) < 0.4).float()
y = x[:, 0] * (2 * branch - 1) + 0.3 * torch.randn(2000, generator=generator)

# %% A grid, and a network with one output for each bin
bins = offby.Bins.uniform(-6, 6, 60)
torch.manual_seed(0)
network = torch.nn.Sequential(
    torch.nn.Linear(1, 64), torch.nn.ReLU(), torch.nn.Linear(64, bins.n_bins)
)
criterion = offby.nn.HistogramCRPSLoss(bins)
step = torch.optim.Adam(network.parameters(), lr=1e-2)
for _ in range(200):
    step.zero_grad()
    loss = criterion(network(x), y)
    loss.backward()
    step.step()
print(f"{bins}\nCRPS at the end: {loss.item():.3f}")

# %% The forecast is an object
with torch.no_grad():
    logits = network(torch.tensor([[0.5], [3.0]]))
forecast = offby.BinnedDistribution.from_logits(logits, bins)
for at, row in zip(("0.5", "3.0"), forecast, strict=True):
    low, high = row.interval(0.9)
    print(
        f"x = {at}: mean {row.mean():.2f}, median {row.median():.2f}, "
        f"90 % between {low:.2f} and {high:.2f}, above zero: {row.sf(0):.0%}"
    )

# %% As a picture
# At 3 the mean lies where hardly anything ever is: one number would say just that.
figure, axes = pyplot.subplots(figsize=(6, 2.5))
forecast[1].plot(axes, label="x = 3")
axes.axvline(forecast[1].mean(), color="#d55e00", label="its mean")
axes.legend()
