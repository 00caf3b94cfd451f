"""`compare`: which loss should I use on my data, and why?"""

from offby.compare._result import Comparison

__all__ = ["Comparison"]
