"""`compare`: which loss should I use on my data, and why?"""

from offby.comparison.run import compare
from offby.results import Comparison, Timing

__all__ = ["Comparison", "Timing", "compare"]
