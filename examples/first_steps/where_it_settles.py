"""Where training ends if it goes on for ever.

Patients with the same measurements end in different classes, with some frequencies. A
proper loss ends at these frequencies. `settles_at` says where any loss ends, without
training anything.
"""

# %% Frequencies with two peaks
import numpy as np
from matplotlib import pyplot

from offby import losses, settles_at

frequencies = np.array([0.30, 0.15, 0.05, 0.15, 0.35])

# %% Four losses
ends = {
    "cross-entropy": settles_at(losses.cross_entropy, frequencies),
    "squared EMD": settles_at(losses.squared_emd, frequencies),
    "cumulative cross-entropy": settles_at(
        losses.cumulative_cross_entropy, frequencies
    ),
    "Wasserstein": settles_at(losses.wasserstein, frequencies),
}
for name, end in ends.items():
    print(f"{name:25s} " + " ".join(f"{probability:.2f}" for probability in end))

# %% As a picture
# The Wasserstein distance to one true class is not proper: it ends with everything on
# the median, and says nothing of what else may happen.
figure, rows = pyplot.subplots(1, 4, figsize=(9, 2.2), sharey=True)
for axes, (name, end) in zip(rows, ends.items(), strict=True):
    axes.bar(range(1, 6), end, color="#0072b2")
    axes.plot(range(1, 6), frequencies, "k_", markersize=18)
    axes.set_title(name, fontsize=9)
rows[0].set_ylabel("probability")
