"""Drawing a forecast with matplotlib."""

from typing import Any

from offby.bins import Bins
from offby.distribution._rows import Array


def plot(probs: Array, bins: Bins, ax: Any, color: str, label: str) -> Any:
    """The density of one forecast as an area, of several as ridges."""
    try:
        from matplotlib import pyplot
    except ImportError as error:
        raise RuntimeError(
            "plot needs matplotlib, which is not here; run pip install matplotlib"
        ) from error
    ax = pyplot.subplots()[1] if ax is None else ax
    edges = bins.edges.cpu().numpy()
    densities = probs.reshape(-1, bins.n_bins) / bins.widths.cpu().numpy()
    # Neighboring ridges overlap a little, so that peaks have room.
    step = densities.max() / 1.3
    single = probs.ndim == 1
    for i, density in enumerate(densities[::-1]):
        base = 0.0 if single else i * step
        area = {"baseline": base, "zorder": -i}
        ax.stairs(density + base, edges, fill=True, color=color, alpha=0.75, **area)
        ax.stairs(density + base, edges, color="white", linewidth=0.6, **area)
    ax.set_yticks([])
    ax.set_xlabel(label)
    ax.set_ylabel("density" if single else "density of each forecast")
    ax.spines[["left", "right", "top"]].set_visible(False)
    return ax
