"""Two wrong forecasts that cross-entropy cannot tell apart.

Five ordered classes; the fourth is right. One forecast has missed it by a class, the
other by three. Both give the true class the same probability, so that the cross-entropy
is the same number for both. Losses that know distance tell them apart.
"""

# %% Two forecasts
import torch
from matplotlib import pyplot

from offby import losses

near = torch.tensor([0.05, 0.05, 0.60, 0.20, 0.10])
far = torch.tensor([0.60, 0.05, 0.05, 0.20, 0.10])
logits, target = torch.stack([near, far]).log(), torch.tensor([3, 3])

# %% What each loss says
for name, loss in {
    "cross-entropy": losses.cross_entropy,
    "Wasserstein": losses.wasserstein,
    "squared EMD": losses.squared_emd,
    "cumulative cross-entropy": losses.cumulative_cross_entropy,
}.items():
    values = loss(logits, target)
    print(f"{name:25s} near {values[0]:.3f}   far {values[1]:.3f}")

# %% As a picture
figure, (left, right) = pyplot.subplots(1, 2, figsize=(7, 2.2), sharey=True)
for axes, probs, title in ((left, near, "off by one"), (right, far, "off by three")):
    axes.bar(
        range(1, 6),
        probs.numpy(),
        color=["#0072b2" if k == 3 else "#afb8c1" for k in range(5)],
    )
    axes.set(title=title, xlabel="class (blue is the truth)")
left.set_ylabel("probability")
