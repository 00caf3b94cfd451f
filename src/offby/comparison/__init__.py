"""`compare`: which loss should I use on my data, and why?"""

from offby.comparison._result import Comparison, Timing
from offby.comparison._run import compare

__all__ = ["Comparison", "Timing", "compare"]
