"""The ways to cut numbers into bins, by name; known without loading PyTorch."""

from typing import Literal

Strategy = Literal["quantile", "uniform", "log", "kmeans"]
"""How numbers are cut into bins; `Bins.around` says what each does."""

DEFAULT_STRATEGY: Strategy = "quantile"
"""What is used unless another one is asked for."""
