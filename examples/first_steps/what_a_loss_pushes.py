"""What one step of training does to each class, under each loss.

`anatomy` takes a loss apart at one forecast: what it weighs, and where it pushes the
logits. A network is sure of the wrong end of seven classes; the second is right.
"""

# %% A forecast that is far off
import torch
from matplotlib import pyplot

from offby import anatomy, losses

probs = torch.tensor([0.02, 0.03, 0.05, 0.08, 0.12, 0.30, 0.40])
target = torch.tensor(1)

# %% The pushes
found = {
    "cross-entropy": anatomy(losses.cross_entropy, probs.log(), target),
    "Wasserstein": anatomy(losses.wasserstein, probs.log(), target),
    "squared EMD": anatomy(losses.squared_emd, probs.log(), target),
    "cumulative cross-entropy": anatomy(
        losses.cumulative_cross_entropy, probs.log(), target
    ),
}
for name, taken in found.items():
    pushes = " ".join(f"{push:+.2f}" for push in taken.pushes)
    print(f"{name:25s} {float(taken.value):5.2f}   {pushes}")

# %% As a picture
# Cross-entropy lifts the true class only. The others lift its neighbors as well, those
# on the way to it, and press hardest what is farthest from it.
figure, rows = pyplot.subplots(2, 2, figsize=(7, 4), sharex=True)
for axes, (name, taken) in zip(rows.flat, found.items(), strict=True):
    colors = ["#0072b2" if push > 0 else "#d55e00" for push in taken.pushes]
    axes.bar(range(1, 8), taken.pushes.numpy(), color=colors)
    axes.axhline(0, color="black", linewidth=0.5)
    axes.set_title(name)
figure.supylabel("push on the logit")
figure.tight_layout()
