"""`compare`: which loss should I use on my data, and why?"""

from offby.comparison._result import Comparison
from offby.comparison._run import compare

__all__ = ["Comparison", "compare"]
